"""Keep what depends on a model's weights alone from one call to the next."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.dialects.cost import seconds
from semrep.ir.module import Module, Placed
from semrep.ir.scopes import scopes
from semrep.ir.signature import LayerType, Signature
from semrep.ir.text import Edit, EditSet, Span
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.ir.values import ATTRIBUTE, CONSTANT, OP, TUPLE, Value, ValueGraph, value_graph
from semrep.passes.base import TENSOR, Pass, Refusal, Site
from semrep.passes.contract import BITWISE, OBSERVED, Contract
from semrep.passes.registry import register
from semrep.passes.rule_rewrite import name_of_path

HELPER = "_derived"
_IMPORTS = (b"import ", b"from ")
_TABLE, _KEPT = "_derived_values", "_kept"
# Looking a value up costs about this much, in modelled seconds.
_LOOKUP_S = 5e-6
_VERSIONED = f"""\
{_TABLE} = weakref.WeakKeyDictionary()


def {HELPER}(owner, compute, *weights):
    \"\"\"compute(), again only after one of the weights has changed, or while gradients flow.\"\"\"
    learns = torch.is_grad_enabled() and any(w.requires_grad for w in weights)
    casts = torch.is_autocast_enabled() or torch.is_autocast_enabled("cpu")
    untold = any(w.is_inference() for w in weights)
    live = learns or casts or untold or torch.compiler.is_compiling()
    return compute() if live else {_KEPT}(owner, compute, weights)


def {_KEPT}(owner, compute, weights):
    known = {_TABLE}.setdefault(owner, {{}})
    key = compute.__code__, torch.is_inference_mode_enabled()
    value, states = known.get(key, (None, None))
    if states is not None and all(
        w is old and w._version == version and memory.is_set_to(w)
        for w, (old, version, memory) in zip(weights, states)
    ):
        return value
    states = [(w, w._version, w.detach()) for w in weights]
    value = compute()
    known[key] = value, states
    return value


"""
_FROZEN = f"""\
{_TABLE} = weakref.WeakKeyDictionary()


def {HELPER}(owner, compute):
    \"\"\"compute() of the first call: the weights never change.\"\"\"
    known = {_TABLE}.setdefault(owner, {{}})
    if compute.__code__ not in known:
        known[compute.__code__] = compute()
    return known[compute.__code__]


