"""Rewrites that must be accepted: generic transformations, and versions written by hand.

Each is tagged with the contract that it deserves: "reassociates" only where every sum is exact on
small integers, which is what semrep means by it. strict: equal for every input that the original
takes, infinities, NaN and overflow included; one that is not strict is run and reported, and a
rejection of it is no false reject.
"""

from __future__ import annotations

import ast
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.trust.program import JAX, NUMPY, TORCH, TRITON, Program
from bench.trust.source_text import Edit, SourceText

BITWISE = "bitwise"
REASSOCIATES = "reassociates"
WITHIN_TOLERANCE = "within tolerance"

Change = Callable[[ast.AST, SourceText], Iterator[list[Edit]]]
_ARRAYS = (TORCH, JAX, NUMPY)


@dataclass(frozen=True, slots=True)
class Equivalent:
    program: str
    name: str
    contract: str
    strict: bool
    line: int
    source: str


@dataclass(frozen=True, slots=True)
class Transformation:
    name: str
    description: str
    contract: str
    strict: bool
    kinds: tuple[str, ...]
    change: Change


TRANSFORMATIONS: list[Transformation] = []


def transformation(
    name: str, description: str, *kinds: str, contract: str = BITWISE, strict: bool = True
) -> Callable[[Change], Change]:
    def register(change: Change) -> Change:
        entry = Transformation(name, description, contract, strict, kinds, change)
        TRANSFORMATIONS.append(entry)
        return change

    return register


def sample(
    program: Program, text: SourceText, count: int, rng: random.Random, rarity: Mapping[str, float]
) -> list[Equivalent]:
    """All versions written by hand, and up to `count` made ones, rare transformations first."""
    found = list(by_hand(program))
    entries = {t.name: t for t in TRANSFORMATIONS}
    sites = places(program, text)
    for edited in sites.values():
        rng.shuffle(edited)
    texts = {program.source}
    used: Counter[str] = Counter()
    made = 0
    while sites and made < count:
        least = min(used[name] for name in sites)
        open_ = [n for n in sites if used[n] == least]
        name = rng.choices(open_, [rarity.get(n, 1.0) for n in open_])[0]
        line, edits = sites[name].pop()
        if not sites[name]:
            del sites[name]
        source = text.edited(edits)
        if source in texts:
            continue
        try:
            ast.parse(source)
        except SyntaxError:
            continue
        texts.add(source)
        used[name] += 1
        made += 1
        entry = entries[name]
        found.append(Equivalent(program.name, name, entry.contract, entry.strict, line, source))
    return found


def places(program: Program, text: SourceText) -> dict[str, list[tuple[int, list[Edit]]]]:
    """For each transformation that applies: lines, and edits."""
    sites: dict[str, list[tuple[int, list[Edit]]]] = {}
    nodes = list(text.expressions())
    for entry in TRANSFORMATIONS:
        if entry.kinds and program.kind not in entry.kinds:
            continue
        found = [(getattr(n, "lineno", 0), e) for n in nodes for e in entry.change(n, text)]
        if found:
            sites[entry.name] = found
    return sites


_SECTION = re.compile(r"^## (.+?) \((bitwise|reassociates|within tolerance)(, loose)?\)$", re.M)


def by_hand(program: Program) -> Iterator[Equivalent]:
    """The sections of the Markdown file beside a program: `## what is different (contract)`, then
    a block of definitions that take the place of those of the same name. `(contract, loose)`:
    not equal for special values."""
    parts = _SECTION.split(program.alternatives)
    for title, contract, loose, body in zip(parts[1::4], parts[2::4], parts[3::4], parts[4::4]):
        block = body.split("```python\n", 1)[1].split("```", 1)[0]
        source = with_definitions(program.source, block)
        yield Equivalent(program.name, f"by hand: {title}", contract, not loose, 0, source)


