"""Rules: algebra on the value graph, written as pattern → replacement.

    rule(
        "sum-of-matmul",
        '''Sum over the columns of a product without forming the product. …''',
        rewrite(
            "sum(matmul($a, $b), dim=-1)", "matmul($a, sum($b, dim=-1))", where=[rank("$b", 2)]
        ),
        contract=REASSOCIATES,
        example={"a": "f32(64, 512)", "b": "f32(512, 2048)"},
    )

Beyond its own guards, a rule acts only where: every array is of one real floating-point type
(unless `types="any"`), every intermediate that goes is used nowhere else, all that the new
text names means the same there, the result has the same type and shape, no new aliasing can
be seen, and a cost model does not call it slower. What the facts of the signature cannot
settle is refused.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from semrep.ir.dialects.catalogue import ops, spellings_of
from semrep.ir.dialects.operators import TOKEN_OF, UNARY_TOKEN_OF
from semrep.ir.module import Module, Placed
from semrep.ir.pattern import Apply, Match, Pattern, holes, match, op_names, parse_pattern
from semrep.ir.signature import Signature
from semrep.ir.text import EditSet, Span
from semrep.ir.unit import FUNCTION, Unit
from semrep.ir.values import Value, ValueGraph, value_graph
from semrep.passes import registry
from semrep.passes.base import TENSOR, Options, Pass, Refusal, Site
from semrep.passes.contract import BITWISE, OBSERVED, Contract
from semrep.passes.rule_guards import Found, Guard, floating, unknown
from semrep.passes.rule_rewrite import Plan, Rewriter

ARRAY_LIBRARIES = frozenset({"torch", "numpy", "jax"})
_SLACK = 3e-6  # seconds: the model is coarse about the overhead of a call

Computed = Callable[[Found], Any]
Composed = Callable[[Found], str | Refusal]
Guards = Sequence[Guard]


@dataclass(frozen=True, slots=True, eq=False)
class Rewrite:
    """One form of a rule. replacement: a pattern, or what makes its text from the match.
    computed: metavariables of the replacement that are constants computed from the match."""

    pattern: Apply
    replacement: Pattern | Composed
    where: tuple[Guard, ...]
    screen: tuple[Guard, ...]
    computed: Mapping[str, Computed]
    needs: frozenset[str]

    def replaced(self, found: Found) -> Pattern | Refusal:
        """What stands in the match's place."""
        if not callable(self.replacement):
            return self.replacement
        text = self.replacement(found)
        return text if isinstance(text, Refusal) else parse_pattern(text)


def rewrite(
    pattern: str,
    replacement: str | Composed,
    where: Guards = (),
    computed: Mapping[str, Computed] | None = None,
    screen: Guards = (),
) -> Rewrite:
    """replacement: a text, or a function that makes one of a match whose guards hold (or refuses).
    where: guards whose failure is a refusal. screen: guards whose failure means that there is
    nothing to see, and so no site.

    Raises PatternError, and ValueError where the replacement uses an unbound metavariable.
    """
    before = parse_pattern(pattern)
    if not isinstance(before, Apply):
        raise ValueError(f"the pattern {pattern!r} has no operation")
    after: Pattern | Composed
    if isinstance(replacement, str):
        after = parse_pattern(replacement)
        unbound = set(holes(after)) - set(holes(before)) - set(computed or {})
        if unbound:
            message = f"{replacement!r} uses {sorted(unbound)}, which {pattern!r} does not bind"
            raise ValueError(message)
    else:
        after = replacement
    return Rewrite(before, after, tuple(where), tuple(screen), computed or {}, op_names(before))


