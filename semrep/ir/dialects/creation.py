"""New arrays. NumPy's default type is float64, torch's and jax's float32: the spellings of
different frameworks never mix, and only torch's results get a type."""

from semrep.ir.dialects.catalogue import op

for _name in ("zeros", "ones", "empty"):
    op(
        _name,
        "size, /, dtype=None, device=None",
        f"torch.{_name}(*size, dtype=None, device=None)",
        f"np.{_name}, jnp.{_name}(shape: size, dtype=None)",
        *(["tl.zeros(shape: size, dtype)"] if _name == "zeros" else []),
    )
    op(
        f"{_name}_like",
        "input: tensor, /, dtype=None, device=None",
        f"torch.{_name}_like(input, *, dtype=None, device=None)",
        f"np.{_name}_like, jnp.{_name}_like(a: input, dtype=None)",
        *(["tl.zeros_like(input)"] if _name == "zeros" else []),
    )
op(
    "full",
    "size, fill_value, /, dtype=None, device=None",
    "torch.full(size, fill_value, *, dtype=None, device=None)",
    "np.full, jnp.full(shape: size, fill_value, dtype=None)",
    "tl.full(shape: size, value: fill_value, dtype)",
)
op(
    "full_like",
    "input: tensor, fill_value, /, dtype=None, device=None",
    "torch.full_like(input, fill_value, *, dtype=None, device=None)",
    "np.full_like, jnp.full_like(a: input, fill_value, dtype=None)",
)
op(
    "arange",
    "start, /, end=None, step=1, dtype=None, device=None",
    "torch.arange(start, end=None, step=1, *, dtype=None, device=None)",
    "np.arange, jnp.arange(start, stop: end=None, step=1, dtype=None)",
    "tl.arange(start, end)",
    reference=":arange",
)
op(
    "linspace",
    "start, end, /, steps, dtype=None, device=None",
    "torch.linspace(start, end, steps, *, dtype=None, device=None)",
    "np.linspace, jnp.linspace(start, stop: end, num: steps=50)",
)
op(
    "eye",
    "n, /, m=None, dtype=None, device=None",
    "torch.eye(n, m=None, *, dtype=None, device=None)",
    "np.eye, jnp.eye(N: n, M: m=None, dtype: dtype=None)",
    reference=":eye",
)
op(
    "tensor",
    "data, /, dtype=None, device=None",
    "torch.tensor(data, *, dtype=None, device=None)",
    "jnp.array, np.array(object: data, dtype=None)",
    reference="torch.tensor",
)
