"""Faults: what engineers and models get wrong in array code and kernels.

Each operator takes a node and says how it would read with the fault; a mutant is one such change
in one place. `python -m bench.trust.mutants --list-operators` prints the table.
"""

from __future__ import annotations

import ast
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.trust.program import JAX, NUMPY, TORCH, TRITON, Program
from bench.trust.source_text import SourceText

Change = Callable[[ast.AST, SourceText], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Operator:
    """imitates: the real fault. kinds: the
    programs that it is for; empty means all."""

    name: str
    imitates: str
    change: Change
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mutant:
    program: str
    operator: str
    line: int
    before: str
    after: str
    source: str


OPERATORS: list[Operator] = []


def operator(name: str, imitates: str, *kinds: str) -> Callable[[Change], Change]:
    def register(change: Change) -> Change:
        OPERATORS.append(Operator(name, imitates, change, kinds))
        return change

    return register


def sample(
    program: Program, text: SourceText, count: int, rng: random.Random, rarity: Mapping[str, float]
) -> list[Mutant]:
    """Up to `count` mutants of one program, spread over operators; rare ones are likelier."""
    sites = places(program, text)
    for found in sites.values():
        rng.shuffle(found)
    mutants: list[Mutant] = []
    texts = {program.source}
    used: Counter[str] = Counter()
    while sites and len(mutants) < count:
        least = min(used[name] for name in sites)
        open_ = [n for n in sites if used[n] == least]
        name = rng.choices(open_, [rarity.get(n, 1.0) for n in open_])[0]
        node, new = sites[name].pop()
        if not sites[name]:
            del sites[name]
        source = text.edited([text.replaced(node, new)])
        if source in texts or not _parses(source):
            continue
        texts.add(source)
        used[name] += 1
        line = getattr(node, "lineno", 0)
        mutants.append(Mutant(program.name, name, line, text.raw(node), new, source))
    return mutants


def places(program: Program, text: SourceText) -> dict[str, list[tuple[ast.AST, str]]]:
    """For each operator that applies: nodes, and how they would read."""
    sites: dict[str, list[tuple[ast.AST, str]]] = {}
    nodes = list(text.expressions())
    for op in OPERATORS:
        if op.kinds and program.kind not in op.kinds:
            continue
        found = [(n, new) for n in nodes for new in op.change(n, text) if new != text.raw(n)]
        if found:
            sites[op.name] = found
    return sites


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return True


def _name(node: ast.AST | None) -> str:
    """The last part of a dotted name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _called(node: ast.AST, *names: str) -> bool:
    return isinstance(node, ast.Call) and _name(node.func) in names


def _whole(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int


def _real(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is float


def _swap_name(node: ast.AST, text: SourceText, table: dict[str, Sequence[str]]) -> Iterator[str]:
    """The call with another function of the same module or method of the same object."""
    if not isinstance(node, ast.Call):
        return
    for new in table.get(_name(node.func), ()):
        if isinstance(node.func, ast.Attribute):
            head = text.text(node.func.value)
            yield f"{head}.{new}" + text.text(node)[len(text.text(node.func)) :]


def _with_keyword(node: ast.Call, text: SourceText, keyword: ast.keyword, new: str | None) -> str:
    """The call with a keyword's value replaced, or without it."""
    start = text.span(node)[0]
    whole = text.text(node).encode()
    if new is not None:
        a, b = (p - start for p in text.span(keyword.value))
        return (whole[:a] + new.encode() + whole[b:]).decode()
    arguments = [text.text(a) for a in node.args]
    arguments += [text.text(k) for k in node.keywords if k is not keyword]
    return f"{text.text(node.func)}({', '.join(arguments)})"


# Indices, sizes, grids


@operator("index-off-by-one", "positions start one too far")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if _called(node, "arange"):
        yield f"({text.text(node)} + 1)"


@operator("slice-off-by-one", "a slice begins or ends one off")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.Slice):
        low = text.text(node.lower) if node.lower else ""
        high = text.text(node.upper) if node.upper else ""
        step = f":{text.text(node.step)}" if node.step else ""
        if low:
            yield f"{low} + 1:{high}{step}"
        if high:
            yield f"{low}:{high} - 1{step}"


