# ruff: noqa: E501 (patterns stay on one line)
"""Convolutions: composed with what follows, or written as a cheaper kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from semrep.passes.base import Refusal
from semrep.passes.contract import REASSOCIATES
from semrep.passes.rule import Rewrite, rewrite, rule
from semrep.passes.rule_guards import Found, Guard, refusal, unknown
from semrep.passes.tensor.pooling import short, sizes, window


def _all_equal(count: int, **wanted: int) -> Guard:
    """Settings that must have one value in every dimension: metavariable → value."""

    def check(found: Found) -> Refusal | None:
        for name, value in wanted.items():
            given = sizes(found.constant(name), count)
            if given is None:
                return refusal(
                    "not-constant", "a setting of the convolution is not known", found.value(name)
                )
            if set(given) != {value}:
                message = f"a setting of the convolution is {short(given)}, not {value}"
                return refusal("setting", message, found.value(name))
        return None

    return check


def _pool_tiles(count: int) -> Guard:
    """The pool's windows neither overlap nor leave gaps."""

    def check(found: Found) -> Refusal | None:
        found_window = window(found, "$k", "$t", count)
        if isinstance(found_window, Refusal):
            return found_window
        if found_window[0] != found_window[1]:
            return refusal("stride", "the pool's stride differs from its window", found.match.root)
        return None

    return check


def _border(count: int) -> Callable[[Found], Any]:
    """Padding of the kernel by one less than the pool's window, last dimension first."""

    def compute(found: Found) -> Any:
        found_window = window(found, "$k", "$t", count)
        if isinstance(found_window, Refusal):
            return found_window
        return tuple(k - 1 for k in reversed(found_window[0]) for _ in range(2))

    return compute


def _pool_size(count: int) -> Callable[[Found], Any]:
    def compute(found: Found) -> Any:
        found_window = window(found, "$k", "$t", count)
        return found_window if isinstance(found_window, Refusal) else short(found_window[0])

    return compute


rule(
    "compose-conv-pool",
    """Average-pool the kernel instead of the output of a convolution.

    Rewrite:     avg_pool(conv(x, w, b), p)   -->   conv(x, w′, b, stride=p), where w′ is w
                 averaged over the p shifts of a window
    Legal when:  the convolution has stride 1, no dilation and numeric padding; the pool's
                 windows tile (stride = window), without padding or ceil_mode.
    Numerics:    reassociates.
    Refuses:     unknown-shape, setting, stride, used-elsewhere, not-faster, not-floating.
    """,
    *(
        rewrite(
            f"avg_pool{n}d(conv{n}d($x, $w, $b, stride=$s, padding=$p, dilation=$i, groups=$g), $k, stride=$t)",
            f"conv{n}d($x, avg_pool{n}d(pad($w, $border), $size, stride=1), $b, stride=$size, padding=$p, groups=$g)",
            where=[_all_equal(n, s=1, i=1), _pool_tiles(n)],
            computed={"border": _border(n), "size": _pool_size(n)},
        )
        for n in (2, 3)
    ),
    contract=REASSOCIATES,
    example={"x": "f32(2, 8, 32, 32)", "w": "f32(16, 8, 3, 3)", "b": "f32(16)", "s": 1, "p": 1,
             "i": 1, "g": 1, "k": 2, "t": 2},
)  # fmt: skip


def _flipped_padding(count: int) -> Callable[[Found], Any]:
    def compute(found: Found) -> Any:
        weight = found.tensor("$w")
        padding = sizes(found.constant("$p"), count)
        if weight is None:
            return unknown(found.value("$w"))
        if padding is None:
            return refusal("not-constant", "the padding is not known", found.match.root)
        other = tuple(k - 1 - p for k, p in zip(weight.shape[2:], padding, strict=True))
        if any(p < 0 for p in other):
            return refusal("setting", "more padding than the kernel reaches", found.match.root)
        return short(other)

    return compute


