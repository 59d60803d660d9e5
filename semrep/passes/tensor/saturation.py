"""Equality saturation over matrix algebra: the cheapest of all orders, not the next cheaper one."""

from __future__ import annotations

import functools
import importlib.util
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, ClassVar

from semrep.ir.dialects.op import DType
from semrep.ir.module import Module
from semrep.ir.pattern import Match, parse_pattern
from semrep.ir.text import EditSet, Span
from semrep.ir.unit import FUNCTION, Unit
from semrep.ir.values import OP, Value, is_number, value_graph
from semrep.passes.base import TENSOR, Pass, Refusal, Site
from semrep.passes.contract import OBSERVED, REASSOCIATES, Contract
from semrep.passes.registry import register
from semrep.passes.rule_rewrite import Plan, Rewriter

MOST_NODES = 20_000
MOST_SECONDS = 1.0
MOST_ROUNDS = 12
_FEWEST_OPERATIONS = 2
_GAIN = 0.98
_BYTES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}
_OPERATIONS = frozenset({"matmul", "add", "sub", "mul", "permute", "sum", "trace"})


@register
@dataclass(frozen=True, slots=True)
class SaturateAlgebra(Pass):
    """Find the cheapest form of a matrix expression among all that the algebra allows.

    Rewrite:     a @ b + a @ c @ v.T   -->   a @ (b + c @ v.T)
    Legal when:  matrices, vectors and Python numbers of one floating-point type are multiplied,
                 added, subtracted, scaled, transposed and summed, and every intermediate is used
                 once. Sizes of the observed run decide what is cheap. Needs the extra `saturate`.
    Numerics:    reassociates.
    Refuses:     needs-extra, not-faster, unknown-shape, used-elsewhere, and what any rule does.

    Source: equality saturation as in egg (Willsey et al., POPL 2021) and egglog (PLDI 2023).
    """

    name: ClassVar[str] = "saturate-algebra"
    contract: ClassVar[Contract] = REASSOCIATES.assuming(OBSERVED)
    dialects: ClassVar[frozenset[str]] = frozenset({TENSOR})
    objectives: ClassVar[frozenset[str]] = frozenset({"latency"})

    def sites(self, module: Module) -> Iterator[Site]:
        if module.language != "python" or not module.is_rewritable or module.signature is None:
            return
        for placed in module.functions():
            unit = placed.unit
            if unit.kind != FUNCTION or unit.has_error:
                continue
            if len(module.signatures_of(unit)) != 1:
                continue
            key = f"saturation/{module.facts_key}"
            for span in unit.fact(key, lambda u=unit: _spans(module, u)):  # type: ignore[misc]
                yield Site(self.name, span.shifted(placed.start), module.digest)

    def rewrite(self, module: Module, site: Site) -> EditSet | Refusal:
        self.check(module, site)
        placed = module.unit_at(site.span)
        if placed is None:
            raise ValueError(f"{site} lies in no unit")
        if importlib.util.find_spec("egglog") is None:
            message = "equality saturation needs egglog: pip install 'semrep[saturate]'"
            return Refusal("needs-extra", message, site.span)
        graph = value_graph(module, placed.unit)
        span = site.span.shifted(-placed.start)
        for root in graph:
            if root.node is None or root.node.span != span or not _is_root(root):
                continue
            term = _Term.of(root)
            found = cheapest(term)
            if found is None:
                message = "no cheaper form of this expression was found"
                return Refusal("not-faster", message, site.span)
            match = Match(root, term.holes, tuple(term.interior), {}, ())
            plan = Rewriter(module, placed.unit, graph, match).plan(parse_pattern(found))
            if isinstance(plan, Plan):
                return EditSet(plan.edits).shifted(placed.start)
            where = plan.span.shifted(placed.start) if plan.span is not None else site.span
            return Refusal(plan.code, plan.message, where)
        raise ValueError(f"{site}: nothing to act on")


def _spans(module: Module, unit: Unit) -> tuple[Span, ...]:
    graph = value_graph(module, unit)
    found = {
        value.node.span
        for value in graph
        if value.node is not None and _is_root(value) and _has_choice(value)
    }
    return tuple(sorted(found))


def _has_choice(root: Value) -> bool:
    names = [v.op_name for v in _Term.of(root).interior]
    return len(names) >= _FEWEST_OPERATIONS and any(n in ("matmul", "trace", "sum") for n in names)


def _is_root(value: Value) -> bool:
    """An operation of the algebra that no other one of it uses alone."""
    if not _is_algebra(value):
        return False
    users = value.users
    return not (len(users) == 1 and not value.escapes and _is_algebra(users[0]))


def _is_algebra(value: Value) -> bool:
    tensor = value.tensor
    if value.kind != OP or value.op_name not in _OPERATIONS or tensor is None:
        return False
    if not value.is_pure or value.is_in_place or value.is_tainted:
        return False
    if not DType(tensor.dtype).is_floating or tensor.rank > 2 or 0 in tensor.shape:
        return False
    return _constructor(value) is not None


