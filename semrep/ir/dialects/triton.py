# ruff: noqa: E501 (one spelling, one line)
"""What only kernels have: memory, block products, grid and control of the compiler.

Loads read memory, so they are not pure: a store between two loads may change what they see.
"""

from semrep.ir.dialects.catalogue import op
from semrep.ir.dialects.op import EFFECT, FREE, GATHER, MATMUL, Purity

_READS = Purity("reads")

op(
    "load",
    "pointer, /, mask=None, other=None, boundary_check=(), padding_option='', cache_modifier='', eviction_policy='', volatile=False",
    "tl.load(pointer, mask=None, other=None, boundary_check=(), padding_option='', cache_modifier='', eviction_policy='', volatile=False)",
    reference=":none",
    purity=_READS,
    cost=GATHER,
)
op(
    "store",
    "pointer, value, /, mask=None, boundary_check=(), cache_modifier='', eviction_policy=''",
    "tl.store(pointer, value, mask=None, boundary_check=(), cache_modifier='', eviction_policy='')",
    reference=":none",
    purity=EFFECT,
    cost=GATHER,
)
for _name in ("add", "max", "min", "and", "or", "xor", "xchg"):
    op(
        f"atomic_{_name}",
        "pointer, val, /, mask=None, sem=None, scope=None",
        f"tl.atomic_{_name}(pointer, val, mask=None, sem=None, scope=None)",
        reference=":none",
        purity=EFFECT,
        cost=GATHER,
    )
op(
    "atomic_cas",
    "pointer, cmp, val, /",
    "tl.atomic_cas(pointer, cmp, val)",
    reference=":none",
    purity=EFFECT,
    cost=GATHER,
)
# Rounds operands to tf32 by default on hardware that has it, so it is not matmul.
op(
    "triton_dot",
    "input, other, acc, /, input_precision=None, allow_tf32=None, out_dtype=None",
    "tl.dot(input, other, acc=None, input_precision=None, allow_tf32=None, out_dtype=None)",
    reference=":none",
    cost=MATMUL,
)
op("program_id", "axis, /", "tl.program_id(axis)", reference=":none", cost=FREE)
op("num_programs", "axis, /", "tl.num_programs(axis)", reference=":none", cost=FREE)
op("cdiv", "x, div, /", "tl.cdiv, triton.cdiv(x, div)", reference=":none", cost=FREE)
op(
    "make_block_ptr",
    "base, /, shape, strides, offsets, block_shape, order",
    "tl.make_block_ptr(base, shape, strides, offsets, block_shape, order)",
    reference=":none",
    cost=FREE,
)
op("multiple_of", "input, /, values", "tl.multiple_of(input, values)", reference=":none", cost=FREE)
op(
    "max_contiguous",
    "input, /, values",
    "tl.max_contiguous(input, values)",
    reference=":none",
    cost=FREE,
)
op("debug_barrier", "", "tl.debug_barrier()", reference=":none", purity=EFFECT, cost=FREE)
op(
    "triton_range",
    "start, end, /, num_stages=None",
    "tl.range(start, end, num_stages=None)",
    reference=":none",
    cost=FREE,
)
op(
    "associative_scan",
    "input, /, axis, combine_fn",
    "tl.associative_scan(input, axis, combine_fn)",
    reference=":none",
)
op(
    "triton_reduce",
    "input, /, axis, combine_fn",
    "tl.reduce(input, axis, combine_fn)",
    reference=":none",
)
op("triton_join", "a, b, /", "tl.join(a, b)", reference=":none")
op("triton_interleave", "a, b, /", "tl.interleave(a, b)", reference=":none")
op(
    "triton_cat",
    "input, other, /, can_reorder=False",
    "tl.cat(input, other, can_reorder=False)",
    reference=":none",
)