@dataclass(frozen=True, slots=True, eq=False)
class Rule(Pass):
    """A pass made of rewrites of the value graph. One instance is one rule."""

    name: str  # type: ignore[misc]
    summary: str  # type: ignore[misc]
    family: str  # type: ignore[misc]
    contract: Contract  # type: ignore[misc]
    doc: str = ""
    rewrites: tuple[Rewrite, ...] = ()
    types: str = "floating"
    may_be_slower: bool = False
    example: Mapping[str, Any] = field(default_factory=dict)
    is_opt_in: bool = False  # type: ignore[misc]

    dialects: ClassVar[frozenset[str]] = frozenset({TENSOR})
    objectives: ClassVar[frozenset[str]] = frozenset({"latency"})

    @property
    def options(self) -> Options:
        return ()

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Any, ...]:
        return registry.find, (self.name,)

    # -- sites ------------------------------------------------------------------------------

    def sites(self, module: Module) -> Iterator[Site]:
        if module.language != "python" or not module.is_rewritable:
            return
        if not ARRAY_LIBRARIES & module.environment.libraries:
            return
        observed = module.signature is not None
        key = f"rule/{self.name}/{module.facts_key}"
        for placed in _of_interest(module).get(self.name if not observed else "", ()):
            unit = placed.unit
            for span in unit.fact(key, lambda u=unit: self._spans(module, u)):  # type: ignore[misc]
                yield Site(self.name, span.shifted(placed.start), module.digest)

    def _spans(self, module: Module, unit: Unit) -> tuple[Span, ...]:
        # Sites are where the first call shows them; the others have a say in `rewrite`.
        graph = value_graph(module, unit, next(iter(module.signatures_of(unit)), None))
        names = graph.op_names()
        found = {
            value.node.span
            for form in self.rewrites
            if form.needs <= names
            for value in graph.with_op(form.pattern.op.name)
            if value.node is not None and _is_site(form, value, graph)
        }
        return tuple(sorted(found))

    # -- rewriting --------------------------------------------------------------------------

    def rewrite(self, module: Module, site: Site) -> EditSet | Refusal:
        self.check(module, site)
        placed = module.unit_at(site.span)
        if placed is None:
            raise ValueError(f"{site} lies in no unit")
        agreed: Plan | None = None
        for signature in module.signatures_of(placed.unit) or (None,):
            plan = self._plan(module, placed, site, signature)
            if isinstance(plan, Refusal):
                at = plan.span.shifted(placed.start) if plan.span is not None else None
                return Refusal(plan.code, plan.message, at)
            if plan is None and agreed is None:
                raise ValueError(f"{site}: nothing for this rule to act on")
            if plan is None:
                return Refusal("calls-differ", "calls with other types show nothing here")
            if agreed is not None and plan.edits != agreed.edits:
                message = "calls with other types ask for another text"
                return Refusal("calls-differ", message, site.span)
            agreed = plan
        assert agreed is not None
        return EditSet(agreed.edits).shifted(placed.start)

    def _plan(
        self, module: Module, placed: Placed, site: Site, signature: Signature | None
    ) -> Plan | Refusal | None:
        """What to do at a site for calls of one kind; None where nothing matches."""
        graph = value_graph(module, placed.unit, signature)
        first: Refusal | None = None
        for value, form, found in self._matches(graph, site.span.shifted(-placed.start)):
            del value
            result = self._try(module, placed, graph, form, found)
            if isinstance(result, Plan):
                return result
            # The refusal of the match that got furthest says most.
            if first is None or _progress(result) > _progress(first):
                first = result
        return first

    def _matches(self, graph: ValueGraph, span: Span) -> Iterator[tuple[Value, Rewrite, Match]]:
        for form in self.rewrites:
            for value in graph.with_op(form.pattern.op.name):
                if value.node is not None and value.node.span == span:
                    for found in match(form.pattern, value):
                        if not any(guard(Found(found, graph)) for guard in form.screen):
                            yield value, form, found

    def _try(
        self, module: Module, placed: Placed, graph: ValueGraph, form: Rewrite, found: Match
    ) -> Plan | Refusal:
        asked = Found(found, graph)
        if found.doubts:
            return unknown(found.doubts[0])
        arrays = [*found.holes.values(), *found.interior]
        if self.types == "floating" and (mixed := floating(arrays)) is not None:
            return mixed
        if any(value.type is None for value in found.interior):
            return unknown(_least_known(found))
        for guard in form.where:
            if (refused := guard(asked)) is not None:
                return refused
        constants: dict[str, Any] = {}
        for name, compute in form.computed.items():
            result = compute(asked)
            if isinstance(result, Refusal):
                return result
            constants[name] = result
        replacement = form.replaced(asked)
        if isinstance(replacement, Refusal):
            return replacement
        plan = Rewriter(module, placed.unit, graph, found, constants).plan(replacement)
        if isinstance(plan, Refusal) or self.may_be_slower:
            return plan
        if plan.seconds_after > plan.seconds_before + _SLACK:
            message = (
                f"not faster at these sizes: {plan.seconds_after * 1e6:.0f} µs instead of "
                f"{plan.seconds_before * 1e6:.0f} µs, modelled"
            )
            node = found.root.node
            return Refusal("not-faster", message, node.span if node is not None else None)
        return plan


