# ruff: noqa: E501 (programs on one line)
"""Patterns over the value graph."""

from __future__ import annotations

import pytest

from semrep.ir.module import Module
from semrep.ir.pattern import PatternError, holes, match, normalized_dims, op_names, parse_pattern
from semrep.ir.values import Value, value_graph
from tests.passes.signature_text import parse_signature

HEAD = "import torch\nimport torch.nn.functional as F\n\n"


def _result(body: str, signature: str | None = None, arguments: str = "a, b") -> Value:
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    module = Module.from_text(f"{HEAD}def f({arguments}):\n{lines}", "case.py")
    if signature is not None:
        module = module.with_signature(parse_signature(signature))
    placed = module.function("f")
    assert placed is not None
    graph = value_graph(module, placed.unit)
    assert not graph.unsupported
    return next(v for v in reversed(graph.values) if any(u.how == "returned" for u in v.uses))


def _fits(pattern: str, value: Value) -> int:
    return len(list(match(parse_pattern(pattern), value)))


TYPED = "f(a: f32[4, 8], b: f32[8, 6])"


@pytest.mark.parametrize(
    "body",
    ["return torch.sum(torch.matmul(a, b), dim=1)", "return (a @ b).sum(-1)",
     "y = a.mm(b)\nz = y\nreturn z.sum((1,))", "return torch.matmul(input=a, other=b).sum(dim=[1])"],
)  # fmt: skip
def test_is_blind_to_spelling(body: str) -> None:
    found = list(match(parse_pattern("sum(matmul($a, $b), dim=-1)"), _result(body, TYPED)))
    assert len(found) == 1
    assert found[0].holes["a"].label == "a" and found[0].holes["b"].label == "b"
    assert [v.op_name for v in found[0].interior] == ["sum", "matmul"]
    assert not found[0].doubts


def test_attributes_that_are_not_written_have_their_defaults() -> None:
    value = _result("return (a @ b).sum(-1, keepdim=True)", TYPED)
    assert not _fits("sum(matmul($a, $b), dim=-1)", value)
    assert _fits("sum(matmul($a, $b), dim=-1, keepdim=True)", value)
    assert _fits("sum(matmul($a, $b), dim=-1, keepdim=$k)", value)


def test_a_dimension_of_unknown_rank_is_a_doubt() -> None:
    value = _result("return torch.sum(a @ b, dim=1)")
    (found,) = match(parse_pattern("sum(matmul($a, $b), dim=-1)"), value)
    assert [v.op_name for v in found.doubts] == ["matmul"]
    assert not _fits("sum(matmul($a, $b), dim=0)", _result("return torch.sum(a @ b, dim=1)", TYPED))


def test_commutative_operations_match_both_ways() -> None:
    assert _fits("mul($x, sigmoid($x))", _result("return torch.sigmoid(a) * a"))
    assert _fits(
        "mul($x, sigmoid($x))", _result("return a * a.sigmoid()", "f(a: f32[4], b: f32[4])")
    )
    assert not _fits("sub($x, sigmoid($x))", _result("return torch.sigmoid(a) - a"))
    assert _fits("$x * $c + $x", _result("return b + 2 * b", "f(a: f32[4], b: f32[4])"))


def test_repeated_metavariables_must_be_one_value() -> None:
    typed = "f(a: f32[4], b: f32[4])"
    assert not _fits("mul($x, sigmoid($x))", _result("return b * torch.sigmoid(a)", typed))
    assert _fits("mul($x, sigmoid($x))", _result("return (a + b) * torch.sigmoid(a + b)", typed))
    noise = "return torch.rand_like(a) * torch.sigmoid(torch.rand_like(a))"
    assert not _fits("mul($x, sigmoid($x))", _result(noise, typed))


def test_constants_and_subscripts() -> None:
    value = _result("return torch.max(a, dim=1)[0]", TYPED)
    assert _fits("max_dim($x, dim=1)[0]", value)
    assert not _fits("max_dim($x, dim=1)[1]", value)
    assert _fits("max_dim($x, dim=-1)[0]", _result("return a.max(1).values", TYPED))
    assert _fits("linear($x, $w, None)", _result("return F.linear(a, b)"))
    assert not _fits("linear($x, $w, None)", _result("return F.linear(a, b, a)"))


@pytest.mark.parametrize(
    "text",
    ["summ($a)", "sum(a)", "sum($a, axis=1)", "matmul($a)", "lambda: $a", "sum($a", "relu($a, 1)"],
)
def test_what_is_no_pattern_says_so(text: str) -> None:
    with pytest.raises(PatternError):
        parse_pattern(text)


def test_questions_about_patterns() -> None:
    pattern = parse_pattern("sum(matmul($a, $b), dim=$d) + $a")
    assert list(holes(pattern)) == ["a", "b", "d", "a"]
    assert op_names(pattern) == {"sum", "matmul", "add"}
    assert str(pattern) == "add(sum(matmul($a, $b), dim=$d), $a)"
    assert parse_pattern(str(pattern)) == pattern


def test_dimensions_are_counted_from_zero() -> None:
    assert normalized_dims(-1, 3) == (2,)
    assert normalized_dims((-1, 0), 3) == (0, 2)
    assert normalized_dims(None, 2) == (0, 1)
    assert normalized_dims(3, 3) is None
    assert normalized_dims(1, None) is None


def test_a_new_dimension_is_counted_in_the_result() -> None:
    last, first = (_result(f"return a.unsqueeze({dim})", TYPED) for dim in (-1, 1))
    assert _fits("unsqueeze($x, dim=2)", last) and not _fits("unsqueeze($x, dim=1)", last)
    assert _fits("unsqueeze($x, dim=1)", first) and not _fits("unsqueeze($x, dim=-1)", first)
