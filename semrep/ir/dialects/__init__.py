"""What names mean: the catalogue of operations and their spellings in torch, jax, numpy, triton.

    resolve("torch.matmul"), method("torch", "sum")   → spellings to bind a call with
    op_named("matmul").reference                      → shape and dtype on meta tensors
    spell(op, arguments, style)                       → source text

No array library is imported before a reference runs.
"""

from semrep.ir.dialects.bind import Bound, bind
from semrep.ir.dialects.catalogue import (
    dtype_of_path,
    layer_named,
    layers,
    method,
    method_names,
    op_named,
    ops,
    resolve,
    spellings_of,
)
from semrep.ir.dialects.op import PURE, RANDOM, REQUIRED, DType, Layer, Op, Purity, Spelling

__all__ = [
    "PURE", "RANDOM", "REQUIRED", "Bound", "DType", "Layer", "Op", "Purity", "Spelling", "bind",
    "dtype_of_path", "layer_named", "layers", "method", "method_names", "op_named", "ops",
    "resolve", "spellings_of",
]  # fmt: skip