def with_definitions(source: str, block: str) -> str:
    """The source with its functions and classes replaced by those of the block."""
    text, new = SourceText(source), SourceText(block)
    named = {n.name: n for n in new.tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    edits = []
    for node in text.tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name in named:
            start, _ = text.span(_first(node))
            _, end = text.span(node)
            at = start - (1 if node.decorator_list else 0)
            other = named.pop(node.name)
            first, last = new.span(_first(other))[0], new.span(other)[1]
            first -= 1 if other.decorator_list else 0
            edits.append(Edit(at, end, block.encode()[first:last].decode()))
    if named:
        raise ValueError(f"nothing to replace: {', '.join(named)}")
    return text.edited(edits)


def _first(node: ast.FunctionDef | ast.ClassDef) -> ast.AST:
    return node.decorator_list[0] if node.decorator_list else node


def _called(node: ast.AST, *names: str) -> bool:
    if not isinstance(node, ast.Call):
        return False
    func = node.func
    return (func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")) in names


def _is_kernel(node: ast.AST, text: SourceText) -> bool:
    function = node if isinstance(node, ast.FunctionDef) else text.function_of(node)
    return function is not None and any("jit" in text.raw(d) for d in function.decorator_list)


def _number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


def _numeric(node: ast.AST) -> bool:
    """Surely not a list, a tuple or a string."""
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, (ast.Sub, ast.Div, ast.Pow, ast.MatMult, ast.FloorDiv)):
            return True
        return _numeric(node.left) or _numeric(node.right)
    return _number(node)


# Spelling


@transformation("rename-local", "a local variable by another name")
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Store):
        return
    function = text.function_of(node)
    if function is None or text.function_of(function) is not None:
        return
    inner = (ast.FunctionDef, ast.Lambda, ast.ListComp, ast.GeneratorExp, ast.Global,
             ast.Nonlocal, ast.DictComp, ast.SetComp, ast.JoinedStr, ast.ClassDef)  # fmt: skip
    if any(isinstance(n, inner) for n in ast.walk(function) if n is not function):
        return
    arguments = function.args
    names = [*arguments.args, *arguments.kwonlyargs, *arguments.posonlyargs]
    if node.id in [a.arg for a in names] or "locals()" in text.raw(function):
        return
    found = [n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == node.id]
    # Where a line never runs, nobody can tell whether the edit there is right.
    if all(text.ran(n) for n in found):
        yield [text.replaced(n, f"{node.id}_renamed") for n in found]


@transformation("flip-comparison", "a < b as b > a")
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    table = {ast.Lt: ">", ast.LtE: ">=", ast.Gt: "<", ast.GtE: "<=", ast.Eq: "==", ast.NotEq: "!="}
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in table:
        sign = table[type(node.ops[0])]
        yield [
            text.replaced(node, f"{text.text(node.comparators[0])} {sign} {text.text(node.left)}")
        ]


@transformation("commute-product", "a * b as b * a")
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        yield [text.replaced(node, f"({text.text(node.right)} * {text.text(node.left)})")]


@transformation("commute-sum", "a + b as b + a, where both are numbers")
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        if _numeric(node.left) or _numeric(node.right) or _is_kernel(node, text):
            yield [text.replaced(node, f"({text.text(node.right)} + {text.text(node.left)})")]


@transformation("commute-mask", "a & b as b & a")
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitAnd, ast.BitOr)):
        sign = "&" if isinstance(node.op, ast.BitAnd) else "|"
        yield [text.replaced(node, f"({text.text(node.right)} {sign} {text.text(node.left)})")]


@transformation("name-result", "the result gets a name before it is returned")
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if isinstance(node, ast.Return) and node.value is not None and _own_line(node, text):
        if not isinstance(node.value, (ast.Name, ast.Constant)):
            edits = [text.inserted_before(node, f"result_ = ({text.raw(node.value)})")]
            yield [*edits, text.replaced(node.value, "result_")]


@transformation("name-temporary", "an argument of a call gets a name")
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if not isinstance(node, (ast.Call, ast.BinOp)):
        return
    parent, statement = text.parents[node], text.statement_of(node)
    if not isinstance(parent, ast.Call) or node not in parent.args or statement is None:
        return
    if not isinstance(statement, (ast.Assign, ast.Return)) or not _own_line(statement, text):
        return
    # Nothing may come in between that is run later, or not at all, or that changes an array.
    later = (ast.Lambda, ast.IfExp, ast.BoolOp, ast.ListComp, ast.GeneratorExp, ast.DictComp)
    at: ast.AST = node
    while at is not statement:
        at = text.parents[at]
        if isinstance(at, later):
            return
    if re.search(r"\w_\(", text.raw(statement)) or ":=" in text.raw(statement):
        return
    line = text.inserted_before(statement, f"value_ = ({text.raw(node)})")
    yield [line, text.replaced(node, "value_")]


def _own_line(statement: ast.stmt, text: SourceText) -> bool:
    parent = text.parents[statement]
    return getattr(parent, "lineno", -1) != statement.lineno


