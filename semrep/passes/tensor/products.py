# ruff: noqa: E501 (patterns stay on one line)
"""Reductions of products: reduce the weights first, and the large product is never formed.

Weights are reduced in each call, which is right under training too; folding them once is
another matter (it needs frozen weights).
"""

from __future__ import annotations

from semrep.passes.base import Refusal
from semrep.passes.contract import REASSOCIATES, WITHIN_TOLERANCE
from semrep.passes.rule import rewrite, rule
from semrep.passes.rule_guards import (
    Found,
    Guard,
    rank,
    rank_at_least,
    refusal,
    same_shape,
    unknown,
)


def _rows_only(name: str) -> Guard:
    """The last dimension of the array is not among those reduced."""

    def check(found: Found) -> Refusal | None:
        tensor, dims = found.tensor(name), found.dims("$d")
        if tensor is None:
            return unknown(found.value(name))
        if dims is None or not dims or tensor.rank - 1 in dims:
            return refusal("dims", "the features are reduced", found.match.root)
        return None

    return check


def _same_size(*places: tuple[str, int]) -> Guard:
    """Dimensions of one size: neither is stretched to meet the other."""

    def check(found: Found) -> Refusal | None:
        sizes = []
        for name, dim in places:
            tensor = found.tensor(name)
            if tensor is None:
                return unknown(found.value(name))
            sizes.append(tensor.shape[dim])
        if len(set(sizes)) == 1:
            return None
        text = " and ".join(map(str, sizes))
        return refusal("broadcast", f"sizes differ: {text}", found.value(places[0][0]))

    return check


rule(
    "sum-of-product",
    """Sum, or average, over the columns of a product without forming the product.

    Rewrite:     (a @ b).sum(-1)   -->   a @ b.sum(-1);   the same with mean
    Legal when:  b is a matrix (or the weight of a linear layer), the reduction is over the
                 last dimension alone, and the product is used nowhere else.
    Numerics:    reassociates; gradients are the same sums.
    Refuses:     unknown-shape, rank, used-elsewhere, not-floating.
    """,
    *(
        form
        for op in ("sum", "mean")
        for form in (
            rewrite(
                f"{op}(matmul($a, $b), dim=-1)",
                f"matmul($a, {op}($b, dim=-1))",
                where=[rank("$b", 2)],
            ),
            rewrite(
                f"{op}(matmul($a, $b), dim=-1, keepdim=True)",
                f"matmul($a, {op}($b, dim=-1, keepdim=True))",
                where=[rank("$b", 2)],
            ),
            rewrite(f"{op}(linear($x, $w, None), dim=-1)", f"matmul($x, {op}($w, dim=0))"),
            rewrite(f"{op}(linear($x, $w, $b), dim=-1)", f"matmul($x, {op}($w, dim=0)) + {op}($b)"),
            rewrite(
                f"{op}(linear($x, $w, None), dim=-1, keepdim=True)",
                f"linear($x, {op}($w, dim=0, keepdim=True), None)",
            ),
            rewrite(
                f"{op}(linear($x, $w, $b), dim=-1, keepdim=True)",
                f"linear($x, {op}($w, dim=0, keepdim=True), {op}($b, dim=0, keepdim=True))",
            ),
        )
    ),
    contract=REASSOCIATES,
    example={"a": "f32(64, 256)", "b": "f32(256, 512)"},
)

rule(
    "total-of-product",
    """Sum all elements of a matrix product from the sums of its factors.

    Rewrite:     (a @ b).sum()   -->   a.sum(0) @ b.sum(1)
    Legal when:  both are matrices and the product is used nowhere else.
    Numerics:    reassociates.
    Refuses:     unknown-shape, rank, used-elsewhere, not-floating.
    """,
    rewrite(
        "sum(matmul($a, $b), dim=None)",
        "matmul(sum($a, dim=0), sum($b, dim=1))",
        where=[rank("$a", 2), rank("$b", 2)],
    ),
    contract=REASSOCIATES,
    example={"a": "f32(128, 256)", "b": "f32(256, 512)"},
)

rule(
    "trace-of-product",
    """Take the trace of a matrix product without forming the product.

    Rewrite:     trace(a @ b)   -->   (a * b.T).sum()
    Legal when:  both are matrices, a as wide as b is high (their product is square).
    Numerics:    reassociates.
    Refuses:     unknown-shape, rank, used-elsewhere, not-floating.
    """,
    rewrite(
        "trace(matmul($a, $b))",
        "sum(mul($a, permute($b, dims=(1, 0))))",
        where=[rank("$a", 2), rank("$b", 2)],
    ),
    contract=REASSOCIATES,
    example={"a": "f32(256, 256)", "b": "f32(256, 256)"},
)