"""


@register
@dataclass(frozen=True, slots=True)
class CacheWeightExpressions(Pass):
    """Compute what depends on weights alone once for each state of the weights.

    Rewrite:     x @ self.linear.weight.sum(0)
                 -->   x @ _derived(self, lambda: self.linear.weight.sum(0), self.linear.weight)
    Legal when:  in a method of a torch module, the expression is made of parameters, buffers and
                 constants by pure operations, and its value is neither written to, returned nor
                 kept. It is computed anew while gradients flow into a weight, under autocast, in
                 a compiler, and after a weight's version counter or memory has changed. The
                 helper is put before the class. frozen=true: computed once, whatever happens.
    Numerics:    bitwise.
    Refuses:     local-name, escapes, context, name-taken, not-worth, unknown-shape.

    The counter does not see what is written through `weight.data`, which is why the pass has to
    be asked for. The values are kept beside the module, neither copied nor saved with it.
    """

    name: ClassVar[str] = "cache-weight-expressions"
    dialects: ClassVar[frozenset[str]] = frozenset({TENSOR})
    objectives: ClassVar[frozenset[str]] = frozenset({"latency"})
    is_opt_in: ClassVar[bool] = True
    frozen: bool = False

    @property
    def contract(self) -> Contract:  # type: ignore[override]
        if self.frozen:
            return BITWISE.assuming(OBSERVED, "weights never change and need no gradients")
        return BITWISE.assuming(OBSERVED, "weights are not written to through `.data`")

    @property
    def _code(self) -> str:
        return _FROZEN if self.frozen else _VERSIONED

    def sites(self, module: Module) -> Iterator[Site]:
        if module.language != "python" or not module.is_rewritable:
            return
        for placed in module.functions():
            unit = placed.unit
            if not unit.classes or unit.has_error or len(module.signatures_of(unit)) != 1:
                continue
            for value in _roots(value_graph(module, unit)):
                assert value.node is not None
                yield Site(str(self), value.node.span.shifted(placed.start), module.digest)

    def rewrite(self, module: Module, site: Site) -> EditSet | Refusal:
        self.check(module, site)
        placed = module.unit_at(site.span)
        if placed is None:
            raise ValueError(f"{site} lies in no unit")
        graph = value_graph(module, placed.unit)
        span = site.span.shifted(-placed.start)
        for value in _roots(graph):
            if value.node is not None and value.node.span == span:
                refused = _why_not(module, placed.unit, graph, value, self._code)
                if refused is not None:
                    return Refusal(refused.code, refused.message, site.span)
                return self._edits(module, placed, value.node, value)
        raise ValueError(f"{site}: nothing to act on")

    def _edits(self, module: Module, placed: Placed, node: Node, value: Value) -> EditSet | Refusal:
        receiver = _receiver(placed.unit)
        watched = [] if self.frozen else sorted({w.label for w in _weights(value)})
        call = ", ".join([receiver, f"lambda: {node.text}", *watched])
        edits = [Edit(node.span.shifted(placed.start), f"{HELPER}({call})".encode())]
        if HELPER not in module.environment.names:
            head = next(p for p in module.units if p.unit.name == placed.unit.classes[0])
            text = self._code.replace("\n", module.newline).encode()
            edits.insert(0, Edit(Span(head.start, head.start), text))
        if "weakref" not in module.environment.names:
            first = _first_import(module)
            if first is None:
                return Refusal("name-taken", "no import stands at the top of the file")
            edits.insert(0, _import_before(first, module.newline))
        return EditSet(tuple(edits))


def _roots(graph: ValueGraph) -> list[Value]:
    """Computations on weights alone that something else than such a computation uses."""
    return [
        v for v in graph
        if v.kind == OP and v.tensor is not None and v.node is not None
        and v.node.kind in ("call", "binary_operator", "unary_operator", "subscript")
        and _is_derived(v, graph.signature)
        and not all(u.user is not None and _is_derived(u.user, graph.signature) for u in v.uses)
    ]  # fmt: skip


def _is_derived(value: Value, signature: Signature | None) -> bool:
    if value.kind == CONSTANT or value.is_constant:
        return True
    if value.kind == ATTRIBUTE:
        return _is_weight(value, signature)
    if value.kind == OP and not (value.is_pure and not value.is_in_place and not value.is_tainted):
        return False
    parts = list(value.arguments.values())
    return value.kind in (OP, TUPLE) and bool(parts) and any(
        not p.is_constant for p in parts
    ) and all(_is_derived(p, signature) for p in parts)  # fmt: skip


def _is_weight(value: Value, signature: Signature | None) -> bool:
    owner, _, name = value.label.rpartition(".")
    layer = signature.of(owner) if signature is not None else None
    return isinstance(layer, LayerType) and name in dict((*layer.parameters, *layer.buffers))


def _weights(value: Value) -> Iterator[Value]:
    if value.kind == ATTRIBUTE:
        yield value
    for part in value.arguments.values():
        yield from _weights(part)


def _interior(value: Value) -> Iterator[Value]:
    if value.kind == OP:
        yield value
        for part in value.arguments.values():
            yield from _interior(part)


def _first_import(module: Module) -> Placed | None:
    """The first import that may stand behind others: none may before `__future__`."""
    for placed in module.units:
        text = placed.unit.source
        if text.startswith(_IMPORTS) and not text.startswith(b"from __future__"):
            return placed
    return None


def _import_before(first: Placed, newline: str) -> Edit:
    root = first.unit.source.decode().split()[1].partition(".")[0]
    gap = "" if root in sys.stdlib_module_names else newline
    return Edit(Span(first.start, first.start), f"import weakref{newline}{gap}".encode())


def _receiver(unit: Unit) -> str:
    assert unit.definition is not None
    return unit.definition["parameters"].operands[0].text


def _why_not(
    module: Module, unit: Unit, graph: ValueGraph, value: Value, helper: str
) -> Refusal | None:
    assert value.node is not None
    receiver = _receiver(unit)
    known = scopes(unit)
    for identifier in value.node.find("identifier"):
        binding = known.binding(identifier)
        if binding is not None and not binding.is_global and binding.name != receiver:
            return Refusal("local-name", f"`{binding.name}` is a variable: its value may be older")
    if value.storage & (graph.mutated | graph.escaped) or value.escapes:
        return Refusal("escapes", "others may keep the value, or write to it")
    if 0 in value.region:
        return Refusal("context", "the surrounding `with` block may change what operations mean")
    total = 0.0
    for part in _interior(value):
        if part.op is None or part.type is None:
            return Refusal("unknown-shape", "the type of a part is not known")
        total += seconds(part.op, tuple(a.type for a in part.arguments.values()), part.type)
    if total <= _LOOKUP_S:
        return Refusal("not-worth", "looking it up would take as long")
    if name_of_path(module.environment, unit, "torch") != "torch":
        return Refusal("name-taken", "`torch` is not imported under its own name")
    found = module.environment.names.get("weakref")
    if found is not None and (found.path != "weakref" or not found.is_stable):
        return Refusal("name-taken", "`weakref` means something else here")
    for name in (HELPER, _KEPT, _TABLE):
        if any(name in s.names for s in known.scopes):
            return Refusal("name-taken", f"`{name}` is a variable here")
        if name in module.environment.names and helper.strip() not in module.text:
            return Refusal("name-taken", f"`{name}` means something else here")
    return None