@operator("constant-index", "a neighbouring element or axis length is taken")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.Subscript) and _whole(node.slice):
        value = node.slice.value  # type: ignore[attr-defined]
        head = text.text(node.value)
        yield f"{head}[{value + 1}]"
        yield f"{head}[{value - 1}]"


@operator("range-bound", "a loop runs once too often, or not often enough")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if _called(node, "range", "static_range"):
        parts = [text.text(a) for a in node.args]  # type: ignore[attr-defined]
        name = text.text(node.func)  # type: ignore[attr-defined]
        if len(parts) == 1:
            yield f"{name}(1, {parts[0]})"
            yield f"{name}({parts[0]} - 1)"
        elif len(parts) == 3:
            yield f"{name}({parts[2]}, {parts[1]}, {parts[2]})"
            yield f"{name}({parts[0]}, {parts[1]} - {parts[2]}, {parts[2]})"


@operator("tail-dropped", "the last part is lost where the size is no multiple of the tile")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if _called(node, "cdiv") and len(node.args) == 2:  # type: ignore[attr-defined]
        a, b = (text.text(x) for x in node.args)  # type: ignore[attr-defined]
        yield f"(({a}) // ({b}))"
        yield f"max(({a}) // ({b}), 1)"
    if _called(node, "range") and len(node.args) == 3:  # type: ignore[attr-defined]
        a, b, c = (text.text(x) for x in node.args)  # type: ignore[attr-defined]
        yield f"range({a}, ({b}) - ({b}) % ({c}), {c})"


@operator("block-too-small", "the block does not hold the row", TRITON)
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if _called(node, "next_power_of_2", "calculate_settings"):
        if _called(node, "next_power_of_2"):
            yield f"({text.text(node)} // 2)"


@operator("program-axis", "the wrong axis of the grid", TRITON)
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if _called(node, "program_id") and node.args and _whole(node.args[0]):  # type: ignore[attr-defined]
        value = node.args[0].value  # type: ignore[attr-defined]
        yield f"{text.text(node.func)}({1 - value if value < 2 else 0})"  # type: ignore[attr-defined]


@operator("hard-coded-size", "a size of the test becomes part of the code")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        function = text.function_of(node)
        if function is not None:
            value = text.values.get(function.name, {}).get(node.id)
            if value is not None and value > 2:
                yield str(value)


@operator("wrong-stride", "the stride of another axis")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if _called(node, "stride", "size") and node.args and _whole(node.args[0]):  # type: ignore[attr-defined]
        value = node.args[0].value  # type: ignore[attr-defined]
        yield f"{text.text(node.func)}({ {0: 1, 1: 0, -1: 0}.get(value, 0) })"  # type: ignore[attr-defined]


# Masks and boundaries


@operator("boundary", "< where <= belongs, and the like")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    table = {ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">"}
    yield from _compared(node, text, table)


@operator("comparison", "a comparison the wrong way round")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    table = {ast.Lt: ">", ast.LtE: ">=", ast.Gt: "<", ast.GtE: "<=", ast.Eq: "!=", ast.NotEq: "=="}
    yield from _compared(node, text, table)


def _compared(node: ast.AST, text: SourceText, table: dict[type, str]) -> Iterator[str]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in table:
        left, right = text.text(node.left), text.text(node.comparators[0])
        yield f"{left} {table[type(node.ops[0])]} {right}"


@operator("mask-dropped", "a load or store without its mask", TRITON)
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if _called(node, "load", "store", "atomic_add", "atomic_max"):
        for keyword in node.keywords:  # type: ignore[attr-defined]
            if keyword.arg == "mask":
                yield _with_keyword(node, text, keyword, "None")  # type: ignore[arg-type]


@operator("mask-half", "one of two conditions is forgotten")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd):
        yield f"({text.text(node.left)})"
        yield f"({text.text(node.right)})"
    if isinstance(node, ast.BoolOp):
        yield from (f"({text.text(v)})" for v in node.values)


@operator("mask-or", "or for and")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitAnd, ast.BitOr)):
        sign = "|" if isinstance(node.op, ast.BitAnd) else "&"
        yield f"({text.text(node.left)}) {sign} ({text.text(node.right)})"


