"""Faults in semrep's own passes: their modules' texts, each with one mistake in it."""

from __future__ import annotations

import ast
import importlib.util
import random
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.trust.pass_operators import OPERATORS
from bench.trust.source_text import SourceText
from semrep.passes import contract

_FOLDER = Path(contract.__file__).parent
_PACKAGE = "semrep.passes"
SHARED = ("rule", "rule_guards", "rule_rewrite")
_OWN_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Mutant:
    """module: its dotted name. operator: what was done to line `line`, shown as `before` and
    `after`. source: the module's text with the fault."""

    module: str
    operator: str
    line: int
    before: str
    after: str
    source: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line} {self.operator}: {self.before} -> {self.after}"


def modules() -> tuple[str, ...]:
    """Modules that are mutated: the families, and what rules are made of."""
    found = [f"{_PACKAGE}.{name}" for name in SHARED]
    for path in sorted(_FOLDER.glob("*/*.py")):
        if path.stem != "__init__":
            found.append(f"{_PACKAGE}.{path.parent.name}.{path.stem}")
    return tuple(found)


def path_of(module: str) -> Path:
    return _FOLDER.joinpath(*module.split(".")[2:]).with_suffix(".py")


@cache
def text_of(module: str) -> str:
    return path_of(module).read_text(encoding="utf-8")


@cache
def importers(module: str) -> frozenset[str]:
    """Modules among `modules()` that a fault in one may reach: itself, and who imports it."""
    found, waiting = {module}, [module]
    while waiting:
        wanted = waiting.pop()
        for other in modules():
            if other not in found and wanted in _imports(other):
                found.add(other)
                waiting.append(other)
    return frozenset(found)


@cache
def _imports(module: str) -> frozenset[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(text_of(module))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(names)


def mutants(
    seed: int,
    only: Sequence[str] | None = None,
    executed: Callable[[str], Collection[int]] | None = None,
) -> Iterator[Mutant]:
    """Each one once, until hardly any is new: module after module, the order being drawn anew
    each turn. only: the modules to mutate. executed: lines of a module that are worth mutating;
    None means all."""
    rng = random.Random(f"mutants {seed}")
    seen: set[tuple[str, str]] = set()
    barren = 0
    while barren < 2000:
        turn = list(only or modules())
        rng.shuffle(turn)
        for module in turn:
            is_own = rng.random() < _OWN_SHARE or not has_generic()
            made = _own(module, rng) if is_own else _generic(module, rng)
            if made is None or (module, made.source) in seen:
                barren += 1
                continue
            barren = 0
            if executed is not None and made.line not in executed(module):
                continue
            seen.add((module, made.source))
            yield made


def _own(module: str, rng: random.Random) -> Mutant | None:
    places = _own_places(module)
    names = sorted(places)
    name = rng.choice(names)
    start, end, new = rng.choice(places[name])
    data = text_of(module).encode()
    changed = (data[:start] + new.encode() + data[end:]).decode()
    return _mutant(module, name, changed, data[:start].count(b"\n") + 1)


@cache
def _own_places(module: str) -> dict[str, list[tuple[int, int, str]]]:
    text = SourceText(text_of(module))
    found: dict[str, list[tuple[int, int, str]]] = {}
    for node in ast.walk(text.tree):
        # Nodes inside formatted strings do not say where they are before Python 3.12.
        if _is_formatted(node, text):
            continue
        for name, operator in OPERATORS.items():
            for edits in operator(node, text):
                (edit,) = edits
                found.setdefault(name, []).append((edit.start, edit.end, edit.text))
    return found


def _is_formatted(node: ast.AST, text: SourceText) -> bool:
    at = text.parents.get(node)
    while isinstance(at, ast.expr):
        if isinstance(at, ast.JoinedStr):
            return True
        at = text.parents.get(at)
    return False


def _generic(module: str, rng: random.Random) -> Mutant | None:
    """A mutant by one of cosmic-ray's operators."""
    from bench.trust import generic_operators

    made = generic_operators.mutated(text_of(module), rng)
    return None if made is None else _mutant(module, f"cosmic-ray {made[0]}", made[1])


def has_generic() -> bool:
    """Whether cosmic-ray is installed; without it, only the faults of pass_operators are made."""
    return importlib.util.find_spec("cosmic_ray") is not None


def _mutant(module: str, name: str, changed: str, line: int = 0) -> Mutant | None:
    """None where the text does not parse, or differs in annotations and docstrings alone."""
    before = text_of(module)
    try:
        if _bare(changed) == _bare(before):
            return None
    except SyntaxError:
        return None
    old, new = before.split("\n"), changed.split("\n")
    at = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), 0)
    shown = old[at].strip(), new[at].strip() if at < len(new) else ""
    return Mutant(module, name, line or at + 1, *shown, changed)


class _Annotations(ast.NodeTransformer):
    """Takes away what is never evaluated, and what only people read."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        self.generic_visit(node)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.Name("a", ast.Load())
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return ast.Expr(ast.Constant(""))
        self.generic_visit(node)
        return node


def _bare(source: str) -> str:
    return ast.dump(_Annotations().visit(ast.parse(source)))
