# ruff: noqa: E501 (one spelling, one line)
"""Views and rearrangements. NumPy and jax methods that return views in one framework and
copies in another are marked `may-alias`."""

from semrep.ir.dialects.catalogue import layer, op
from semrep.ir.dialects.op import FREE, GATHER, may_alias, view_of

_VIEW = view_of("input")
_MAY = may_alias("input")

op(
    "reshape",
    "input: tensor, /, shape",
    "torch.reshape(input, shape)",
    "Tensor.reshape(self: input, *shape)",
    "np.reshape, jnp.reshape(a: input, shape)",
    "ndarray.reshape, Array.reshape(self: input, *shape)",
    "tl.reshape(input, *shape)",
    purity=_MAY,
    cost=FREE,
)
op(
    "view",
    "input: tensor, /, shape",
    "Tensor.view(self: input, *shape)",
    "tl.view(input, *shape)",
    reference=":view",
    purity=_VIEW,
    cost=FREE,
)
op(
    "view_as",
    "input: tensor, other: tensor, /",
    "Tensor.view_as(self: input, other)",
    reference="torch.Tensor.view_as",
    purity=_VIEW,
    cost=FREE,
)
op(
    "flatten",
    "input: tensor, /, start_dim=0, end_dim=-1",
    "torch.flatten, Tensor.flatten(input, start_dim=0, end_dim=-1)",
    purity=_MAY,
    cost=FREE,
)
op(
    "ravel",
    "input: tensor, /",
    "torch.ravel, Tensor.ravel(input)",
    "np.ravel, ndarray.ravel, jnp.ravel, Array.ravel(a: input)",
    purity=_MAY,
    cost=FREE,
)
op(
    "unflatten",
    "input: tensor, /, dim, sizes",
    "torch.unflatten, Tensor.unflatten(input, dim, sizes)",
    purity=_MAY,
    cost=FREE,
)
op(
    "permute",
    "input: tensor, /, dims",
    "torch.permute(input, dims)",
    "Tensor.permute(self: input, *dims)",
    "np.transpose, jnp.transpose(a: input, axes: dims)",
    "np.permute_dims, jnp.permute_dims(a: input, axes: dims)",
    "ndarray.transpose, Array.transpose(self: input, *dims)",
    "lax.transpose(operand: input, permutation: dims)",
    "tl.permute(input, *dims)",
    purity=_VIEW,
    cost=FREE,
)
op(
    "transpose",
    "input: tensor, /, dim0, dim1",
    "torch.transpose, Tensor.transpose, torch.swapaxes, Tensor.swapaxes, torch.swapdims, Tensor.swapdims(input, dim0, dim1)",
    "np.swapaxes, ndarray.swapaxes, jnp.swapaxes, Array.swapaxes(a: input, axis1: dim0, axis2: dim1)",
    purity=_VIEW,
    cost=FREE,
)
op("t", "input: tensor, /", "torch.t, Tensor.t(input)", purity=_VIEW, cost=FREE)
# All dimensions reversed.
op(
    "reverse_dims",
    "input: tensor, /",
    "Tensor.T",
    "ndarray.T",
    "Array.T",
    "np.transpose, jnp.transpose, ndarray.transpose, Array.transpose(a: input)",
    "tl.trans(input)",
    reference=":reverse_dims",
    purity=_VIEW,
    cost=FREE,
)
op(
    "mT",
    "input: tensor, /",
    "Tensor.mT",
    "ndarray.mT",
    "Array.mT",
    "np.matrix_transpose, jnp.matrix_transpose(x: input)",
    reference=":mT",
    purity=_VIEW,
    cost=FREE,
)
op(
    "movedim",
    "input: tensor, /, source, destination",
    "torch.movedim, Tensor.movedim, torch.moveaxis, Tensor.moveaxis(input, source, destination)",
    "np.moveaxis, jnp.moveaxis(a: input, source, destination)",
    purity=_VIEW,
    cost=FREE,
)
op(
    "squeeze",
    "input: tensor, /, dim=None",
    "torch.squeeze, Tensor.squeeze(input, dim=None)",
    "np.squeeze, ndarray.squeeze, jnp.squeeze, Array.squeeze(a: input, axis: dim=None)",
    reference=":squeeze",
    purity=_VIEW,
    cost=FREE,
)
op(
    "unsqueeze",
    "input: tensor, /, dim",
    "torch.unsqueeze, Tensor.unsqueeze(input, dim)",
    "np.expand_dims, jnp.expand_dims(a: input, axis: dim)",
    "tl.expand_dims(input, axis: dim)",
    purity=_VIEW,
    cost=FREE,
)
op(
    "expand",
    "input: tensor, /, size",
    "Tensor.expand(self: input, *size)",
    reference=":expand",
    purity=_VIEW,
    cost=FREE,
)
op(
    "expand_as",
    "input: tensor, other: tensor, /",
    "Tensor.expand_as(self: input, other)",
    reference="torch.Tensor.expand_as",
    purity=_VIEW,
    cost=FREE,
)
op(
    "broadcast_to",
    "input: tensor, /, shape",
    "torch.broadcast_to, Tensor.broadcast_to(input, shape: shape)",
    "np.broadcast_to, jnp.broadcast_to(array: input, shape)",
    "tl.broadcast_to(input, *shape)",
    reference=":broadcast_to",
    purity=_VIEW,
    cost=FREE,
)
op(
    "repeat",
    "input: tensor, /, repeats",
    "Tensor.repeat(self: input, *repeats)",
    reference="torch.Tensor.repeat",
    cost=GATHER,
)
op(
    "tile",
    "input: tensor, /, dims",
    "torch.tile(input, dims)",
    "np.tile, jnp.tile(A: input, reps: dims)",
    cost=GATHER,
)
op(
    "repeat_interleave",
    "input: tensor, /, repeats, dim=None",
    "torch.repeat_interleave, Tensor.repeat_interleave(input, repeats, dim=None)",
    "np.repeat, ndarray.repeat, jnp.repeat, Array.repeat(a: input, repeats, axis: dim=None)",
    cost=GATHER,
)
op(
    "cat",
    "tensors, /, dim=0",
    "torch.cat, torch.concat, torch.concatenate(tensors, dim=0)",
    "np.concatenate, jnp.concatenate, np.concat, jnp.concat(arrays: tensors, axis: dim=0)",
    reference=":cat",
    cost=GATHER,
)
op(
    "stack",
    "tensors, /, dim=0",
    "torch.stack(tensors, dim=0)",
    "np.stack, jnp.stack(arrays: tensors, axis: dim=0)",
    reference=":stack",
    cost=GATHER,
)
op(
    "hstack",
    "tensors, /",
    "torch.hstack(tensors)",
    "np.hstack, jnp.hstack(tup: tensors)",
    reference=":hstack",
    cost=GATHER,
)
op(
    "vstack",
    "tensors, /",
    "torch.vstack, torch.row_stack(tensors)",
    "np.vstack, jnp.vstack(tup: tensors)",
    reference=":vstack",
    cost=GATHER,
)
op(
    "split",
    "input: tensor, /, split_size, dim=0",
    "torch.split, Tensor.split(input, split_size_or_sections: split_size, dim=0)",
    reference="torch.ops.aten.split",
    purity=_VIEW,
    cost=FREE,
    results=0,
)
op(
    "chunk",
    "input: tensor, /, chunks, dim=0",
    "torch.chunk, Tensor.chunk(input, chunks, dim=0)",
    purity=_VIEW,
    cost=FREE,
    results=0,
)
op(
    "unbind",
    "input: tensor, /, dim=0",
    "torch.unbind, Tensor.unbind(input, dim=0)",
    purity=_VIEW,
    cost=FREE,
    results=0,
)
op(
    "numpy_split",
    "input: tensor, /, sections, dim=0",
    "np.split, jnp.split(ary: input, indices_or_sections: sections, axis: dim=0)",
    reference="torch.tensor_split",
    purity=_VIEW,
    cost=FREE,
    results=0,
)
op(
    "flip",
    "input: tensor, /, dims",
    "torch.flip(input, dims)",
    "Tensor.flip(self: input, *dims)",
    cost=GATHER,
)
op(
    "numpy_flip",
    "input: tensor, /, dim=None",
    "np.flip, jnp.flip(m: input, axis: dim=None)",
    reference=":numpy_flip",
    purity=_MAY,
    cost=GATHER,
)
op(
    "roll",
    "input: tensor, /, shifts, dims=None",
    "torch.roll, Tensor.roll(input, shifts, dims=None)",
    "np.roll, jnp.roll(a: input, shift: shifts, axis: dims=None)",
    cost=GATHER,
)
op(
    "rot90",
    "input: tensor, /, k=1, dims=(0, 1)",
    "torch.rot90, Tensor.rot90(input, k=1, dims=(0, 1))",
    "np.rot90, jnp.rot90(m: input, k=1, axes: dims=(0, 1))",
    purity=_MAY,
    cost=GATHER,
)
op(
    "contiguous",
    "input: tensor, /",
    "Tensor.contiguous(self: input)",
    "np.ascontiguousarray(a: input)",
    reference="torch.Tensor.contiguous",
    purity=_MAY,
    cost=FREE,
)
op(
    "clone",
    "input: tensor, /",
    "torch.clone, Tensor.clone(input)",
    "np.copy, ndarray.copy, jnp.copy, Array.copy(a: input)",
    cost=GATHER,
)
op(
    "detach",
    "input: tensor, /",
    "Tensor.detach(self: input)",
    reference="torch.Tensor.detach",
    purity=_VIEW,
    cost=FREE,
)
op(
    "stop_gradient",
    "input: tensor, /",
    "lax.stop_gradient(x: input)",
    reference=":identity",
    purity=_MAY,
    cost=FREE,
)
op(
    "unfold",
    "input: tensor, /, dimension, size, step",
    "Tensor.unfold(self: input, dimension, size, step)",
    reference="torch.Tensor.unfold",
    purity=_VIEW,
    cost=FREE,
)
op(
    "narrow",
    "input: tensor, /, dim, start, length",
    "torch.narrow, Tensor.narrow(input, dim, start, length)",
    purity=_VIEW,
    cost=FREE,
)
op(
    "select",
    "input: tensor, /, dim, index",
    "torch.select, Tensor.select(input, dim, index)",
    purity=_VIEW,
    cost=FREE,
)
op(
    "pad",
    "input: tensor, /, pad, mode='constant', value=None",
    "F.pad(input, pad, mode='constant', value=None)",
    reference="torch.nn.functional.pad",
    cost=GATHER,
)
op(
    "meshgrid",
    "tensors, /, indexing='ij'",
    "torch.meshgrid(*tensors, indexing='ij')",
    reference=":meshgrid",
    purity=view_of("tensors"),
    results=0,
)

layer("nn.Flatten", "flatten", start_dim=".start_dim", end_dim=".end_dim")
layer("nn.Unflatten", "unflatten", dim=".dim", sizes=".unflattened_size")