def _constructor(value: Value) -> str | None:
    """The operation's name in the algebra, by its operands' ranks; None where it has none."""
    assert value.op is not None
    sides = [value.arguments[p.name] for p in value.op.operands]
    shapes = [s.tensor.shape if s.tensor is not None else None for s in sides]
    first = len(shapes[0]) if shapes[0] is not None else -1
    second = len(shapes[1]) if len(shapes) > 1 and shapes[1] is not None else -1
    name = value.op_name
    if name == "matmul":
        return {(2, 2): "Product", (2, 1): "Apply", (1, 1): "Dot"}.get((first, second))
    if name in ("add", "sub") and first >= 0 and shapes[0] == shapes[1]:
        return name.title() + {0: "S", 1: "V"}.get(first, "")
    if name == "mul" and first in (1, 2) and is_number(sides[1]):
        return "Scale" if first == 2 else "ScaleV"
    if name == "permute" and first == 2 and value.arguments["dims"].constant == (1, 0):
        return "Transpose"
    if name == "trace" and first == 2:
        return "Trace"
    if name == "sum" and value.arguments["keepdim"].constant is False:
        dim = value.arguments["dim"].constant
        if dim is None or first == 1:
            return {1: "Sum", 2: "Total"}.get(first)
        if first == 2 and dim in (1, -1):
            return "RowSums"
        if first == 2 and dim in (0, -2):
            return "ColumnSums"
    return None


@dataclass(slots=True)
class _Term:
    """An expression in the algebra. holes: leaves by metavariable; interior: the operations,
    the root first; facts: the leaves' sizes."""

    text: str = ""
    holes: dict[str, Value] = field(default_factory=dict)
    interior: list[Value] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    element: int = 4

    @classmethod
    def of(cls, root: Value) -> _Term:
        term = cls()
        assert root.tensor is not None
        term.element = _BYTES.get(root.tensor.dtype, 4)
        term.text = term._write(root, root)
        return term

    def _write(self, value: Value, root: Value) -> str:
        if value is not root and not self._joins(value, root):
            return self._leaf(value)
        self.interior.append(value)
        name = _constructor(value)
        assert name is not None and value.op is not None
        parts = [self._write(value.arguments[p.name], root) for p in value.op.operands]
        if name == "ColumnSums":
            return f"(RowSums (Transpose {parts[0]}))"
        return f"({name} {' '.join(parts)})"

    def _joins(self, value: Value, root: Value) -> bool:
        if not _is_algebra(value) or value.region != root.region:
            return False
        assert root.tensor is not None and value.tensor is not None
        same = value.tensor.dtype == root.tensor.dtype
        return same and len(value.users) == 1 and len(value.uses) == 1 and not value.escapes

    def _leaf(self, value: Value) -> str:
        known = next((n for n, v in self.holes.items() if v is value), None)
        name = known or f"l{len(self.holes)}"
        self.holes[name] = value
        tensor = value.tensor
        if tensor is None or tensor.rank == 0:
            return f'(Named "{name}")'
        kind = "Matrix" if tensor.rank == 2 else "Vector"
        leaf = f'({kind} "{name}")'
        sizes = ("rows", "cols") if tensor.rank == 2 else ("size",)
        if known is None:
            self.facts += [
                f"(set ({f} {leaf}) {n})" for f, n in zip(sizes, tensor.shape, strict=True)
            ]
        return leaf


def cheapest(term: _Term) -> str | None:
    """The cheapest equal expression as a pattern; None where none is cheaper by the model.

    Stops after MOST_ROUNDS rounds, MOST_NODES nodes or MOST_SECONDS seconds, whichever is first,
    and takes the best that is known then.
    """
    from egglog.bindings import EGraph

    graph = EGraph()

    def run(program: str) -> list[Any]:
        return list(graph.run_program(*graph.parse_program(program)))

    started = time.perf_counter()
    run(_algebra())
    run("\n".join([f"(set (element) {term.element})", *term.facts, f"(let $root {term.text})"]))
    # An operation has a cost once its operands have sizes.
    run("(run-schedule (saturate (run facts)))")
    original = run("(extract $root)")[-1].cost
    known = 0
    for _ in range(MOST_ROUNDS):
        run("(run-schedule (run) (saturate (run facts)))")
        nodes = sum(count for _, count in run("(print-size)")[0].sizes)
        if nodes == known or nodes > MOST_NODES or time.perf_counter() - started > MOST_SECONDS:
            break
        known = nodes
    best = run("(extract $root)")[-1]
    if best.cost > _GAIN * original:
        return None
    return _pattern(best.termdag, best.termdag.get(best.term))


@functools.cache
def _algebra() -> str:
    return files(__package__).joinpath("saturation.egg").read_text(encoding="utf-8")


_WRITTEN = {
    "Product": "matmul({}, {})", "Apply": "matmul({}, {})", "Dot": "matmul({}, {})",
    "Add": "add({}, {})", "AddV": "add({}, {})", "AddS": "add({}, {})", "Sub": "sub({}, {})",
    "SubV": "sub({}, {})", "SubS": "sub({}, {})", "Scale": "mul({}, {})", "ScaleV": "mul({}, {})",
    "Times": "mul({}, {})", "Transpose": "permute({}, dims=(1, 0))", "RowSums": "sum({}, dim=1)",
    "Total": "sum({}, dim=None)", "Sum": "sum({}, dim=0)", "Trace": "trace({})",
    "Hadamard": "mul({}, {})",
}  # fmt: skip


def _pattern(dag: Any, node: Any) -> str:
    if node.name in ("Matrix", "Vector", "Named"):
        return f"${dag.get(node.args[0]).value.value}"
    if node.name == "Number":
        return repr(float(dag.get(node.args[0]).value.value))
    return _WRITTEN[node.name].format(*(_pattern(dag, dag.get(a)) for a in node.args))