@operator("wrong-other", "masked places hold the wrong value", TRITON)
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if _called(node, "load", "where"):
        for keyword in node.keywords:  # type: ignore[attr-defined]
            if keyword.arg == "other":
                infinite = "inf" in text.text(keyword.value)
                yield _with_keyword(node, text, keyword, "0.0" if infinite else "1.0")  # type: ignore[arg-type]


@operator("padding-value", "0 where minus infinity belongs")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.UnaryOp) and "inf" in text.raw(node) and len(text.raw(node)) < 20:
        yield "0.0"
        yield "-1e4"


# Accumulation


@operator("accumulation-dropped", "= for +=")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.AugAssign):
        yield f"{text.text(node.target)} = {text.text(node.value)}"
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp):
        target, value = text.text(node.targets[0]), node.value
        if isinstance(value.op, ast.Add) and target in text.text(value.left):
            yield f"{target} = {text.text(value.right)}"


@operator("accumulation-doubled", "added twice")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
        yield f"{text.text(node.target)} += 2 * ({text.text(node.value)})"


@operator("initial-value", "the accumulator starts wrong")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.Assign) and _real(node.value):
        yield f"{text.text(node.targets[0])} = {node.value.value + 1.0}"  # type: ignore[attr-defined]
    if _called(node, "zeros", "zeros_like"):
        yield f"({text.text(node)} + 1)"


@operator("stale-buffer", "empty for zeros")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if not isinstance(node, ast.Call) or "tl." in text.text(node.func):
        return
    table = {"zeros": ["empty"], "zeros_like": ["empty_like"], "new_zeros": ["new_empty"]}
    yield from _swap_name(node, text, table)


@operator("race", "a store for an atomic addition", TRITON)
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    table = {"atomic_add": ["store"], "atomic_max": ["store", "atomic_min"]}
    yield from _swap_name(node, text, table)


@operator("loop-carry", "one iteration's factor for the running value is left out")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        statement = text.statement_of(node)
        if isinstance(statement, ast.Assign):
            target = text.text(statement.targets[0])
            if text.text(node.left) == target or text.text(node.right) == target:
                yield target


# Axes, shapes, operands


@operator("axis", "a reduction over another axis")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if not isinstance(node, ast.Call):
        return
    for keyword in node.keywords:
        if keyword.arg in ("axis", "dim"):
            value = text.raw(keyword.value)
            new = {"0": "1", "1": "0", "-1": "0", "2": "1"}.get(value)
            if new:
                yield _with_keyword(node, text, keyword, new)


@operator("keepdim-dropped", "the reduced axis is gone, and broadcasts elsewhere")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.Call):
        for keyword in node.keywords:
            if keyword.arg in ("keepdim", "keepdims") and text.text(keyword.value) == "True":
                yield _with_keyword(node, text, keyword, "False")


@operator("broadcast", "[None, :] for [:, None]")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
        index = text.raw(node.slice)
        flipped = {":, None": "None, :", "None, :": ":, None"}.get(index)
        if flipped:
            yield f"{text.text(node.value)}[{flipped}]"


@operator("transpose-dropped", "an operand is not transposed")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        yield text.text(node.value)
    if _called(node, "t", "transpose", "swapaxes"):
        func = node.func  # type: ignore[attr-defined]
        if isinstance(func, ast.Attribute) and _name(func.value) not in ("torch", "np", "jnp"):
            yield text.text(func.value)
    if _called(node, "trans"):
        yield text.text(node.args[0])  # type: ignore[attr-defined]


@operator("operands-swapped", "a - b for b - a, a / b for b / a, a @ b for b @ a")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    signs = {ast.Sub: "-", ast.Div: "/", ast.MatMult: "@", ast.FloorDiv: "//", ast.Mod: "%"}
    if isinstance(node, ast.BinOp) and type(node.op) in signs:
        left, right = text.text(node.left), text.text(node.right)
        yield f"(({right}) {signs[type(node.op)]} ({left}))"


