"""Changes of element type or device, and questions about an array's type."""

from semrep.ir.dialects.catalogue import layer, op
from semrep.ir.dialects.op import FREE, GATHER, may_alias

_MAY = may_alias("input")

op(
    "to_dtype",
    "input: tensor, /, dtype",
    "Tensor.to, Tensor.type(self: input, dtype)",
    "ndarray.astype, Array.astype(self: input, dtype)",
    "np.astype, jnp.astype(x: input, dtype)",
    "tl.cast(input, dtype)",
    "Tensor.float(self: input) -> dict(dtype=DType('float32'))",
    "Tensor.double(self: input) -> dict(dtype=DType('float64'))",
    "Tensor.half(self: input) -> dict(dtype=DType('float16'))",
    "Tensor.bfloat16(self: input) -> dict(dtype=DType('bfloat16'))",
    "Tensor.long(self: input) -> dict(dtype=DType('int64'))",
    "Tensor.int(self: input) -> dict(dtype=DType('int32'))",
    "Tensor.bool(self: input) -> dict(dtype=DType('bool'))",
    reference=":to_dtype",
    purity=_MAY,
    cost=GATHER,
)
op(
    "type_as",
    "input: tensor, other: tensor, /",
    "Tensor.type_as(self: input, other)",
    reference="torch.Tensor.type_as",
    purity=_MAY,
    cost=GATHER,
)
op(
    "shape",
    "input: tensor, /",
    "Tensor.shape",
    "ndarray.shape",
    "Array.shape",
    "np.shape, jnp.shape(a: input)",
    "Tensor.size(self: input)",
    reference=":shape",
    cost=FREE,
)
op(
    "size",
    "input: tensor, /, dim",
    "Tensor.size(self: input, dim)",
    "np.size, jnp.size(a: input, axis: dim)",
    reference=":size",
    cost=FREE,
)
op(
    "ndim",
    "input: tensor, /",
    "Tensor.ndim",
    "ndarray.ndim",
    "Array.ndim",
    "Tensor.dim(self: input)",
    "np.ndim, jnp.ndim(a: input)",
    reference=":ndim",
    cost=FREE,
)
op(
    "numel",
    "input: tensor, /",
    "Tensor.numel(self: input)",
    "torch.numel(input)",
    "ndarray.size",
    "Array.size",
    reference=":numel",
    cost=FREE,
)
op(
    "dtype",
    "input: tensor, /",
    "Tensor.dtype",
    "ndarray.dtype",
    "Array.dtype",
    reference=":none",
    cost=FREE,
)
op("device", "input: tensor, /", "Tensor.device", reference=":none", cost=FREE)
op("requires_grad", "input: tensor, /", "Tensor.requires_grad", reference=":none", cost=FREE)
op("identity", "input, /", reference=":identity", purity=_MAY, cost=FREE)

layer("nn.Identity", "identity")