rule(
    "reorder-product-chain",
    """Multiply a chain of matrices in the cheaper order.

    Rewrite:     (a @ b) @ c   -->   a @ (b @ c), and the other way round
    Legal when:  all are matrices or vectors of fitting shapes, the inner product is used
                 nowhere else, and the new order costs fewer operations at the observed sizes.
    Numerics:    reassociates.
    Refuses:     unknown-shape, rank, used-elsewhere, not-faster, not-floating.
    """,
    rewrite(
        "matmul(matmul($a, $b), $c)",
        "matmul($a, matmul($b, $c))",
        where=[rank("$a", 2), rank("$b", 2), rank("$c", 1, 2)],
    ),
    rewrite(
        "matmul($a, matmul($b, $c))",
        "matmul(matmul($a, $b), $c)",
        where=[rank("$a", 1, 2), rank("$b", 2), rank("$c", 1, 2)],
    ),
    contract=REASSOCIATES,
    example={"a": "f32(512, 512)", "b": "f32(512, 512)", "c": "f32(512)"},
)

rule(
    "add-before-product",
    """Add the factors, not the products, where two products share a factor.

    Rewrite:     x @ a + x @ b   -->   x @ (a + b)
    Legal when:  a and b have one shape, and neither product is used elsewhere.
    Numerics:    reassociates (a sum of products becomes a product of sums).
    Refuses:     unknown-shape, broadcast, used-elsewhere, not-faster, not-floating.
    """,
    rewrite(
        "matmul($x, $a) + matmul($x, $b)",
        "matmul($x, $a + $b)",
        where=[same_shape("$a", "$b")],
    ),
    rewrite(
        "matmul($a, $x) + matmul($b, $x)",
        "matmul($a + $b, $x)",
        where=[same_shape("$a", "$b")],
    ),
    contract=REASSOCIATES,
    example={"x": "f32(256, 256)", "a": "f32(256, 256)", "b": "f32(256, 256)"},
)

rule(
    "product-with-diagonal",
    """Scale columns or rows instead of multiplying by a diagonal matrix.

    Rewrite:     a @ diag(d)   -->   a * d;   diag(d) @ a   -->   d.unsqueeze(1) * a
    Legal when:  d is a vector, a a matrix.
    Numerics:    reassociates where all elements are finite; the zeros of the diagonal matrix
                 turn infinities and NaN of other columns into NaN, and scaling does not.
    Refuses:     unknown-shape, rank, used-elsewhere, not-floating.
    """,
    rewrite("matmul($a, diag($d))", "mul($a, $d)", where=[rank("$d", 1), rank("$a", 2)]),
    rewrite(
        "matmul(diag($d), $a)",
        "mul(unsqueeze($d, dim=1), $a)",
        where=[rank("$d", 1), rank("$a", 2)],
    ),
    contract=REASSOCIATES.assuming("the operands of the product are finite"),
    example={"a": "f32(256, 256)", "d": "f32(256)"},
    is_opt_in=True,
)

rule(
    "pool-of-linear",
    """Average-pool the weights of a linear layer instead of its output features.

    Rewrite:     avg_pool1d(linear(x, w, b).unsqueeze(1), k).squeeze(1)
                 -->   linear(x, avg_pool1d(w.T, k).T, avg_pool1d(b.unsqueeze(0), k).squeeze(0))
    Legal when:  x is a matrix and the linear layer's result is used nowhere else. Pooling is
                 linear, whatever its stride; padding would average the bias with zeros too,
                 as pooling the bias does.
    Numerics:    reassociates.
    Refuses:     unknown-shape, rank, used-elsewhere, not-floating.
    """,
    rewrite(
        "squeeze(avg_pool1d(unsqueeze(linear($x, $w, $b), dim=1), $k, stride=$s), dim=1)",
        "linear($x, permute(avg_pool1d(permute($w, dims=(1, 0)), $k, stride=$s), dims=(1, 0)), "
        "squeeze(avg_pool1d(unsqueeze($b, dim=0), $k, stride=$s), dim=0))",
        where=[rank("$x", 2), rank("$w", 2), rank("$b", 1)],
    ),
    rewrite(
        "squeeze(avg_pool1d(unsqueeze(linear($x, $w, None), dim=1), $k, stride=$s), dim=1)",
        "linear($x, permute(avg_pool1d(permute($w, dims=(1, 0)), $k, stride=$s), dims=(1, 0)), None)",
        where=[rank("$x", 2), rank("$w", 2)],
    ),
    contract=REASSOCIATES,
    example={"x": "f32(256, 256)", "w": "f32(512, 256)", "b": "f32(512)", "k": 4, "s": 4},
)