@operator("arguments-swapped", "two arguments in the wrong order")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.Call) and len(node.args) >= 2 and not _called(node, "isinstance"):
        for i in range(len(node.args) - 1):
            a, b = node.args[i], node.args[i + 1]
            if isinstance(a, ast.Starred) or isinstance(b, ast.Starred):
                continue
            start = text.span(node)[0]
            whole = text.text(node).encode()
            (a0, a1), (b0, b1) = ((p - start, q - start) for p, q in (text.span(a), text.span(b)))
            yield (whole[:a0] + whole[b0:b1] + whole[a1:b0] + whole[a0:a1] + whole[b1:]).decode()


@operator("branches-swapped", "the cases of a selection are swapped")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if _called(node, "where") and len(node.args) == 3:  # type: ignore[attr-defined]
        c, a, b = (text.text(x) for x in node.args)  # type: ignore[attr-defined]
        yield f"{text.text(node.func)}({c}, {b}, {a})"  # type: ignore[attr-defined]
    if isinstance(node, ast.IfExp):
        c, a, b = text.text(node.test), text.text(node.body), text.text(node.orelse)
        yield f"({b} if {c} else {a})"


@operator("condition-negated", "an if the wrong way round")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    parent = text.parents.get(node)
    if isinstance(parent, (ast.If, ast.While)) and parent.test is node:
        yield f"not ({text.text(node)})"


@operator("wrong-variable", "another argument of the same function")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        function = text.function_of(node)
        if function is None:
            return
        names = [a.arg for a in function.args.args]
        if node.id in names and len(names) > 1:
            yield names[(names.index(node.id) + 1) % len(names)]


# Arithmetic


@operator("arithmetic", "another operation")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    table = {ast.Add: "-", ast.Sub: "+", ast.Mult: "+", ast.Div: "*"}
    if isinstance(node, ast.BinOp) and type(node.op) in table:
        yield f"({text.text(node.left)} {table[type(node.op)]} {text.text(node.right)})"


@operator("term-dropped", "one of two terms or factors is left out")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub, ast.Mult, ast.Div)):
        yield text.text(node.left)


@operator("shift-missing", "the exponential is taken without subtracting the maximum")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if _called(node, "exp", "exp2") and len(node.args) == 1:  # type: ignore[attr-defined]
        argument = node.args[0]  # type: ignore[attr-defined]
        if isinstance(argument, ast.BinOp) and isinstance(argument.op, ast.Sub):
            yield f"{text.text(node.func)}({text.text(argument.left)})"  # type: ignore[attr-defined]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        if any(w in text.text(node.right) for w in ("max(", "amax(", "max_val", "x_max")):
            yield text.text(node.left)


def _is_eps(node: ast.AST, text: SourceText) -> bool:
    if _real(node):
        return 0 < node.value < 2e-3  # type: ignore[attr-defined]
    return "eps" in text.text(node).lower() and len(text.text(node)) < 12


@operator("eps-missing", "nothing keeps the divisor from zero")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and _is_eps(node.right, text):
        yield text.text(node.left)


@operator("eps-wrong", "another eps, or eps in the wrong place")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and _is_eps(node.right, text):
        left, right = text.text(node.left), text.text(node.right)
        yield f"{left} + 10 * {right}"
        yield f"{left} + {right} * 0.1"
    if _called(node, "sqrt", "rsqrt") and len(node.args) == 1:  # type: ignore[attr-defined]
        inside = node.args[0]  # type: ignore[attr-defined]
        if isinstance(inside, ast.BinOp) and _is_eps(inside.right, text) and _called(node, "sqrt"):
            head = text.text(node.func)  # type: ignore[attr-defined]
            yield f"({head}({text.text(inside.left)}) + {text.text(inside.right)})"


@operator("divisor-guarded", "an eps that does not belong there")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and not _whole(node.left):
        if not isinstance(node.right, ast.Constant):
            yield f"{text.text(node.left)} / ({text.text(node.right)} + 1e-6)"


@operator("logarithm-guarded", "log(x + 1e-8), sqrt(x + 1e-8)")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if _called(node, "log", "sqrt", "rsqrt") and len(node.args) == 1:  # type: ignore[attr-defined]
        yield f"{text.text(node.func)}({text.text(node.args[0])} + 1e-8)"  # type: ignore[attr-defined]


