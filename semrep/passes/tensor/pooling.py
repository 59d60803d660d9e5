# ruff: noqa: E501 (patterns stay on one line)
"""Pooling: fewer windows, and less work before they are taken."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from semrep.passes.base import Refusal
from semrep.passes.contract import BITWISE, REASSOCIATES, WITHIN_TOLERANCE
from semrep.passes.rule import Rewrite, rewrite, rule
from semrep.passes.rule_guards import Found, Guard, constant, positive, refusal, unknown


def sizes(value: Any, count: int) -> tuple[int, ...] | None:
    """A pooling setting as one int for each of `count` dimensions."""
    if isinstance(value, int) and not isinstance(value, bool):
        return (value,) * count
    if isinstance(value, (tuple, list)) and len(value) in (1, count):
        if all(isinstance(v, int) for v in value):
            return tuple(value) * (count if len(value) == 1 else 1)
    return None


def short(values: tuple[int, ...]) -> int | tuple[int, ...]:
    return values[0] if len(set(values)) == 1 else values


def window(
    found: Found, kernel: str, stride: str, count: int
) -> tuple[tuple[int, ...], tuple[int, ...]] | Refusal:
    """Kernel and stride of a pooling, for each dimension."""
    size = sizes(found.constant(kernel), count)
    step = size if found.constant(stride) is None else sizes(found.constant(stride), count)
    if size is None or step is None:
        return refusal(
            "not-constant", "the pooling window is not a known constant", found.match.root
        )
    return size, step


def _combined(count: int, part: int) -> Callable[[Found], Any]:
    def compute(found: Found) -> Any:
        first = window(found, "$k", "$s", count)
        second = window(found, "$l", "$t", count)
        if isinstance(first, Refusal):
            return first
        if isinstance(second, Refusal):
            return second
        (k, s), (l, t) = first, second
        kernel = tuple(a + (b - 1) * c for a, b, c in zip(k, l, s, strict=True))
        stride = tuple(a * b for a, b in zip(s, t, strict=True))
        return short((kernel, stride)[part])

    return compute


rule(
    "merge-max-pools",
    """Take one maximum over the window of two max-pools in a row.

    Rewrite:     max_pool(max_pool(x, k1, s1), k2, s2)   -->   max_pool(x, k1 + (k2-1)*s1, s1*s2)
    Legal when:  no padding, dilation or ceil_mode; the inner pool is used nowhere else.
    Numerics:    bitwise; NaN comes through. Among equal elements the gradient may go to
                 another one.
    Refuses:     unknown-shape, not-constant, used-elsewhere, not-floating.
    """,
    *(
        rewrite(
            f"max_pool{n}d(max_pool{n}d($x, $k, stride=$s), $l, stride=$t)",
            f"max_pool{n}d($x, $p, stride=$q)",
            computed={"p": _combined(n, 0), "q": _combined(n, 1)},
        )
        for n in (2, 1, 3)
    ),
    contract=BITWISE.assuming("gradients at exact ties may go to another of the tied elements"),
    may_be_slower=True,
    example={"x": "f32(2, 3, 32, 32)", "k": 2, "s": 2, "l": 2, "t": 2},
)

_NUMBER = "a number"


def _is_number(value: Any) -> bool:
    return value is None or isinstance(value, (int, float))


def _same_in_window(name: str, count: int) -> Guard:
    """The array is the same all over each window: of size 1 in the pooled dimensions."""

    def check(found: Found) -> Refusal | None:
        value = found.value(name)
        if isinstance(value.constant, (int, float)) and value.tensor is None:
            return None
        tensor, pooled = value.tensor, found.tensor("$x")
        if tensor is None or pooled is None:
            return unknown(value)
        if tensor.rank > pooled.rank or any(s != 1 for s in tensor.shape[-count:]):
            return refusal("broadcast", "the added array differs within a window", value)
        if tensor.rank < count and tensor.rank > 0:
            return refusal("broadcast", "the added array differs within a window", value)
        return None

    return check


def _before_pool(function: str, where: list[Guard], rest: str = "") -> list[Rewrite]:
    """max_pool(f(x)) → f(max_pool(x)) in one, two and three dimensions."""
    pool = "max_pool{n}d({inner}, $k, stride=$s, padding=$p, dilation=$i, ceil_mode=$m)"
    return [
        rewrite(
            pool.format(n=n, inner=f"{function}($x{rest})"),
            f"{function}({pool.format(n=n, inner='$x')}{rest})",
            where=where,
        )
        for n in (2, 1, 3)
    ]


rule(
    "pool-before-clamp",
    """Take the maximum first, and clamp fewer elements.

    Rewrite:     max_pool(relu(x))   -->   relu(max_pool(x))
    Legal when:  the function is increasing in floating point too and keeps NaN: relu, relu6,
                 hardtanh and clamp with constant limits. Its result is used nowhere else.
    Numerics:    reassociates: the same values, but for the sign of a zero; NaN comes through.
                 The gradient goes to the same element, but for ties.
    Refuses:     unknown-shape, not-constant, used-elsewhere, not-floating.
    """,
    *_before_pool("relu", []),
    *_before_pool("relu6", []),
    *_before_pool(
        "clamp",
        [constant("$a", _is_number, _NUMBER), constant("$b", _is_number, _NUMBER)],
        ", min=$a, max=$b",
    ),
    contract=REASSOCIATES.assuming(
        "gradients at exact ties may go to another of the tied elements"
    ),
    example={"x": "f32(2, 3, 32, 32)", "k": 2, "s": 2, "p": 0, "i": 1, "m": False},
)

rule(
    "pool-before-activation",
    """Take the maximum first, and evaluate a costly increasing function on fewer elements.

    Rewrite:     max_pool(tanh(x))   -->   tanh(max_pool(x))
    Legal when:  the function is tanh, sigmoid, softplus, elu, a product with a positive number,
                 or a sum with something that is the same all over each window.
    Numerics:    within tolerance: implementations of tanh and the like are increasing only up
                 to their last bit. NaN comes through.
    Refuses:     unknown-shape, constant, not-constant, broadcast, used-elsewhere, not-floating.
    """,
    *_before_pool("tanh", []),
    *_before_pool("sigmoid", []),
    *_before_pool("softplus", [], ", beta=$a, threshold=$b"),
    *_before_pool("elu", [positive("$a")], ", alpha=$a"),
    *_before_pool("mul", [positive("$c")], ", $c"),
    *_before_pool("div", [positive("$c")], ", $c"),
    *(
        form
        for n in (1, 2, 3)
        for form in _before_pool("add", [_same_in_window("$c", n)], ", $c")
        if form.pattern.op.name == f"max_pool{n}d"
    ),
    contract=WITHIN_TOLERANCE,
    example={"x": "f32(2, 3, 32, 32)", "k": 2, "s": 2, "p": 0, "i": 1, "m": False},
)


def _pointwise(count: int) -> Guard:
    def check(found: Found) -> Refusal | None:
        weight = found.tensor("$w")
        if weight is None:
            return unknown(found.value("$w"))
        if any(size != 1 for size in weight.shape[2:]):
            shape = "×".join(map(str, weight.shape[2:]))
            return refusal(
                "kernel", f"the kernel is {shape}, not 1 in each dimension", found.value("$w")
            )
        for name, wanted in (("$s", 1), ("$p", 0)):
            given = sizes(found.constant(name), count)
            if given is None or set(given) != {wanted}:
                return refusal(
                    "stride", "the convolution has a stride or padding", found.value(name)
                )
        return None

    return check


rule(
    "pool-before-pointwise",
    """Average first, and let a 1×1 convolution work on fewer pixels.

    Rewrite:     avg_pool(conv1x1(x, w, b))   -->   conv1x1(avg_pool(x), w, b)
    Legal when:  the kernel has one tap, stride 1 and no padding; the pool has no padding (that
                 would average the bias with zeros) and no ceil_mode.
    Numerics:    reassociates.
    Refuses:     unknown-shape, kernel, stride, used-elsewhere, not-floating.
    """,
    *(
        rewrite(
            f"avg_pool{n}d(conv{n}d($x, $w, $b, stride=$s, padding=$p, dilation=$i, groups=$g), $k, stride=$t)",
            f"conv{n}d(avg_pool{n}d($x, $k, stride=$t), $w, $b, groups=$g)",
            where=[_pointwise(n)],
        )
        for n in (2, 1, 3)
    ),
    contract=REASSOCIATES,
    example={"x": "f32(2, 8, 32, 32)", "w": "f32(16, 8, 1, 1)", "b": "f32(16)", "s": 1, "p": 0,
             "i": 1, "g": 1, "k": 2, "t": 2},
)  # fmt: skip


def _split_window(count: int, first: bool) -> Callable[[Found, str, int], Any]:
    """A pooling setting for the last dimension alone, or for the others alone."""

    def compute(found: Found, name: str, neutral: int) -> Any:
        given = found.constant(name)
        if name == "$s" and given is None:
            given = found.constant("$k")
        setting = sizes(given, count)
        if setting is None:
            return refusal(
                "not-constant", "the pooling window is not a known constant", found.match.root
            )
        rest = (neutral,) * (count - 1)
        return short((*rest, setting[-1]) if first else (*setting[:-1], neutral))

    return compute


def _separated(op: str, count: int, dilates: bool) -> Rewrite:
    settings = {"k": 1, "s": 1, "p": 0} | ({"i": 1} if dilates else {})
    computed = {
        f"{letter}{number}": _bound(_split_window(count, number == 1), f"${letter}", neutral)
        for letter, neutral in settings.items()
        for number in (1, 2)
    }

    def pool(inner: str, number: str) -> str:
        dilation = f", dilation=$i{number}" if dilates else ""
        return f"{op}{count}d({inner}, $k{number}, stride=$s{number}, padding=$p{number}{dilation})"

    return rewrite(pool("$x", ""), pool(pool("$x", "1"), "2"), [_wide(count)], computed)


def _bound(
    compute: Callable[[Found, str, int], Any], name: str, neutral: int
) -> Callable[[Found], Any]:
    return lambda found: compute(found, name, neutral)


def _wide(count: int) -> Guard:
    """Windows overlap, and are wide enough for two passes to read less than one."""

    def check(found: Found) -> Refusal | None:
        found_window = window(found, "$k", "$s", count)
        if isinstance(found_window, Refusal):
            return found_window
        size, step = found_window
        once = math.prod(size)
        # The first pass gives one row for each of the input's, of which the second reads its share.
        twice = size[-1] * math.prod(step[:-1]) + math.prod(size[:-1])
        if once >= 1.5 * twice:
            return None
        return refusal("window", "one pass over these windows reads as little", found.match.root)

    return check


rule(
    "separate-max-pool",
    """Take the maximum along one dimension after the other.

    Rewrite:     max_pool2d(x, 9, stride=1)   -->   max_pool2d(max_pool2d(x, (1, 9), stride=1),
                 (9, 1), stride=1)
    Legal when:  windows overlap so much that two passes read less. Padding counts as less than
                 anything, in each pass; no ceil_mode.
    Numerics:    bitwise; NaN comes through. Among equal elements the gradient may go to another
                 one.
    Refuses:     unknown-shape, not-constant, window, not-floating.
    """,
    _separated("max_pool", 2, True),
    _separated("max_pool", 3, True),
    contract=BITWISE.assuming("gradients at exact ties may go to another of the tied elements"),
    may_be_slower=True,
    example={"x": "f32(2, 3, 32, 32)", "k": 5, "s": 1, "p": 2, "i": 1},
)

rule(
    "separate-average-pool",
    """Average along one dimension after the other.

    Rewrite:     avg_pool2d(x, 9, stride=1)   -->   avg_pool2d(avg_pool2d(x, (1, 9), stride=1),
                 (9, 1), stride=1)
    Legal when:  windows overlap so much that two passes read less. Padding is averaged along
                 with the rest (count_include_pad); no ceil_mode, no other divisor.
    Numerics:    reassociates.
    Refuses:     unknown-shape, not-constant, window, not-floating.
    """,
    _separated("avg_pool", 2, False),
    _separated("avg_pool", 3, False),
    contract=REASSOCIATES,
    may_be_slower=True,
    example={"x": "f32(2, 3, 32, 32)", "k": 5, "s": 1, "p": 2},
)