rule(
    "flip-transposed-conv",
    """Write a transposed convolution of stride 1 as a convolution with the flipped kernel.

    Rewrite:     conv_transpose(x, w, b)   -->   conv(x, w.flip(spatial).transpose(0, 1), b, padding=k-1)
    Legal when:  stride and dilation are 1, one group, no output padding.
    Numerics:    reassociates.
    Refuses:     unknown-shape, setting, not-floating.
    """,
    *(
        rewrite(
            f"conv_transpose{n}d($x, $w, $b, stride=$s, padding=$p, output_padding=$o, groups=1, dilation=$i)",
            f"conv{n}d($x, transpose(flip($w, dims={tuple(range(2, 2 + n))}), dim0=0, dim1=1), $b, padding=$q)",
            where=[_all_equal(n, s=1, i=1, o=0)],
            computed={"q": _flipped_padding(n)},
        )
        for n in (2, 1, 3)
    ),
    contract=REASSOCIATES,
    may_be_slower=True,
    example={"x": "f32(2, 8, 16, 16)", "w": "f32(8, 16, 3, 3)", "b": "f32(16)", "s": 1, "p": 0,
             "o": 0, "i": 1},
)  # fmt: skip


def _reach(count: int, dim: int) -> Callable[[Found], Any]:
    """By how much an output dimension exceeds stride times (input size - 1), or the input
    size itself where the stride is 1."""

    def compute(found: Found) -> Any:
        weight = found.tensor("$w")
        extra, stride = sizes(found.constant("$o"), count), sizes(found.constant("$s"), count)
        if weight is None:
            return unknown(found.value("$w"))
        if extra is None or stride is None:
            return refusal(
                "not-constant", "a setting of the convolution is not known", found.match.root
            )
        reach = weight.shape[2 + dim] + extra[dim]
        return reach - 1 if stride[dim] == 1 else reach

    return compute


def _stride_of(count: int, dim: int) -> Callable[[Found], Any]:
    def compute(found: Found) -> Any:
        stride = sizes(found.constant("$s"), count)
        return None if stride is None else stride[dim]

    return compute


def _strides(count: int, is_one: bool) -> Guard:
    def check(found: Found) -> Refusal | None:
        stride = sizes(found.constant("$s"), count)
        if stride is None:
            return refusal("not-constant", "the stride is not known", found.match.root)
        if is_one == (set(stride) == {1}) and (is_one or 1 not in stride):
            return None
        return refusal("setting", f"the stride is {short(stride)}", found.match.root)

    return check


def _average_forms(count: int) -> list[Rewrite]:
    spatial = tuple(range(2, 2 + count))
    dims = spatial if count > 1 else 2
    inner = f"conv_transpose{count}d($x, $w, $b, stride=$s, padding=$p, output_padding=$o, groups=1, dilation=$i)"
    found = []
    for is_one in (True, False):
        lengths = [
            f"(shape($x)[{d}] + $e{d})" if is_one else f"((shape($x)[{d}] - 1) * $t{d} + $e{d})"
            for d in spatial
        ]
        computed: dict[str, Callable[[Found], Any]] = {
            f"e{d}": _reach(count, d - 2) for d in spatial
        }
        if not is_one:
            computed |= {f"t{d}": _stride_of(count, d - 2) for d in spatial}
        kept = (
            f"conv{count}d(sum($x, dim={dims}, keepdim=True) / ({' * '.join(lengths)}), "
            f"transpose(sum($w, dim={dims}, keepdim=True), dim0=0, dim1=1), $b)"
        )
        where = [_all_equal(count, p=0, i=1), _strides(count, is_one)]
        found += [
            rewrite(f"mean({inner}, dim={dims}, keepdim=True)", kept, where, computed),
            rewrite(f"mean({inner}, dim={dims})", f"flatten({kept}, start_dim=1)", where, computed),
            rewrite(f"adaptive_avg_pool{count}d({inner}, 1)", kept, where, computed),
        ]
    return found


rule(
    "average-transposed-conv",
    """Average a transposed convolution over all positions from the sums of its factors.

    Rewrite:     conv_transpose(x, w, b).mean((2, 3), keepdim=True)
                 -->   conv1x1(x.sum((2, 3), keepdim=True) / positions, w.sum((2, 3)).T, b)
    Legal when:  one group, no padding, no dilation: then every tap meets every input element,
                 and nothing is cut off. The mean is over all spatial dimensions.
    Numerics:    reassociates.
    Refuses:     unknown-shape, setting, not-constant, used-elsewhere, not-floating.
    """,
    *_average_forms(2),
    *_average_forms(3),
    *_average_forms(1),
    contract=REASSOCIATES,
    example={"x": "f32(2, 8, 16, 16)", "w": "f32(8, 16, 3, 3)", "b": "f32(16)", "s": 1, "p": 0,
             "o": 0, "i": 1},
)  # fmt: skip