@operator("constant-slightly", "a digit wrong in a constant")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if _real(node) and node.value not in (0.0, float("inf")):  # type: ignore[attr-defined]
        yield repr(node.value * 1.001)  # type: ignore[attr-defined]


@operator("constant-truncated", "a constant with four digits")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if _real(node) and len(repr(node.value)) > 7:  # type: ignore[attr-defined]
        yield f"{node.value:.4g}"  # type: ignore[attr-defined]


@operator("constant-grossly", "another constant")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if _real(node) and node.value not in (0.0, float("inf")):  # type: ignore[attr-defined]
        yield repr(node.value * 2)  # type: ignore[attr-defined]
    if _whole(node) and not isinstance(text.parents.get(node), (ast.Subscript, ast.keyword)):
        yield str(node.value + 1)  # type: ignore[attr-defined]


@operator("sign-dropped", "a minus is lost")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        if not isinstance(node.operand, ast.Constant):
            yield text.text(node.operand)


@operator("abs-dropped", "the absolute value is left out")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if _called(node, "abs", "absolute"):
        if node.args:  # type: ignore[attr-defined]
            yield text.text(node.args[0])  # type: ignore[attr-defined]
        elif isinstance(node.func, ast.Attribute):  # type: ignore[attr-defined]
            yield text.text(node.func.value)  # type: ignore[attr-defined]


@operator("integer-division", "// for /")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        yield f"({text.text(node.left)} // {text.text(node.right)})"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv):
        yield f"({text.text(node.left)} // {text.text(node.right)} + 1)"


# Functions


@operator("mean-for-sum", "a sum where a mean belongs, or the other way round")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.Call) and "tl." not in text.text(node.func):
        yield from _swap_name(node, text, {"mean": ["sum"], "sum": ["mean"]})


@operator("max-for-min", "the other extreme")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    pairs = [("max", "min"), ("amax", "amin"), ("maximum", "minimum"), ("argmax", "argmin"),
             ("clamp_min", "clamp_max"), ("atomic_max", "atomic_min")]  # fmt: skip
    table: dict[str, list[str]] = {a: [b] for a, b in pairs} | {b: [a] for a, b in pairs}
    yield from _swap_name(node, text, table)


@operator("nan-lost", "fmax for maximum: NaN disappears")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.Call) and "tl." not in text.text(node.func):
        table = {"maximum": ["fmax"], "minimum": ["fmin"], "max": ["nanmax"], "sum": ["nansum"]}
        yield from _swap_name(node, text, table)


@operator("variance-bias", "divided by n where n - 1 belongs, or the other way round")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.Call):
        for keyword in node.keywords:
            if keyword.arg == "unbiased":
                yield _with_keyword(node, text, keyword, f"not {text.text(keyword.value)}")
            if keyword.arg in ("correction", "ddof") and _whole(keyword.value):
                yield _with_keyword(node, text, keyword, f"1 - {text.text(keyword.value)}")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and _whole(node.right):
        if node.right.value == 1:  # type: ignore[attr-defined]
            yield text.text(node.left)


@operator("approximation", "a cheaper function that is nearly the same")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if _called(node, "erf") and len(node.args) == 1:  # type: ignore[attr-defined]
        x = text.text(node.args[0])  # type: ignore[attr-defined]
        wide = "tl" in text.text(node.func)  # type: ignore[attr-defined]
        yield f"(2 * tl.sigmoid(2.2568 * ({x})) - 1)" if wide else f"torch.tanh(1.1284 * ({x}))"
    if _called(node, "exp") and len(node.args) == 1:  # type: ignore[attr-defined]
        x = text.text(node.args[0])  # type: ignore[attr-defined]
        head = text.text(node.func)  # type: ignore[attr-defined]
        yield f"{head}(0.9999 * ({x}))"
    if isinstance(node, ast.Call):
        for keyword in node.keywords:
            if keyword.arg == "approximate":
                value = text.text(keyword.value)
                flip = {"False": "True", "True": "False", "'none'": "'tanh'", "'tanh'": "'none'"}
                new = flip.get(value.replace('"', "'"))
                if new:
                    yield _with_keyword(node, text, keyword, new)


