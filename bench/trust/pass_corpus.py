"""Programs on which mutated passes are run, with ways to call them."""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.array_functions import SOURCE as ARRAYS
from bench.outcomes import observe
from bench.random_programs import random_program
from bench.trust.corpus import own_programs
from bench.trust.forked import Ended, call
from tests.passes import cases

_ROOT = Path(__file__).parent.parent.parent
_EXAMPLES = _ROOT / "examples"
_CARETED = "python refused"
_MOST_INPUTS = 6
_TRY_S = 0.1
_LAYER = re.compile(r"^[A-Z]\w*\(")

# What kernels' host functions are called with, tried in order.
_KERNEL_INPUTS = {
    1: ("(randn(9),)", "(randn(2, 9),)", "(randn(2, 50),)", "(randn(4, 16),)", "(randn(300),)"),
    2: ("(randn(6, 20), randn(20))", "(rand(9), rand(9))", "(randn(6, 50), randn(6, 50))",
        "(randn(2, 50), 50)"),
    3: ("(randn(6, 20), randn(20), randn(20))", "(rand(9), rand(9), rand(9))"),
}  # fmt: skip
PYTHON, TENSOR, TRITON = "python", "tensor", "triton"


@dataclass(frozen=True, slots=True)
class Subject:
    """One program. spec: the pass that it is a case of, "" for none. kind: PYTHON (called with
    plain values), TENSOR or TRITON. entry, inputs: as `discover` takes them, inputs being tried
    in order. signature: type facts, as in a case file."""

    name: str
    source: str
    kind: str
    spec: str = ""
    entry: str | None = None
    inputs: tuple[str | None, ...] = (None,)
    signature: str = ""
    arguments: tuple[Any, ...] = field(default=(), compare=False)

    @property
    def pass_name(self) -> str:
        return self.spec.partition("{")[0]


def subjects(
    seed: int, only: Collection[str] | None = None, random_programs: int = 60
) -> list[Subject]:
    """only: names of passes whose cases are wanted, and nothing else; None is everything."""
    if only is not None:
        return list(_cases(only))
    found = [*_cases(), *_files(), *_array_functions()]
    for number in range(random_programs):
        source = random_program(seed * 1000 + number)
        given = _giving_values(source, "f", _PROGRAM_ARGUMENTS)
        if given:
            found.append(_plain(f"random program {number}", source, "f", given))
    return found


def _plain(name: str, source: str, entry: str, given: list[Any], spec: str = "") -> Subject:
    return Subject(
        name, source, PYTHON, spec, entry, (_spelled(given),), arguments=tuple(given)
    )  # fmt: skip


def _spelled(given: list[Any]) -> str:
    text = repr(given)
    return re.sub(r"(?<![\w'])(nan|inf)\b", r'float("\1")', text)


def _cases(only: Collection[str] | None = None) -> Iterator[Subject]:
    for path in cases.files():
        family = path.parent.name
        for case in cases.read(path):
            if only is not None and case.spec.partition("{")[0] not in only:
                continue
            for block in ("python before", "python unchanged", _CARETED):
                if block in case.blocks:
                    source = case.refused()[0] if block == _CARETED else case.blocks[block]
                    name = f"{family}/{path.stem}: {case.title}"
                    yield from _case(name, family, case, source, block)


def _case(name: str, family: str, case: cases.Case, source: str, block: str) -> Iterator[Subject]:
    entry = _last_function(source)
    if family == "tensor":
        if "signature" in case.blocks:
            yield from _typed(name, source, case)
    elif family == "triton":
        if entry is not None and "triton.jit" not in (entry[2]):
            tried = _KERNEL_INPUTS.get(len(entry[1]), ())
            yield Subject(name, source, TRITON, case.spec, entry[0], tried)
    elif entry is not None:
        text = case.blocks.get("python inputs") if block == "python before" else None
        if text is not None:
            given = eval(text, {"nan": float("nan"), "inf": float("inf")})
        else:
            given = _guessed(source, entry)
        if given:
            yield _plain(name, source, entry[0], given, case.spec)


