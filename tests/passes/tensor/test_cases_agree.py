"""Runs both sides of every tensor case, and both sides of every rule's example, on real arrays.

Where the framework can, in float64: what is left of the difference is then a matter of the
algebra and not of rounding.
"""

from __future__ import annotations

import ast
from typing import Any

import numpy
import pytest

from semrep.ir.dialects.meta import reference_of
from semrep.ir.pattern import Apply, Hole, Items, Literal, Match, Pattern
from semrep.ir.signature import ScalarType, Signature, TensorType
from semrep.ir.values import CONSTANT, Value
from semrep.passes import registry
from semrep.passes.base import Refusal
from semrep.passes.rule import Rule
from semrep.passes.rule_guards import Found
from semrep.runtime.specs import Spec
from tests.passes import cases
from tests.passes.signature_text import build_module, parse_signature

CASES = [
    case
    for path in sorted((cases.ROOT / "tensor").glob("*.md"))
    for case in cases.read(path)
    if "python after" in case.blocks
]
RULES = [p for p in registry.all_passes() if isinstance(p, Rule) and p.example]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_both_sides_agree(case: cases.Case) -> None:
    text = case.blocks["signature"]
    signature = parse_signature(text)
    before = _run(case.blocks["python before"], text, signature)
    after = _run(case.blocks["python after"], text, signature)
    assert len(before) == len(after)
    for x, y in zip(before, after, strict=True):
        assert x.shape == y.shape and x.dtype == y.dtype
        tolerance = 1e-9 if x.dtype == numpy.float64 else 1e-3
        numpy.testing.assert_allclose(y, x, rtol=tolerance, atol=tolerance * float(abs(x).max()))
        assert numpy.ptp(x) > 0 or x.size == 1, "a constant result shows nothing"


def _run(source: str, text: str, signature: Signature) -> list[numpy.ndarray]:
    import torch

    namespace: dict[str, Any] = {"__name__": "case"}
    exec(compile(source, "case.py", "exec"), namespace)
    torch.manual_seed(0)
    generator = numpy.random.default_rng(0)
    arguments = [_array(fact, generator) for _, fact in signature.arguments]
    owner, _, name = signature.entry.rpartition(".")
    if owner:
        root = build_module(text)
        instance = type("Model", (torch.nn.Module,), dict(vars(namespace[owner])))()
        for attribute, child in vars(root).items():
            if attribute not in ("_parameters", "_buffers", "_modules"):
                setattr(instance, attribute, child)
        for group in ("_parameters", "_buffers", "_modules"):
            vars(instance)[group].update(vars(root)[group])
        instance.double()
        for parameter in instance.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        result = getattr(instance, name)(*arguments)
    else:
        result = namespace[name](*arguments)
    results = result if isinstance(result, tuple) else (result,)
    return [
        numpy.asarray(r.detach() if hasattr(r, "detach") else r)
        for r in results
        if hasattr(r, "shape")
    ]


def _array(fact: object, generator: numpy.random.Generator) -> Any:
    import torch

    if isinstance(fact, ScalarType):
        return ast.literal_eval(fact.value or "None")
    assert isinstance(fact, TensorType)
    if fact.dtype.startswith("float"):
        data = generator.standard_normal(fact.shape)
    elif fact.dtype == "bool":
        data = generator.random(fact.shape) < 0.7
    else:
        data = generator.integers(-8, 8, fact.shape)
    if fact.framework == "torch":
        return torch.from_numpy(data)
    if fact.framework == "jax":
        import jax.numpy as jnp

        return jnp.asarray(data)
    return data


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_examples_agree(rule: Rule) -> None:
    """The first rewrite of a rule, on its example, in float64."""
    form = rule.rewrites[0]
    values = _example(rule)
    before = _evaluate(form.pattern, values)
    computed = {name: compute(_Asked(values)) for name, compute in form.computed.items()}
    replacement = form.replaced(_Asked(values))
    assert not isinstance(replacement, Refusal)
    after = _evaluate(replacement, {**values, **computed})
    assert before.shape == after.shape
    scale = float(before.abs().max())
    assert float((before - after).abs().max()) <= 1e-9 * max(scale, 1e-30)
    assert scale > 0


def _example(rule: Rule) -> dict[str, Any]:
    import torch

    generator = torch.Generator().manual_seed(0)
    values: dict[str, Any] = {}
    for name, given in rule.example.items():
        if isinstance(given, str) and given.startswith("f32"):
            shape = Spec.parse(given).shape
            values[name] = torch.randn(shape, generator=generator, dtype=torch.float64)
        else:
            values[name] = given
    return values


class _Asked(Found):
    """Answers a computed constant's questions from plain values."""

    def __init__(self, values: dict[str, Any]) -> None:
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "match", Match(Value(CONSTANT)))

    __slots__ = ("values",)

    def constant(self, name: str) -> Any:
        return self.values[name.removeprefix("$")]

    def tensor(self, name: str) -> TensorType | None:
        value = self.values[name.removeprefix("$")]
        return TensorType("float64", tuple(value.shape)) if hasattr(value, "shape") else None

    def value(self, name: str) -> Any:
        return Value(CONSTANT, constant=self.constant(name))

    def dims(self, name: str) -> tuple[int, ...] | None:
        given = self.values[name.removeprefix("$")]
        return (given,) if isinstance(given, int) else given


def _evaluate(pattern: Pattern, values: dict[str, Any]) -> Any:
    if isinstance(pattern, Hole):
        return values[pattern.name]
    if isinstance(pattern, Literal):
        return pattern.constant
    if isinstance(pattern, Items):
        return [_evaluate(i, values) for i in pattern.items]
    assert isinstance(pattern, Apply)
    operands, attributes = [], {}
    for name, argument in pattern.arguments:
        parameter = pattern.op.parameter(name)
        assert parameter is not None
        value = _evaluate(argument, values)
        if parameter.is_operand:
            operands.append(value)
        elif value != parameter.default:
            attributes[name] = value
    return reference_of(pattern.op)(*operands, **attributes)


def test_every_rule_with_free_arrays_has_an_example() -> None:
    rules = [p for p in registry.all_passes() if isinstance(p, Rule)]
    assert len(rules) >= 24
    assert sum(1 for r in rules if r.example) >= len(rules) - 10
