# ruff: noqa: E501 (one spelling, one line)
"""Reductions and scans. `dim` is an int, a tuple of ints, or None for all dimensions.

Element types: torch sums bool and integers in int64, NumPy in at least the platform's int,
jax keeps the type (int32 by default); NumPy's mean of integers is float64, torch's raises.
These agree on floating-point arrays, and types are only ever inferred for those outside torch.
"""

from semrep.ir.dialects.catalogue import op
from semrep.ir.dialects.op import REDUCTION, TRANSCENDENTAL

for _name in ("sum", "mean"):
    op(
        _name,
        "input: tensor, /, dim=None, keepdim=False, dtype=None",
        f"torch.{_name}, Tensor.{_name}(input, dim=None, keepdim=False, *, dtype=None)",
        f"np.{_name}, ndarray.{_name}, jnp.{_name}, Array.{_name}(a: input, axis: dim=None, dtype=None, *, keepdims: keepdim=False)",
        cost=REDUCTION,
    )
op(
    "triton_sum",
    "input: tensor, /, dim=None, keepdim=False",
    "tl.sum(input, axis: dim=None, keep_dims: keepdim=False)",
    reference="torch.sum",
    cost=REDUCTION,
)
op(
    "prod",
    "input: tensor, /, dim=None, keepdim=False, dtype=None",
    "torch.prod, Tensor.prod(input, dim=None, keepdim=False, *, dtype=None)",
    "np.prod, ndarray.prod, jnp.prod, Array.prod(a: input, axis: dim=None, dtype=None, *, keepdims: keepdim=False)",
    reference=":prod",
    cost=REDUCTION,
)

# `amax` gives the values only; torch.max with a dimension gives a pair, and its gradient goes
# to one of equal elements where amax spreads it.
for _name in ("max", "min"):
    op(
        f"a{_name}",
        "input: tensor, /, dim=None, keepdim=False",
        f"torch.a{_name}, Tensor.a{_name}(input, dim=(), keepdim=False)",
        f"torch.{_name}, Tensor.{_name}(input)",
        f"np.{_name}, np.a{_name}, ndarray.{_name}, jnp.{_name}, jnp.a{_name}, Array.{_name}(a: input, axis: dim=None, *, keepdims: keepdim=False)",
        reference=f":a{_name}",
        cost=REDUCTION,
    )
    op(
        f"{_name}_dim",
        "input: tensor, /, dim, keepdim=False",
        f"torch.{_name}, Tensor.{_name}(input, dim, keepdim=False)",
        reference=f"torch.{_name}",
        cost=REDUCTION,
        results=2,
    )
    op(
        f"triton_{_name}",
        "input: tensor, /, dim=None, keepdim=False",
        f"tl.{_name}(input, axis: dim=None, *, keep_dims: keepdim=False)",
        reference=f":a{_name}",
        cost=REDUCTION,
    )
    op(
        f"arg{_name}",
        "input: tensor, /, dim=None, keepdim=False",
        f"torch.arg{_name}, Tensor.arg{_name}(input, dim=None, keepdim=False)",
        f"np.arg{_name}, ndarray.arg{_name}, jnp.arg{_name}, Array.arg{_name}(a: input, axis: dim=None, *, keepdims: keepdim=False)",
        f"tl.arg{_name}(input, axis: dim)",
        cost=REDUCTION,
    )

# ddof is 0 in NumPy and jax, the correction 1 in torch.
for _name in ("var", "std"):
    op(
        _name,
        "input: tensor, /, dim=None, correction=1, keepdim=False",
        f"torch.{_name}, Tensor.{_name}(input, dim=None, *, correction=1, keepdim=False)",
        f"torch.{_name}, Tensor.{_name}(input, dim: dim=None, unbiased: correction=True, keepdim=False)",
        f"np.{_name}, ndarray.{_name}, jnp.{_name}, Array.{_name}(a: input, axis: dim=None, *, ddof: correction=0, correction: correction=0, keepdims: keepdim=False)",
        cost=REDUCTION,
    )
op(
    "var_mean",
    "input: tensor, /, dim=None, correction=1, keepdim=False",
    "torch.var_mean(input, dim=None, *, correction=1, keepdim=False)",
    cost=REDUCTION,
    results=2,
)

