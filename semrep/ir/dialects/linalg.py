# ruff: noqa: E501 (one spelling, one line)
"""Products and linear algebra."""

from semrep.ir.dialects.catalogue import layer, op, spell_also
from semrep.ir.dialects.op import MATMUL, view_of

_matmul = op(
    "matmul",
    "input: tensor, other: tensor, /",
    "torch.matmul, Tensor.matmul(input, other)",
    "np.matmul, jnp.matmul(x1: input, x2: other)",
    cost=MATMUL,
)
# These accept fewer ranks than matmul does, and mean the same on those.
spell_also(_matmul, "torch.mm, Tensor.mm(input, mat2: other)")
spell_also(_matmul, "torch.bmm, Tensor.bmm(input, mat2: other)")
spell_also(_matmul, "torch.mv, Tensor.mv(input, vec: other)")
spell_also(_matmul, "torch.dot, Tensor.dot(input, tensor: other)")
spell_also(_matmul, "torch.linalg.matmul(input, other)")

# numpy.dot is matmul up to rank 2, a scaling with a scalar, and another product above.
op(
    "numpy_dot",
    "input, other, /",
    "np.dot, ndarray.dot, jnp.dot, Array.dot(a: input, b: other)",
    reference=":numpy_dot",
    cost=MATMUL,
)
op(
    "inner",
    "input: tensor, other: tensor, /",
    "torch.inner, Tensor.inner(input, other)",
    "np.inner, jnp.inner(a: input, b: other)",
    cost=MATMUL,
)
op(
    "outer",
    "input: tensor, vec2: tensor, /",
    "torch.outer, torch.ger, Tensor.outer, Tensor.ger(input, vec2)",
    "np.outer, jnp.outer(a: input, b: vec2)",
    cost=MATMUL,
)
op(
    "vdot",
    "input: tensor, other: tensor, /",
    "torch.vdot, Tensor.vdot(input, other)",
    "np.vdot, jnp.vdot(a: input, b: other)",
    cost=MATMUL,
)
op(
    "addmm",
    "input: tensor, mat1: tensor, mat2: tensor, /, beta=1, alpha=1",
    "torch.addmm, Tensor.addmm(input, mat1, mat2, *, beta=1, alpha=1)",
    cost=MATMUL,
)
op(
    "baddbmm",
    "input: tensor, batch1: tensor, batch2: tensor, /, beta=1, alpha=1",
    "torch.baddbmm, Tensor.baddbmm(input, batch1, batch2, *, beta=1, alpha=1)",
    cost=MATMUL,
)
op(
    "addmv",
    "input: tensor, mat: tensor, vec: tensor, /, beta=1, alpha=1",
    "torch.addmv, Tensor.addmv(input, mat, vec, *, beta=1, alpha=1)",
    cost=MATMUL,
)
op(
    "linear",
    "input: tensor, weight: tensor, bias, /",
    "F.linear(input, weight, bias=None)",
    reference="torch.nn.functional.linear",
    cost=MATMUL,
)
op(
    "bilinear",
    "input1: tensor, input2: tensor, weight: tensor, bias, /",
    "F.bilinear(input1, input2, weight, bias=None)",
    reference="torch.nn.functional.bilinear",
    cost=MATMUL,
)
op(
    "einsum",
    "equation, operands, /",
    "torch.einsum(equation, *operands)",
    "np.einsum, jnp.einsum(subscripts: equation, *operands)",
    reference=":einsum",
    cost=MATMUL,
)
op(
    "tensordot",
    "a: tensor, b: tensor, /, dims=2",
    "torch.tensordot(a, b, dims=2)",
    "np.tensordot, jnp.tensordot(a, b, axes: dims=2)",
    cost=MATMUL,
)
op(
    "kron",
    "input: tensor, other: tensor, /",
    "torch.kron, Tensor.kron(input, other)",
    "np.kron, jnp.kron(a: input, b: other)",
    cost=MATMUL,
)
op(
    "cross",
    "input: tensor, other: tensor, /, dim=-1",
    "torch.linalg.cross(input, other, *, dim=-1)",
    reference="torch.linalg.cross",
)
op(
    "trace",
    "input: tensor, /",
    "torch.trace, Tensor.trace(input)",
    "np.trace, ndarray.trace, jnp.trace, Array.trace(a: input)",
)
op(
    "det",
    "input: tensor, /",
    "torch.linalg.det, torch.det, Tensor.det(input)",
    "np.linalg.det, jnp.linalg.det(a: input)",
    reference="torch.linalg.det",
    cost=MATMUL,
)
op(
    "inv",
    "input: tensor, /",
    "torch.linalg.inv, torch.inverse, Tensor.inverse(input)",
    "np.linalg.inv, jnp.linalg.inv(a: input)",
    reference="torch.linalg.inv",
    cost=MATMUL,
)
op(
    "solve",
    "A: tensor, B: tensor, /",
    "torch.linalg.solve(A, B)",
    "np.linalg.solve, jnp.linalg.solve(a: A, b: B)",
    reference="torch.linalg.solve",
    cost=MATMUL,
)
op(
    "cholesky",
    "input: tensor, /",
    "torch.linalg.cholesky(input)",
    "np.linalg.cholesky, jnp.linalg.cholesky(a: input)",
    reference="torch.linalg.cholesky",
    cost=MATMUL,
)
op(
    "matrix_power",
    "input: tensor, /, n",
    "torch.linalg.matrix_power, torch.matrix_power(input, n)",
    "np.linalg.matrix_power, jnp.linalg.matrix_power(a: input, n)",
    reference="torch.linalg.matrix_power",
    cost=MATMUL,
)
# From a vector `diag` builds a matrix, from a matrix it takes the diagonal (a view in NumPy).
op(
    "diag",
    "input: tensor, /, diagonal=0",
    "torch.diag, Tensor.diag(input, diagonal=0)",
    "np.diag, jnp.diag(v: input, k: diagonal=0)",
    purity=view_of("input"),
)
op(
    "diagonal",
    "input: tensor, /, offset=0, dim1=0, dim2=1",
    "torch.diagonal, Tensor.diagonal(input, offset=0, dim1=0, dim2=1)",
    "np.diagonal, ndarray.diagonal, jnp.diagonal, Array.diagonal(a: input, offset=0, axis1: dim1=0, axis2: dim2=1)",
    purity=view_of("input"),
)
op(
    "diag_embed",
    "input: tensor, /, offset=0, dim1=-2, dim2=-1",
    "torch.diag_embed, Tensor.diag_embed(input, offset=0, dim1=-2, dim2=-1)",
)
op(
    "tril",
    "input: tensor, /, diagonal=0",
    "torch.tril, Tensor.tril(input, diagonal=0)",
    "np.tril, jnp.tril(m: input, k: diagonal=0)",
)
op(
    "triu",
    "input: tensor, /, diagonal=0",
    "torch.triu, Tensor.triu(input, diagonal=0)",
    "np.triu, jnp.triu(m: input, k: diagonal=0)",
)
op(
    "cosine_similarity",
    "x1: tensor, x2: tensor, /, dim=1, eps=1e-8",
    "F.cosine_similarity(x1, x2, dim=1, eps=1e-8)",
    reference="torch.nn.functional.cosine_similarity",
)
op("cdist", "x1: tensor, x2: tensor, /, p=2.0", "torch.cdist(x1, x2, p=2.0)", cost=MATMUL)
op(
    "scaled_dot_product_attention",
    "query: tensor, key: tensor, value: tensor, /, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None",
    "F.scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, *, scale=None)",
    reference="torch.nn.functional.scaled_dot_product_attention",
    cost=MATMUL,
)

layer("nn.Linear", "linear", weight=".weight", bias=".bias")
layer("nn.Bilinear", "bilinear", weight=".weight", bias=".bias")