@operator("related-function", "a function of the same family")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    table = {
        "relu": ["leaky_relu"], "sigmoid": ["tanh"], "tanh": ["sigmoid"], "gelu": ["silu"],
        "silu": ["gelu"], "softmax": ["log_softmax"], "log_softmax": ["softmax"],
        "log1p": ["log"], "expm1": ["exp"], "log": ["log2"], "exp": ["exp2"], "sqrt": ["rsqrt"],
        "rsqrt": ["sqrt"], "softplus": ["relu"], "cumsum": ["cumprod"], "triu": ["tril"],
        "tril": ["triu"], "sin": ["cos"], "cos": ["sin"], "hardtanh": ["tanh"], "mish": ["silu"],
        "max_pool2d": ["avg_pool2d"], "square": ["abs"], "prod": ["sum"], "dot": ["outer"],
        "argsort": ["sort"], "clamp": ["clip"], "erf": ["tanh"],
    }  # fmt: skip
    yield from _swap_name(node, text, table)


@operator("rounding", "another rounding mode")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    table = {"floor": ["round", "trunc"], "ceil": ["floor"], "round": ["floor"],
             "trunc": ["floor"], "floor_divide": ["true_divide"]}  # fmt: skip
    yield from _swap_name(node, text, table)


@operator("clamp-wrong", "a bound of a clamp is off")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if _called(node, "clamp", "clip", "hardtanh", "clamp_"):
        for keyword in node.keywords:  # type: ignore[attr-defined]
            if keyword.arg in ("min", "max", "min_val", "max_val", "a_min", "a_max"):
                value = text.text(keyword.value)
                yield _with_keyword(node, text, keyword, f"{value} + 1")  # type: ignore[arg-type]


@operator("default-changed", "a parameter's default, or an option, is another one")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    parent = text.parents.get(node)
    if isinstance(parent, ast.arguments) and isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, bool):
            yield str(not value)
        elif isinstance(value, (int, float)):
            yield repr(value * 10 if isinstance(value, float) and value else value + 1)


@operator("argument-ignored", "the default stands in for what the caller gave")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        function = text.function_of(node)
        if function is None:
            return
        named = function.args.args
        defaults = function.args.defaults
        by_name = dict(zip([a.arg for a in named[len(named) - len(defaults) :]], defaults))
        by_name |= {
            a.arg: d
            for a, d in zip(function.args.kwonlyargs, function.args.kw_defaults)
            if d is not None
        }
        if node.id in by_name and isinstance(by_name[node.id], ast.Constant):
            yield f"({text.text(by_name[node.id])})"


@operator("statement-deleted", "a line is lost")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.AugAssign) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ):
        yield "pass"
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        function = text.function_of(node)
        name = node.targets[0].id
        if function is not None and any(a.arg == name for a in function.args.args):
            yield "pass"


# Precision


@operator("accumulator-narrow", "half precision where float32 was")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if isinstance(node, ast.Attribute) and node.attr in ("float32", "float64"):
        head = text.text(node.value)
        yield f"{head}.float16"
        if node.attr == "float64":
            yield f"{head}.float32"
        elif head in ("tl", "torch", "jnp"):
            yield f"{head}.bfloat16"


@operator("cast-dropped", "a conversion is left out")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if _called(node, "to", "astype", "float", "type", "double", "type_as"):
        func = node.func  # type: ignore[attr-defined]
        if isinstance(func, ast.Attribute):
            yield text.text(func.value)


@operator("product-narrow", "a matrix product in bfloat16", TORCH)
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    narrow = "({}).to(torch.bfloat16)"
    pair: list[ast.expr] = []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        pair = [node.left, node.right]
    elif _called(node, "matmul", "mm", "bmm") and len(node.args) == 2:  # type: ignore[attr-defined]
        pair = node.args  # type: ignore[attr-defined]
    if pair:
        a, b = (narrow.format(text.text(x)) for x in pair)
        yield f"torch.matmul({a}, {b}).to(torch.float32)"