op(
    "logsumexp",
    "input: tensor, /, dim, keepdim=False",
    "torch.logsumexp, Tensor.logsumexp, torch.special.logsumexp(input, dim, keepdim=False)",
    "jnn.logsumexp, jax.scipy.special.logsumexp, scipy.special.logsumexp(a: input, axis: dim, *, keepdims: keepdim=False)",
    cost=TRANSCENDENTAL,
)
op(
    "all",
    "input: tensor, /, dim=None, keepdim=False",
    "torch.all, Tensor.all(input, dim=None, keepdim=False)",
    "np.all, ndarray.all, jnp.all, Array.all(a: input, axis: dim=None, *, keepdims: keepdim=False)",
    cost=REDUCTION,
)
op(
    "any",
    "input: tensor, /, dim=None, keepdim=False",
    "torch.any, Tensor.any(input, dim=None, keepdim=False)",
    "np.any, ndarray.any, jnp.any, Array.any(a: input, axis: dim=None, *, keepdims: keepdim=False)",
    cost=REDUCTION,
)
op(
    "count_nonzero",
    "input: tensor, /, dim=None",
    "torch.count_nonzero, Tensor.count_nonzero(input, dim=None)",
    "np.count_nonzero, jnp.count_nonzero(a: input, axis: dim=None)",
    cost=REDUCTION,
)
op(
    "norm",
    "input: tensor, /, p='fro', dim=None, keepdim=False",
    "torch.norm, Tensor.norm(input, p='fro', dim=None, keepdim=False)",
    cost=REDUCTION,
)
op(
    "vector_norm",
    "input: tensor, /, ord=2, dim=None, keepdim=False",
    "torch.linalg.vector_norm(x: input, ord=2, dim=None, keepdim=False)",
    "np.linalg.vector_norm, jnp.linalg.vector_norm(x: input, *, axis: dim=None, keepdims: keepdim=False, ord=2)",
    reference="torch.linalg.vector_norm",
    cost=REDUCTION,
)
op(
    "numpy_norm",
    "input: tensor, /, ord=None, dim=None, keepdim=False",
    "np.linalg.norm, jnp.linalg.norm(x: input, ord=None, axis: dim=None, keepdims: keepdim=False)",
    "torch.linalg.norm(A: input, ord=None, dim=None, keepdim=False)",
    reference="torch.linalg.norm",
    cost=REDUCTION,
)
op(
    "median",
    "input: tensor, /, dim=None, keepdim=False",
    "np.median, jnp.median(a: input, axis: dim=None, *, keepdims: keepdim=False)",
    reference=":numpy_median",
    cost=REDUCTION,
)

op(
    "cumsum",
    "input: tensor, /, dim, dtype=None",
    "torch.cumsum, Tensor.cumsum(input, dim, *, dtype=None)",
    "np.cumsum, ndarray.cumsum, jnp.cumsum, Array.cumsum(a: input, axis: dim, dtype=None)",
    "tl.cumsum(input, axis: dim=0)",
    cost=REDUCTION,
)
op(
    "cumprod",
    "input: tensor, /, dim, dtype=None",
    "torch.cumprod, Tensor.cumprod(input, dim, *, dtype=None)",
    "np.cumprod, ndarray.cumprod, jnp.cumprod, Array.cumprod(a: input, axis: dim, dtype=None)",
    cost=REDUCTION,
)
op(
    "cummax",
    "input: tensor, /, dim",
    "torch.cummax, Tensor.cummax(input, dim)",
    cost=REDUCTION,
    results=2,
)
op(
    "logcumsumexp",
    "input: tensor, /, dim",
    "torch.logcumsumexp, Tensor.logcumsumexp(input, dim)",
    cost=TRANSCENDENTAL,
)
op(
    "diff",
    "input: tensor, /, n=1, dim=-1",
    "torch.diff, Tensor.diff(input, n=1, dim=-1)",
    "np.diff, jnp.diff(a: input, n=1, axis: dim=-1)",
)
op(
    "topk",
    "input: tensor, /, k, dim=-1, largest=True, sorted=True",
    "torch.topk, Tensor.topk(input, k, dim=-1, largest=True, sorted=True)",
    cost=REDUCTION,
    results=2,
)
op(
    "sort",
    "input: tensor, /, dim=-1, descending=False",
    "torch.sort, Tensor.sort(input, dim=-1, descending=False)",
    cost=REDUCTION,
    results=2,
)
op(
    "argsort",
    "input: tensor, /, dim=-1, descending=False",
    "torch.argsort, Tensor.argsort(input, dim=-1, descending=False)",
    cost=REDUCTION,
)