@transformation("outline-result", "the result comes from a function inside", *_ARRAYS)
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if isinstance(node, ast.Return) and node.value is not None and _own_line(node, text):
        if isinstance(node.value, (ast.Name, ast.Constant)) or "super()" in text.raw(node):
            return
        inner = f"def made_():\n    return ({text.raw(node.value)})\n\n"
        if "\n" not in text.raw(node.value):
            yield [text.inserted_before(node, inner), text.replaced(node.value, "made_()")]


@transformation("swap-branches", "if not c, the branches swapped", *_ARRAYS)
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if isinstance(node, ast.IfExp):
        c, a, b = (text.text(x) for x in (node.test, node.body, node.orelse))
        yield [text.replaced(node, f"({b} if not {c} else {a})")]


@transformation("negate-where", "where(not c, b, a) for where(c, a, b)", *_ARRAYS)
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if _called(node, "where") and len(node.args) == 3:  # type: ignore[attr-defined]
        func = node.func  # type: ignore[attr-defined]
        if isinstance(func, ast.Attribute) and text.raw(func.value) in ("torch", "np", "jnp"):
            head = text.raw(func.value)
            c, a, b = (text.text(x) for x in node.args)  # type: ignore[attr-defined]
            yield [text.replaced(node, f"{head}.where({head}.logical_not({c}), {b}, {a})")]


@transformation("method-call", "x.f() for torch.f(x)", TORCH)
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    names = ("exp", "log", "sqrt", "rsqrt", "tanh", "sigmoid", "relu", "matmul", "softmax", "sum",
             "mean", "log_softmax", "logsumexp", "abs", "sign", "clamp", "square")  # fmt: skip
    if _called(node, *names) and node.args:  # type: ignore[attr-defined]
        func = node.func  # type: ignore[attr-defined]
        if isinstance(func, ast.Attribute) and text.raw(func.value) == "torch":
            first, *others = node.args  # type: ignore[attr-defined]
            rest = [text.raw(a) for a in others] + [text.raw(k) for k in node.keywords]  # type: ignore[attr-defined]
            call = f"{text.text(first)}.{func.attr}({', '.join(rest)})"
            yield [text.replaced(node, call)]


@transformation("explicit-range", "range(0, n) for range(n), range(a, b, 1) for range(a, b)")
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if _called(node, "range") and text.raw(node.func) in ("range", "tl.range"):  # type: ignore[attr-defined]
        parts = [text.raw(a) for a in node.args]  # type: ignore[attr-defined]
        name = text.raw(node.func)  # type: ignore[attr-defined]
        if node.keywords:  # type: ignore[attr-defined]
            return
        if len(parts) == 1:
            yield [text.replaced(node, f"{name}(0, {parts[0]})")]
        if len(parts) == 2:
            yield [text.replaced(node, f"{name}({parts[0]}, {parts[1]}, 1)")]


@transformation("split-loop", "a loop over the first half, then the second", *_ARRAYS)
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if _called(node, "range") and len(node.args) == 1:  # type: ignore[attr-defined]
        n = text.text(node.args[0])  # type: ignore[attr-defined]
        parent = text.parents[node]
        if isinstance(parent, ast.For) and parent.iter is node:
            yield [text.replaced(node, f"[*range({n} // 2), *range({n} // 2, {n})]")]


# Kernels


@transformation("augmented-in-kernel", "x = x + y for x += y, and back", TRITON)
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    signs = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
    if isinstance(node, ast.AugAssign) and type(node.op) in signs and _is_kernel(node, text):
        target = text.raw(node.target)
        line = f"{target} = {target} {signs[type(node.op)]} {text.text(node.value)}"
        yield [text.replaced(node, line)]


@transformation("launch-options", "another number of warps", TRITON)
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Subscript):
        if not any(k.arg in ("num_warps", None) for k in node.keywords):
            end = text.span(node)[1]
            inside = text.raw(node)[:-1].rstrip()
            comma = "" if inside.endswith((",", "(")) else ","
            if "#" not in inside:
                yield [Edit(text.span(node)[0], end, f"{inside}{comma} num_warps=2)")]


@transformation("grid-function", "the grid from a function", TRITON)
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
        parent = text.parents[node]
        if isinstance(parent, ast.Call) and parent.func is node:
            grid = text.raw(node.slice)
            grid = grid if grid.startswith("(") else f"({grid})"
            yield [text.replaced(node.slice, f"lambda meta: {grid}")]