rule(
    "reduce-rows-of-product",
    """Average the rows before a product or linear layer, not after it.

    Rewrite:     (x @ w).mean(-2)   -->   x.mean(-2) @ w;   linear(x, w, b).mean(1)
                 -->   linear(x.mean(1), w, b);   a sum likewise, where there is no bias
    Legal when:  the features are not reduced, and the product is used nowhere else. In a product
                 of two arrays the second is a matrix.
    Numerics:    reassociates.
    Refuses:     unknown-shape, rank, dims, used-elsewhere, not-floating.
    """,
    *(
        form
        for op in ("mean", "sum")
        for form in (
            rewrite(
                f"{op}(matmul($x, $w), dim=$d, keepdim=$k)",
                f"matmul({op}($x, dim=$d, keepdim=$k), $w)",
                where=[rank("$w", 2), _rows_only("$x")],
            ),
            rewrite(
                f"{op}(linear($x, $w, None), dim=$d, keepdim=$k)",
                f"linear({op}($x, dim=$d, keepdim=$k), $w, None)",
                where=[rank("$w", 2), _rows_only("$x")],
            ),
        )
    ),
    rewrite(
        "mean(linear($x, $w, $b), dim=$d, keepdim=$k)",
        "linear(mean($x, dim=$d, keepdim=$k), $w, $b)",
        where=[rank("$w", 2), _rows_only("$x")],
    ),
    contract=REASSOCIATES,
    example={"x": "f32(8, 64, 32)", "w": "f32(32, 48)", "d": 1, "k": False},
)

rule(
    "compose-linear-layers",
    """Multiply the weights of two linear layers that follow each other.

    Rewrite:     linear(linear(x, v, a), w, b)   -->   linear(x, w @ v, linear(a, w, b))
    Legal when:  nothing stands between the layers, the first one's result is used nowhere else,
                 and the product of the weights costs less than it saves.
    Numerics:    within tolerance: the product of the weights is rounded once more, and may overflow
                 where the original does not.
    Refuses:     unknown-shape, rank, used-elsewhere, not-faster, not-floating.
    """,
    rewrite(
        "linear(linear($x, $v, $a), $w, $b)",
        "linear($x, matmul($w, $v), linear($a, $w, $b))",
        where=[rank("$v", 2), rank("$w", 2), rank("$a", 1)],
    ),
    rewrite(
        "linear(linear($x, $v, None), $w, $b)",
        "linear($x, matmul($w, $v), $b)",
        where=[rank("$v", 2), rank("$w", 2)],
    ),
    contract=WITHIN_TOLERANCE.assuming("the product of the weights does not overflow"),
    example={"x": "f32(512, 64)", "v": "f32(128, 64)", "a": "f32(128)", "w": "f32(16, 128)",
             "b": "f32(16)"},
)  # fmt: skip

rule(
    "name-matrix-product",
    """Call a matrix product by its name, where it is a sum of products of broadcast arrays.

    Rewrite:     (a[:, None, :] * b[None, :, :]).sum(-1)   -->   a @ b.T
                 (a[:, :, None] * b[None, :, :]).sum(1)    -->   a @ b
                 (a * v).sum(-1)   -->   a @ v
    Legal when:  a and b are matrices, v is a vector as long as a's last dimension; the products
                 are used nowhere else.
    Numerics:    reassociates.
    Refuses:     unknown-shape, rank, broadcast, used-elsewhere, not-floating.
    """,
    rewrite(
        "sum(mul(unsqueeze($a, dim=1), unsqueeze($b, dim=0)), dim=2)",
        "matmul($a, permute($b, dims=(1, 0)))",
        where=[rank("$a", 2), rank("$b", 2), _same_size(("$a", 1), ("$b", 1))],
    ),
    rewrite(
        "sum(mul(unsqueeze($a, dim=1), $b), dim=2)",
        "matmul($a, permute($b, dims=(1, 0)))",
        where=[rank("$a", 2), rank("$b", 2), _same_size(("$a", 1), ("$b", 1))],
    ),
    rewrite(
        "sum(mul(unsqueeze($a, dim=2), unsqueeze($b, dim=0)), dim=1)",
        "matmul($a, $b)",
        where=[rank("$a", 2), rank("$b", 2), _same_size(("$a", 1), ("$b", 0))],
    ),
    rewrite(
        "sum(mul(unsqueeze($a, dim=2), $b), dim=1)",
        "matmul($a, $b)",
        where=[rank("$a", 2), rank("$b", 2), _same_size(("$a", 1), ("$b", 0))],
    ),
    rewrite(
        "sum(mul($a, $v), dim=-1)",
        "matmul($a, $v)",
        where=[rank("$v", 1), rank_at_least("$a", 2), _same_size(("$a", -1), ("$v", 0))],
    ),
    contract=REASSOCIATES,
    example={"a": "f32(32, 48)", "b": "f32(40, 48)"},
)

rule(
    "name-dot-product",
    """Call a dot product by its name: the products are never written out.

    Rewrite:     (x * y).sum()   -->   x @ y
    Legal when:  both are vectors of one length, and the products are used nowhere else.
    Numerics:    reassociates.
    Refuses:     unknown-shape, rank, broadcast, used-elsewhere, not-floating.
    """,
    rewrite(
        "sum(mul($x, $y), dim=0)",
        "matmul($x, $y)",
        where=[rank("$x", 1), rank("$y", 1), same_shape("$x", "$y")],
    ),
    contract=REASSOCIATES,
    example={"x": "f32(4096)", "y": "f32(4096)"},
)