@operator("result-narrow", "the result passes through half precision", TORCH, NUMPY, JAX)
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if _returned(node, text):
        value = f"({text.text(node)})"
        if "torch." in text.source and "numpy" not in text.source.split("\n\n")[0]:
            yield f"{value}.to(torch.float16).to({value}.dtype)"
        elif "jnp" in text.source:
            yield f"jnp.asarray({value}).astype(jnp.bfloat16).astype(jnp.asarray({value}).dtype)"
        else:
            yield f"np.asarray({value}).astype(np.float32).astype(np.asarray({value}).dtype)"


def _returned(node: ast.AST, text: SourceText) -> bool:
    parent = text.parents.get(node)
    if not isinstance(parent, ast.Return) or isinstance(node, (ast.Tuple, ast.Constant)):
        return False
    function = text.function_of(node)
    return function is not None and not _is_kernel(function, text)


def _is_kernel(function: ast.FunctionDef, text: SourceText) -> bool:
    return any("jit" in text.text(d) for d in function.decorator_list)


# Results, arguments, state


@operator("input-returned", "an argument comes back as it was")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if _returned(node, text):
        function = text.function_of(node)
        names = [a.arg for a in function.args.args if a.arg not in ("self", "ctx")]  # type: ignore[union-attr]
        if names:
            yield names[0]


@operator("copy-dropped", "a copy is left out, so that memory is shared or strides are assumed")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if _called(node, "clone", "copy", "contiguous"):
        func = node.func  # type: ignore[attr-defined]
        if isinstance(func, ast.Attribute) and not node.args:  # type: ignore[attr-defined]
            yield text.text(func.value)
    if _called(node, "array", "ascontiguousarray") and node.args:  # type: ignore[attr-defined]
        yield f"np.asarray({text.text(node.args[0])})"  # type: ignore[attr-defined]


@operator("in-place", "an argument is overwritten", TORCH, NUMPY)
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if not isinstance(node, ast.BinOp) or not isinstance(node.left, ast.Name):
        return
    function = text.function_of(node)
    if function is None or node.left.id not in [a.arg for a in function.args.args]:
        return
    names = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}
    name = names.get(type(node.op))
    if name is None:
        return
    left, right = node.left.id, text.text(node.right)
    if "import numpy as np" in text.source and "torch" not in text.source:
        full = {"add": "add", "sub": "subtract", "mul": "multiply", "div": "divide"}[name]
        yield f"np.{full}({left}, {right}, out={left})"
    else:
        yield f"{left}.{name}_({right})"


@operator("kept-by-shape", "the first result for a shape is given again")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if _returned(node, text):
        function = text.function_of(node)
        if function is None or any(a.arg == "ctx" for a in function.args.args):
            return
        names = [a.arg for a in function.args.args if a.arg != "self"]
        if not names:
            return
        key = ", ".join(f'str(getattr({n}, "shape", None))' for n in names)
        kept = 'globals().setdefault("_kept", {})'
        yield f"{kept}.setdefault(({key},), [{text.text(node)}])[0]"


@operator("size-special-cased", "a size is handled by a shortcut that is wrong")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if _returned(node, text):
        function = text.function_of(node)
        names = [a.arg for a in function.args.args if a.arg not in ("self", "ctx")]  # type: ignore[union-attr]
        if names:
            shape = f'getattr({names[0]}, "shape", (0,))'
            yield f"({names[0]} if {shape}[:1] == (1,) else {text.text(node)})"


@operator("detached", "the result has no gradient", TORCH)
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if _returned(node, text):
        yield f"({text.text(node)}).detach()"


@operator("nan-hidden", "NaN and infinities are replaced in the result")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if _returned(node, text):
        head = _framework(text)
        yield f"{head}.nan_to_num({text.text(node)})"


@operator("saturated", "large results are cut off")
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    if _returned(node, text):
        head = _framework(text)
        yield f"{head}.clip({text.text(node)}, -1e4, 1e4)"


def _framework(text: SourceText) -> str:
    if "jnp" in text.source:
        return "jnp"
    return "torch" if "torch" in text.source else "np"


@operator("gradient-wrong", "a factor is wrong in a backward pass", TRITON, TORCH)
def _(node: ast.AST, text: SourceText) -> Iterator[str]:
    function = text.function_of(node)
    if function is not None and "backward" in function.name:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            yield f"(2 * {text.text(node)})"