def _last_function(source: str) -> tuple[str, list[str], list[str]] | None:
    """Name, parameters and decorators of the last function, where it can be called plainly."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
    if not functions or functions[-1].args.kwonlyargs:
        return None
    last = functions[-1]
    return last.name, [a.arg for a in last.args.args], [ast.unparse(d) for d in last.decorator_list]


# -- arguments --------------------------------------------------------------------------------

_VALUES: tuple[Any, ...] = (
    0, 1, 2, 3, 5, -1, 0.5, -2.0, True, "abc", "", [1, 2, 3], [], [0.5, 2.0], ["a", "b"], (1, 2),
    {"a": 1}, None, [[1, 2], [3, 4]],
)  # fmt: skip


def _giving_values(source: str, name: str, given: Sequence[Any]) -> list[Any]:
    """Those arguments with which a function gives a value, in good time."""
    texts = [repr(g) for g in given]
    tried = call(_values, (source, name, texts), 5.0)
    return [] if isinstance(tried, Ended) else [eval(text) for text in tried]


def _guessed(source: str, entry: tuple[str, list[str], list[str]]) -> list[Any]:
    """Arguments with which a function gives a value, found by trying."""
    rng = random.Random(source)
    drawn = [tuple(rng.choice(_VALUES) for _ in entry[1]) for _ in range(120)]
    return _giving_values(source, entry[0], list({repr(d): d for d in drawn}.values()))


def _values(item: tuple[str, str, list[str]]) -> list[str]:
    source, name, texts = item
    namespace: dict[str, Any] = {"__name__": "case"}
    exec(compile(source, "<case>", "exec"), namespace)
    found: list[str] = []
    endless = 0
    for text in texts:
        kind = observe(namespace[name], eval(text), _TRY_S).kind
        endless += kind == "timeout"
        if kind == "value":
            found.append(text)
        if len(found) == _MOST_INPUTS or endless > 2:
            break
    return found


def _typed(name: str, source: str, case: cases.Case) -> Iterator[Subject]:
    """A tensor case as a program of its own: arguments from its signature, layers made in an
    `__init__` that is put in."""
    entry, _, inside = case.blocks["signature"].strip().partition("(")
    facts = dict(_facts(inside[:-1]))
    arguments = [_argument(f) for n, f in facts.items() if not n.startswith("self.")]
    if any(a is None for a in arguments):
        return
    owner, _, method = entry.rpartition(".")
    if owner:
        if method != "forward":
            return
        members = {n: f for n, f in facts.items() if n.startswith("self.")}
        made = _with_layers(source, owner, members)
        if made is None:
            return
        source = made
    inputs = f"({', '.join(a for a in arguments if a)},)"
    text = case.blocks["signature"]
    yield Subject(name, source, TENSOR, case.spec, owner or entry, (inputs,), text)


def _facts(text: str) -> Iterator[tuple[str, str]]:
    depth, start, parts = 0, 0, []
    for at, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    for part in [*parts, text[start:]]:
        name, colon, fact = part.partition(":")
        if colon:
            yield name.strip(), fact.strip()


def _argument(fact: str) -> str | None:
    array = re.fullmatch(r"(?:\w+\.)?(f64|f32|f16|bf16|i64|i32|bool)\[([\d, ]*)\]", fact)
    if array is None:
        return fact if "[" not in fact else None
    kind, shape = array[1], array[2]
    if kind in ("i64", "i32"):
        return f"ints(0, 5, {shape})" if kind == "i64" else None
    return None if kind == "bool" else f"{kind}({shape})"


def _with_layers(source: str, owner: str, members: dict[str, str]) -> str | None:
    head = f"class {owner}(nn.Module):\n"
    if head not in source or "def __init__" in source:
        return None
    lines = ["    def __init__(self):", "        super().__init__()"]
    for name, fact in members.items():
        if name.count(".") > 1:
            return None
        if _LAYER.match(fact):
            lines.append(f"        {name} = nn.{fact}")
        elif (array := re.fullmatch(r"f32\[([\d, ]*)\]", fact)) is not None:
            lines.append(f"        {name} = nn.Parameter(torch.randn({array[1]}))")
        else:
            lines.append(f"        {name} = {fact}")
    made = source.replace(head, head + "\n".join(lines) + "\n\n", 1)
    return made if "import torch\n" in made else f"import torch\n{made}"


_PROGRAM_ARGUMENTS = (
    (1, 2, [1, 2, 3]), (0.5, 3, [4]), (2, 0, []), (3, 1.5, [0.5, 2, 1]), (-1, 7, [0, 0]),
)  # fmt: skip


# -- other programs ---------------------------------------------------------------------------


def _files() -> Iterator[Subject]:
    for path in sorted(_EXAMPLES.glob("*.py")):
        source = path.read_text(encoding="utf-8")
        yield Subject(path.name, source, TRITON if "import triton" in source else TENSOR)
    for program in own_programs():
        kind = TRITON if program.kind == "triton" else TENSOR
        yield Subject(program.name, program.source, kind)


def _array_functions() -> Iterator[Subject]:
    for name in re.findall(r"^def (\w+)\(a, b\)", ARRAYS, re.M):
        yield Subject(f"arrays.{name}", ARRAYS, TENSOR, "", name, ("(f64(5), f64(5))",))
