"""Reductions of products: reduce the weights first, and the large product is never formed."""

from __future__ import annotations

from semrep.passes.contract import REASSOCIATES
from semrep.passes.rule import rewrite, rule
from semrep.passes.rule_guards import rank

rule(
    "sum-of-product",
    """Sum over the output features of a product without forming the product.

    Rewrite:     (a @ b).sum(-1)   -->   a @ b.sum(-1)
    Legal when:  b is a matrix, the sum is over the last dimension, and the product is used
                 nowhere else. Right under training: weights are summed in each call.
    Numerics:    reassociates. Gradients are the same sums.
    Refuses:     unknown-shape, rank, used-elsewhere, not-floating.
    """,
    rewrite(
        "sum(matmul($a, $b), dim=-1)",
        "matmul($a, sum($b, dim=-1))",
        where=[rank("$b", 2)],
    ),
    rewrite(
        "sum(matmul($a, $b), dim=-1, keepdim=True)",
        "matmul($a, sum($b, dim=-1, keepdim=True))",
        where=[rank("$b", 2)],
    ),
    rewrite("sum(linear($x, $w, None), dim=-1)", "matmul($x, sum($w, dim=0))"),
    rewrite("sum(linear($x, $w, $b), dim=-1)", "matmul($x, sum($w, dim=0)) + sum($b)"),
    rewrite(
        "sum(linear($x, $w, None), dim=-1, keepdim=True)",
        "linear($x, sum($w, dim=0, keepdim=True), None)",
    ),
    rewrite(
        "sum(linear($x, $w, $b), dim=-1, keepdim=True)",
        "linear($x, sum($w, dim=0, keepdim=True), sum($b, dim=0, keepdim=True))",
    ),
    contract=REASSOCIATES,
    example={"a": "f32(64, 512)", "b": "f32(512, 2048)"},
)
