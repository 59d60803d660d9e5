"""Subscripts, gathers and scatters."""

from semrep.ir.dialects.catalogue import layer, op
from semrep.ir.dialects.op import FREE, GATHER, may_alias

# `x[index]`: a view for basic indices, a copy for arrays of indices.
op("getitem", "input, /, index", reference=":getitem", purity=may_alias("input"), cost=GATHER)
# `a:b:c` in a subscript, where the bounds are sizes: written by the subscript itself.
op("slice", "start, stop, step, /", reference="builtins.slice", cost=FREE)
op(
    "index_select",
    "input: tensor, /, dim, index",
    "torch.index_select, Tensor.index_select(input, dim, index)",
    cost=GATHER,
)
op(
    "gather",
    "input: tensor, /, dim, index",
    "torch.gather, Tensor.gather(input, dim, index)",
    cost=GATHER,
)
op(
    "take",
    "input: tensor, /, indices, dim=None",
    "np.take, ndarray.take, jnp.take, Array.take(a: input, indices, axis: dim=None)",
    reference=":numpy_take",
    cost=GATHER,
)
op(
    "take_along_dim",
    "input: tensor, /, indices, dim=None",
    "torch.take_along_dim, Tensor.take_along_dim(input, indices, dim=None)",
    "np.take_along_axis, jnp.take_along_axis(arr: input, indices, axis: dim)",
    cost=GATHER,
)
op(
    "scatter",
    "input: tensor, /, dim, index, src",
    "torch.scatter, Tensor.scatter(input, dim, index, src)",
    cost=GATHER,
)
op(
    "scatter_add",
    "input: tensor, /, dim, index, src",
    "torch.scatter_add, Tensor.scatter_add(input, dim, index, src)",
    cost=GATHER,
)
op(
    "index_add",
    "input: tensor, /, dim, index, source",
    "torch.index_add, Tensor.index_add(input, dim, index, source)",
    cost=GATHER,
)
op(
    "masked_fill",
    "input: tensor, mask: tensor, value, /",
    "torch.masked_fill, Tensor.masked_fill(input, mask, value)",
    cost=GATHER,
)
op(
    "masked_select",
    "input: tensor, mask: tensor, /",
    "torch.masked_select, Tensor.masked_select(input, mask)",
    cost=GATHER,
)
op("nonzero", "input: tensor, /", "torch.nonzero, Tensor.nonzero(input)", cost=GATHER)
op(
    "searchsorted",
    "sorted_sequence: tensor, values, /, right=False",
    "torch.searchsorted(sorted_sequence, values, *, right=False)",
    cost=GATHER,
)
op(
    "embedding",
    "input: tensor, weight: tensor, /, padding_idx=None",
    "F.embedding(input, weight, padding_idx=None)",
    reference="torch.nn.functional.embedding",
    cost=GATHER,
)
op(
    "one_hot",
    "input: tensor, /, num_classes=-1",
    "F.one_hot(tensor: input, num_classes=-1)",
    "jnn.one_hot(x: input, num_classes)",
    reference="torch.nn.functional.one_hot",
    cost=GATHER,
)

layer(
    "nn.Embedding",
    "embedding",
    {"max_norm": None, "scale_grad_by_freq": False, "sparse": False},
    weight=".weight",
    padding_idx=".padding_idx",
)
