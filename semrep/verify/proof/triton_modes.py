"""The types that a kernel's parameters may have, and the proof for each of them.

Triton compiles a kernel for the types of its arguments: an int is int32 if it fits, else int64,
else uint64, a compile-time 1 where it is 1, and nothing says that an argument is an int at all.
A proof has to hold for every choice. It is tried first with parameters of unknown type, then
with the types of one parameter after the other told apart, coarsely at first. A choice for
which both versions fail to compile is left out.
"""

from __future__ import annotations

import ast

from semrep.verify.proof.compare import Comparison
from semrep.verify.proof.names import Names, Pair
from semrep.verify.proof.result import Refused
from semrep.verify.proof.solver import Solver, z3
from semrep.verify.proof.triton import CompileError, TritonExecutor

THEORY = (
    "bit-vectors of 32 and 64 bits (Triton's integers, wrapping, truncating division; "
    "arguments of every type that compiles)"
)

# Compile-time parameters: an int of 64 bits, a bool, anything else. Others: a number of any type,
# a pointer, neither (None, a tuple, a string).
_STATIC = ("cint", "cbool", "other")
_DYNAMIC = ("number", "ptr", "odd")
_NUMBERS = ("i32", "i64", "u64", "one", "i1", "float")
_PLAIN_ANNOTATIONS = frozenset({"int", "float", "tl.tensor", "torch.Tensor"})
_MAX_CHOICES = 3000


def compare_kernels(pair: Pair, names: tuple[Names, Names], solver: Solver) -> dict[str, None]:
    """The steps of the proof; Refused where there is none."""
    relevant = _relevant(pair, names)
    search = _Search(pair, names, solver)
    # The usual types first: what fails for them needs no search.
    addresses = _addresses(pair.original)
    usual = {n: "cint" if kinds == _STATIC else "ptr" if n in addresses else "i32"
             for n, kinds in relevant}  # fmt: skip
    steps = search.prove(usual, [])
    relevant.sort(key=lambda p: p[0] in addresses)
    return steps | search.prove({}, relevant)


class _Search:
    def __init__(self, pair: Pair, names: tuple[Names, Names], solver: Solver) -> None:
        self._pair = pair
        self._names = names
        self._solver = solver
        self._choices = 0

    def prove(
        self, kinds: dict[str, str], rest: list[tuple[str, tuple[str, ...]]]
    ) -> dict[str, None]:
        """The steps for parameters of these kinds, and `rest` of any."""
        self._choices += 1
        if self._choices > _MAX_CHOICES:
            raise Refused("too many types of parameters")
        runs: list[TritonExecutor | None] = []
        refusal: Refused | None = None
        for tag, names, function in zip(
            "oc", self._names, (self._pair.original, self._pair.candidate), strict=True
        ):
            run = TritonExecutor(self._solver, tag, names, kinds)
            try:
                run.run(function)
                runs.append(run)
            except CompileError:
                runs.append(None)
            except Refused as found:
                refusal = refusal or found
                runs.append(run)
        if runs == [None, None]:
            return {}
        if refusal is None:
            one, two = runs
            try:
                if one is None or two is None:
                    raise Refused("only one of the two compiles")
                return _compare(one, two, self._solver)
            except Refused as found:
                refusal = found
        if not rest:
            shown = ", ".join(f"{n}: {k}" for n, k in kinds.items())
            for_kinds = f" (for {shown})" if shown else ""
            raise Refused(refusal.reason + for_kinds, refusal.counterexample)
        steps: dict[str, None] = {}
        (name, choices), *later = rest
        for kind in choices:
            finer = [*later, (name, _NUMBERS)] if kind == "number" else later
            steps |= self.prove({**kinds, name: kind}, finer)
        return steps


def _compare(one: TritonExecutor, two: TritonExecutor, solver: Solver) -> dict[str, None]:
    comparison = Comparison(solver, [*one.facts, *two.facts])
    comparison.run(one.trace, two.trace)
    if two.hazards and not comparison.implies(one.hazards, two.hazards):
        raise Refused("a division or shift that may be undefined", solver.counterexample)
    m = z3()
    for guarded in (True, False):
        valid = [
            m.And(*(m.Implies(g, c) if guarded and g is not None else c for g, c in r.requirements))
            for r in (one, two)
        ]
        if not solver.equal(*valid):
            raise Refused("only one of the two may compile", solver.counterexample)
    return comparison.steps


def _relevant(pair: Pair, names: tuple[Names, Names]) -> list[tuple[str, tuple[str, ...]]]:
    """The parameters that statements in which the two differ compute with, static ones first."""
    one, two = (_statements(f) for f in (pair.original, pair.candidate))
    changed = {text: found for text, found in {**one, **two}.items()
               if text not in one or text not in two}  # fmt: skip
    wanted = set().union(*changed.values()) if changed else set()
    definitions = [*_definitions(pair.original), *_definitions(pair.candidate)]
    while True:
        more = {n for target, used in definitions if target in wanted for n in used} - wanted
        if not more:
            break
        wanted |= more
    static: list[tuple[str, tuple[str, ...]]] = []
    dynamic: list[tuple[str, tuple[str, ...]]] = []
    arguments = pair.original.args
    for p in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if p.arg not in wanted:
            continue
        if p.annotation is not None and names[0].path(p.annotation) == "triton.language.constexpr":
            static.append((p.arg, _STATIC))
        elif p.annotation is None or ast.unparse(p.annotation) in _PLAIN_ANNOTATIONS:
            # Triton converts arguments to other annotated types: these stay unknown.
            dynamic.append((p.arg, _DYNAMIC))
    return static + dynamic


def _addresses(function: ast.FunctionDef) -> set[str]:
    """Names that addresses start with: a guess at which parameters are pointers."""
    found = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and node.args:
            if ast.unparse(node.func).endswith((".load", ".store")):
                start: ast.expr = node.args[0]
                while isinstance(start, ast.BinOp):
                    start = start.left
                if isinstance(start, ast.Name):
                    found.add(start.id)
    return found


def _statements(function: ast.FunctionDef) -> dict[str, set[str]]:
    """Simple statements and headers, as text, with the names that they use."""
    found = {}
    for node in ast.walk(function):
        parts: list[ast.AST] = []
        if isinstance(node, (ast.If, ast.While)):
            parts = [node.test]
        elif isinstance(node, ast.For):
            parts = [node.iter]
        elif isinstance(node, ast.stmt) and not isinstance(node, ast.FunctionDef):
            parts = [node]
        for part in parts:
            names = {n.id for n in ast.walk(part) if isinstance(n, ast.Name)}
            found[ast.dump(part)] = names
    return found


def _definitions(function: ast.FunctionDef) -> list[tuple[str, set[str]]]:
    found = []
    for node in ast.walk(function):
        if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign)) and node.value:
            used = {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)}
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                for n in ast.walk(target):
                    if isinstance(n, ast.Name):
                        found.append((n.id, used))
        elif isinstance(node, ast.For) and isinstance(node.target, ast.Name):
            used = {n.id for n in ast.walk(node.iter) if isinstance(n, ast.Name)}
            found.append((node.target.id, used))
    return found