def rule(
    name: str,
    doc: str,
    *rewrites: Rewrite,
    contract: Contract = BITWISE,
    types: str = "floating",
    may_be_slower: bool = False,
    example: Mapping[str, Any] | None = None,
    family: str = "tensor",
    is_opt_in: bool = False,
) -> Rule:
    """Make a rule and register it.

    doc: the first line is the summary; it has the sections Rewrite, Legal when, Numerics and
    Refuses. types: `floating` or `any`. example: metavariable → spec of an array or a constant;
    both sides of the first rewrite are run on it by the tests.
    """
    made = Rule(
        name=name,
        summary=doc.strip().split("\n")[0],
        family=family,
        contract=contract.assuming(OBSERVED),
        is_opt_in=is_opt_in,
        doc=doc,
        rewrites=rewrites,
        types=types,
        may_be_slower=may_be_slower,
        example=example or {},
    )
    registry.register_instance(made)
    _rules.append(made)
    return made


def _is_site(form: Rewrite, value: Value, graph: ValueGraph) -> bool:
    return any(
        not any(guard(Found(found, graph)) for guard in form.screen)
        for found in match(form.pattern, value)
    )


def _progress(refusal: Refusal) -> int:
    """How late in the checks a refusal comes."""
    order = ("unknown-shape", "not-floating", "mixed-types")
    return order.index(refusal.code) if refusal.code in order else len(order)


def _least_known(found: Match) -> Value:
    for value in (*found.holes.values(), *reversed(found.interior)):
        if value.type is None and not value.is_constant:
            return value
    return found.root


def _is_of_interest(module: Module, unit: Unit) -> bool:
    """With a signature, types are known in the functions that were called, and every rule needs
    them."""
    if unit.kind != FUNCTION or unit.has_error:
        return False
    return module.signature is None or bool(module.signatures_of(unit))


def _of_interest(module: Module) -> dict[str, list[Placed]]:
    """Functions to look at, by rule; under "" all of them. A layer's call names no operation:
    only the signature knows what it is, so with one the text cannot tell."""

    def find() -> dict[str, list[Placed]]:
        found: dict[str, list[Placed]] = {}
        for placed in module.functions():
            if _is_of_interest(module, placed.unit):
                names = _rules_written_in(placed.unit) if module.signature is None else ("",)
                for name in names:
                    found.setdefault(name, []).append(placed)
        return found

    return module.fact("rules", find)


_rules: list[Rule] = []


def _rules_written_in(unit: Unit) -> frozenset[str]:
    return unit.fact("rules", lambda: _written_in(unit))


def _written_in(unit: Unit) -> frozenset[str]:
    """Names of the rules for which a unit's text has a spelling of every operation."""
    tokens = {n.text for n in unit.by_kind.get("identifier", ())}
    for kind in ("binary_operator", "unary_operator", "augmented_assignment"):
        tokens.update(n.operator.removesuffix("=") for n in unit.by_kind.get(kind, ()))
    if "subscript" in unit.by_kind or "pattern_list" in unit.by_kind:
        tokens.add("[]")
    index = _ops_by_token()
    ops = frozenset().union(*(index[t] for t in tokens & index.keys()))
    return frozenset(r.name for r in _rules if any(f.needs <= ops for f in r.rewrites))


@functools.cache
def _ops_by_token() -> dict[str, frozenset[str]]:
    """Identifiers and operators → the operations that they may write."""
    found: dict[str, set[str]] = {}
    for op in ops():
        tokens = {s.name for s in spellings_of(op.name)}
        tokens |= {t + "_" for t in tokens} | set(_BESIDES.get(op.name, ()))
        for table in (TOKEN_OF, UNARY_TOKEN_OF):
            if op.name in table:
                tokens.add(table[op.name])
        for token in tokens:
            found.setdefault(token, set()).add(op.name)
    return {token: frozenset(names) for token, names in found.items()}


# What else becomes one of these operations when a value is made (semrep.ir.value_canonical).
_BESIDES = {
    "matmul": ("dot",),
    "permute": ("T", "t", "mT", "transpose", "swapaxes", "swapdims"),
    "clamp": ("clamp_min", "clamp_max", "hardtanh"),
    "getitem": ("[]", "values", "indices"),
}