@transformation("positional-mask", "tl.load(p, m, o) for tl.load(p, mask=m, other=o)", TRITON)
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if _called(node, "load") and len(node.args) == 1:  # type: ignore[attr-defined]
        named = {k.arg: text.raw(k.value) for k in node.keywords}  # type: ignore[attr-defined]
        if list(named) == ["mask", "other"]:
            pointer = text.raw(node.args[0])  # type: ignore[attr-defined]
            call = f"{text.raw(node.func)}({pointer}, {named['mask']}, {named['other']})"  # type: ignore[attr-defined]
            yield [text.replaced(node, call)]


@transformation("ceiling-division", "(a + b - 1) // b for cdiv(a, b)", TRITON)
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if _called(node, "cdiv") and len(node.args) == 2:  # type: ignore[attr-defined]
        a, b = (text.text(x) for x in node.args)  # type: ignore[attr-defined]
        yield [text.replaced(node, f"(({a} + {b} - 1) // {b})")]


@transformation("named-axis", "program_id(axis=0) for program_id(0)", TRITON)
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if _called(node, "program_id") and node.args:  # type: ignore[attr-defined]
        call = f"{text.raw(node.func)}(axis={text.raw(node.args[0])})"  # type: ignore[attr-defined]
        yield [text.replaced(node, call)]


# Arithmetic


@transformation("subtract-by-adding", "a + (-b) for a - b", *_ARRAYS)
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        if _called(node.right, "mean", "exp", "log", "sqrt", "tanh"):
            yield [text.replaced(node, f"({text.text(node.left)} + (-{text.text(node.right)}))")]


@transformation("double-by-adding", "x + x for 2 * x")
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        for two, x in ((node.left, node.right), (node.right, node.left)):
            if _number(two) and two.value == 2 and type(two.value) is int:  # type: ignore[attr-defined]
                if isinstance(x, ast.Name):
                    yield [text.replaced(node, f"({x.id} + {x.id})")]


@transformation("square-as-product", "x * x for x ** 2", contract=WITHIN_TOLERANCE)
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        if isinstance(node.left, ast.Name) and _number(node.right) and node.right.value == 2:  # type: ignore[attr-defined]
            yield [text.replaced(node, f"({node.left.id} * {node.left.id})")]


@transformation("reassociate-sum", "a + (b + c) for a + b + c", contract=WITHIN_TOLERANCE)
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    yield from _reassociated(node, text, ast.Add, "+")


@transformation("reassociate-product", "a * (b * c) for a * b * c", contract=WITHIN_TOLERANCE,
                strict=False)  # fmt: skip
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    yield from _reassociated(node, text, ast.Mult, "*")


def _reassociated(
    node: ast.AST, text: SourceText, kind: type[ast.operator], sign: str
) -> Iterator[list[Edit]]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, kind):
        if isinstance(node.left, ast.BinOp) and isinstance(node.left.op, kind):
            a, b, c = (text.text(x) for x in (node.left.left, node.left.right, node.right))
            yield [text.replaced(node, f"({a} {sign} ({b} {sign} {c}))")]


@transformation("powers-of-two", "exp2(x * log2(e)) for exp(x), x being shifted by its maximum",
                contract=WITHIN_TOLERANCE)  # fmt: skip
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if _called(node, "exp") and len(node.args) == 1 and not node.keywords:  # type: ignore[attr-defined]
        func, argument = node.func, node.args[0]  # type: ignore[attr-defined]
        if isinstance(func, ast.Attribute) and text.raw(func.value) in ("torch", "np", "jnp", "tl"):
            shifted = isinstance(argument, ast.BinOp) and isinstance(argument.op, ast.Sub)
            if shifted and "max" in text.raw(argument.right):
                head = text.raw(func.value)
                call = f"{head}.exp2({text.text(argument)} * 1.4426950408889634)"
                yield [text.replaced(node, call)]


@transformation("reciprocal", "x * (1 / y) for x / y", contract=WITHIN_TOLERANCE, strict=False)
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and not _number(node.left):
        yield [text.replaced(node, f"({text.text(node.left)} * (1.0 / {text.text(node.right)}))")]


@transformation("reciprocal-root", "rsqrt(x) for 1 / sqrt(x)", TRITON, TORCH,
                contract=WITHIN_TOLERANCE)  # fmt: skip
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and _number(node.left):
        if node.left.value == 1 and _called(node.right, "sqrt"):  # type: ignore[attr-defined]
            func = node.right.func  # type: ignore[attr-defined]
            if isinstance(func, ast.Attribute) and text.raw(func.value) in ("tl", "torch"):
                inside: Sequence[ast.expr] = node.right.args  # type: ignore[attr-defined]
                call = f"{text.raw(func.value)}.rsqrt({text.raw(inside[0])})"
                yield [text.replaced(node, call)]
