# ruff: noqa: E501 (patterns stay on one line)
"""Normalisations: written out, called by their names; scales, shifts and batch norms taken in."""

from __future__ import annotations

import itertools
import math
from typing import Any

from semrep.ir.signature import LayerType
from semrep.ir.values import ATTRIBUTE
from semrep.passes.base import Refusal
from semrep.passes.contract import REASSOCIATES, WITHIN_TOLERANCE
from semrep.passes.rule import Rewrite, rewrite, rule
from semrep.passes.rule_guards import (
    Found,
    Guard,
    constant,
    describe,
    rank,
    same_shape,
    unknown,
)
from semrep.passes.rule_guards import refusal as refuse
from semrep.passes.tensor.activations import in_framework

_OVERFLOW = "overflow and underflow can come at another magnitude"
_SQUARES = ("square(IT)", "pow(IT, 2)", "mul(IT, IT)")
_ROOTS = ("sqrt(IT)", "pow(IT, 0.5)")


def _each(pattern: str, mark: str, parts: tuple[str, ...]) -> list[str]:
    return [pattern.replace(mark, part) for part in parts]


# -- softmax --------------------------------------------------------------------------------


def _single(found: Found) -> Any:
    dims = found.dims("d")
    if dims is None or len(dims) != 1:
        return refuse("dims", "not one dimension", found.match.root)
    return dims[0]


_LARGEST = ("amax($x, dim=$d, keepdim=True)", "max_dim($x, dim=$d, keepdim=True)[0]")
_EXP = "exp(sub($x, MAX))"

rule(
    "name-softmax",
    """Call softmax by its name: one kernel instead of five.

    Rewrite:     e = exp(x - x.amax(d, keepdim=True));  e / e.sum(d, keepdim=True)
                 -->   softmax(x, d)
    Legal when:  maximum and sum are along the same dimension. Without the maximum it is left
                 alone: it overflows where softmax does not. NumPy has no such function.
    Numerics:    within tolerance; NaN and infinities come out the same.
    Refuses:     unknown-shape, dims, no-name, used-elsewhere, not-floating.
    """,
    *(
        rewrite(
            f"div({_EXP}, sum({_EXP}, dim=$d, keepdim=True))".replace("MAX", largest),
            "softmax($x, dim=$e)",
            computed={"e": _single},
        )
        for largest in _LARGEST
    ),
    contract=WITHIN_TOLERANCE,
    example={"x": "f32(64, 256)", "d": 1},
)

rule(
    "name-log-softmax",
    """Call log_softmax by its name: one kernel instead of six.

    Rewrite:     y = x - x.amax(d, keepdim=True);  y - log(exp(y).sum(d, keepdim=True))
                 -->   log_softmax(x, d)
    Legal when:  maximum and sum are along the same dimension. The logarithm of a softmax is left
                 alone: it is minus infinity where the softmax underflows. NumPy has no such
                 function.
    Numerics:    within tolerance; NaN and infinities come out the same.
    Refuses:     unknown-shape, dims, no-name, used-elsewhere, not-floating.
    """,
    *(
        rewrite(
            f"sub(sub($x, MAX), log(sum({_EXP}, dim=$d, keepdim=True)))".replace("MAX", largest),
            "log_softmax($x, dim=$e)",
            computed={"e": _single},
        )
        for largest in _LARGEST
    ),
    contract=WITHIN_TOLERANCE,
    example={"x": "f32(64, 256)", "d": 1},
)


_FINITE = constant("$c", lambda v: isinstance(v, (int, float)) and math.isfinite(v), "finite")

rule(
    "drop-softmax-shift",
    """Drop what is added to all elements that a softmax compares.

    Rewrite:     softmax(x - x.amax(d, keepdim=True), d)   -->   softmax(x, d);   x + 2.0 likewise
    Legal when:  the shift is the maximum along the same dimension, or a finite number. The same
                 for log_softmax. Softmax subtracts the maximum itself.
    Numerics:    within tolerance; NaN and infinities come out the same.
    Refuses:     unknown-shape, constant, not-constant, used-elsewhere, not-floating.
    """,
    *(
        form
        for name in ("softmax", "log_softmax")
        for form in (
            *(rewrite(f"{name}(sub($x, {largest}), dim=$d)", f"{name}($x, dim=$d)") for largest in _LARGEST),
            rewrite(f"{name}(add($x, $c), dim=$d)", f"{name}($x, dim=$d)", where=[_FINITE]),
            rewrite(f"{name}(sub($x, $c), dim=$d)", f"{name}($x, dim=$d)", where=[_FINITE]),
        )
    ),
    contract=WITHIN_TOLERANCE,
    example={"x": "f32(64, 256)", "d": 1},
)  # fmt: skip

# -- layer norm, rms norm ---------------------------------------------------------------------

_MEAN = "mean($x, dim=-1, keepdim=True)"
_CENTRED = f"sub($x, {_MEAN})"
_VARIANCES = (
    "var($x, dim=-1, correction=0, keepdim=True)",
    *(f"mean({square.replace('IT', _CENTRED)}, dim=-1, keepdim=True)" for square in _SQUARES),
)
_EPSILON = constant("$e", lambda v: isinstance(v, (int, float)) and v > 0, "a positive number")


def _divided(array: str, variance: str) -> list[str]:
    """An array over the root of variance + epsilon, in each spelling."""
    shifted = f"add({variance}, $e)"
    return [
        *(f"div({array}, {root.replace('IT', shifted)})" for root in _ROOTS),
        f"mul({array}, rsqrt({shifted}))",
        f"mul({array}, pow({shifted}, -0.5))",
    ]


rule(
    "name-layer-norm",
    """Call layer norm by its name: one kernel instead of eight.

    Rewrite:     (x - x.mean(-1, keepdim=True)) / sqrt(x.var(-1, correction=0, keepdim=True) + e)
                 -->   layer_norm(x, [x.shape[-1]], eps=e)
    Legal when:  mean and variance are along the last dimension, the variance is the population's
                 (torch's default divides by n - 1), and e is a positive number inside the root.
                 Only in torch.
    Numerics:    within tolerance.
    Refuses:     unknown-shape, no-name, constant, used-elsewhere, not-floating.
    """,
    *(
        rewrite(pattern, "layer_norm($x, None, None, normalized_shape=[shape($x)[-1]], eps=$e)", where=[in_framework("torch"), _EPSILON])
        for variance in _VARIANCES
        for pattern in _divided(_CENTRED, variance)
    ),
    contract=WITHIN_TOLERANCE.assuming("the variance does not overflow"),
    example={"x": "f32(64, 256)", "e": 1e-5},
)  # fmt: skip

rule(
    "name-rms-norm",
    """Call the root-mean-square norm by its name: one kernel instead of five.

    Rewrite:     x * rsqrt(x.pow(2).mean(-1, keepdim=True) + e)
                 -->   rms_norm(x, [x.shape[-1]], eps=e)
    Legal when:  the mean is along the last dimension, and e is a positive number inside the root.
                 Only in torch. Where the library has no kernel of its own, time decides.
    Numerics:    within tolerance.
    Refuses:     unknown-shape, no-name, constant, used-elsewhere, not-floating.
    """,
    *(
        rewrite(pattern, "rms_norm($x, None, normalized_shape=[shape($x)[-1]], eps=$e)", where=[in_framework("torch"), _EPSILON])
        for square in _SQUARES
        for pattern in _divided("$x", f"mean({square.replace('IT', '$x')}, dim=-1, keepdim=True)")
    ),
    contract=WITHIN_TOLERANCE,
    example={"x": "f32(64, 256)", "e": 1e-5},
    may_be_slower=True,
)  # fmt: skip


def _covers(name: str) -> Guard:
    """The array has one element for each that is normalised together: nothing is broadcast."""

    def check(found: Found) -> Refusal | None:
        value, shape = found.value(name), found.value("$s")
        if value.tensor is None:
            if value.is_constant:
                return refuse("not-an-array", f"{describe(value)} is no array", value)
            return unknown(value)
        sizes = shape.constant
        sizes = (
            (sizes,)
            if isinstance(sizes, int)
            else tuple(sizes)
            if isinstance(sizes, (tuple, list))
            else None
        )
        if sizes is None and shape.elements:
            sizes = tuple(v.constant for v in shape.elements)
        if sizes == value.tensor.shape:
            return None
        return refuse(
            "broadcast", f"{describe(value)} has another shape than what is normalised", value
        )

    return check


rule(
    "affine-into-norm",
    """Let a normalisation scale and shift its result itself.

    Rewrite:     layer_norm(x, s) * w + b   -->   layer_norm(x, s, w, b);   the same for rms_norm
    Legal when:  w and b have just the normalised shape; the inner results are used nowhere else.
    Numerics:    reassociates.
    Refuses:     unknown-shape, broadcast, not-an-array, used-elsewhere, not-floating.
    """,
    rewrite(
        "add(mul(layer_norm($x, None, None, normalized_shape=$s, eps=$e), $w), $b)",
        "layer_norm($x, $w, $b, normalized_shape=$s, eps=$e)",
        where=[_covers("$w"), _covers("$b")],
    ),
    rewrite(
        "mul(rms_norm($x, None, normalized_shape=$s, eps=$e), $w)",
        "rms_norm($x, $w, normalized_shape=$s, eps=$e)",
        where=[_covers("$w")],
    ),
    contract=REASSOCIATES,
    example={"x": "f32(64, 256)", "w": "f32(256)", "b": "f32(256)", "s": (256,), "e": 1e-5},
)


def _is_batched(found: Found) -> Refusal | None:
    """A layer also takes one sample without a batch dimension, and means other dimensions then."""
    root, source = found.match.root, found.tensor("$x")
    if source is None:
        return unknown(found.value("$x"))
    if source.rank < 3:
        return refuse("rank", "there is no dimension to normalise over", root)
    function = (
        root.node["function"].text if root.node is not None and root.node.kind == "call" else ""
    )
    for value in found.graph:
        if (
            value.kind == ATTRIBUTE
            and value.label == function
            and isinstance(value.type, LayerType)
        ):
            if not value.type.name.endswith(f"{source.rank - 2}d"):
                return refuse("rank", "the layer is given one sample without a batch", root)
    return None


def _as_layer_norm(found: Found) -> str | Refusal:
    source = found.tensor("$x")
    if source is None:
        return unknown(found.value("$x"))
    sizes = ", ".join(f"shape($x)[{d}]" for d in range(2, source.rank))
    return f"layer_norm($x, None, None, normalized_shape=[{sizes}], eps=$e)"


rule(
    "instance-to-layer-norm",
    """Write an instance norm as the layer norm that it is: another, faster kernel.

    Rewrite:     instance_norm(x, eps=e)   -->   layer_norm(x, x.shape[2:], eps=e)
    Legal when:  there are no weights and no running statistics, and the input has a batch
                 dimension.
    Numerics:    within tolerance. For one element per channel instance norm raises.
    Refuses:     unknown-shape, rank, not-floating.
    """,
    rewrite(
        "instance_norm($x, None, None, None, None, use_input_stats=True, momentum=$m, eps=$e)",
        _as_layer_norm,
        where=[_is_batched],
    ),
    contract=WITHIN_TOLERANCE,
    may_be_slower=True,
    example={"x": "f32(4, 8, 16, 16)", "m": 0.1, "e": 1e-5},
)

# -- batch norm -------------------------------------------------------------------------------


def _folded(op: str, dims: int) -> list[Rewrite]:
    """batch_norm(op(x, w, b)) with the scale and shift in w and b. dims: of the kernel."""
    settings = ", stride=$st, padding=$pa, dilation=$di, groups=$gr" if dims else ""
    found = []
    for has_bias, is_affine in itertools.product((True, False), repeat=2):
        bias, gamma, beta = (
            ("$b" if has_bias else "None"),
            *(("$g", "$h") if is_affine else ("None", "None")),
        )
        scale = "rsqrt(add($v, $e))"
        scale = f"mul($g, {scale})" if is_affine else scale
        shape = f"reshape({scale}, shape={(-1, *([1] * (dims + 1)))})"
        shift = f"mul(sub($b, $m), {scale})" if has_bias else f"mul($m, {scale})"
        if has_bias:
            shift = f"add({shift}, $h)" if is_affine else shift
        else:
            shift = f"sub($h, {shift})" if is_affine else f"neg({shift})"
        found.append(
            rewrite(
                f"batch_norm({op}($x, $w, {bias}{settings}), $m, $v, {gamma}, {beta}, training=False, momentum=$o, eps=$e)",
                f"{op}($x, mul($w, {shape}), {shift}{settings})",
                where=[rank("$x", dims + 2)],
            )
        )
    return found


rule(
    "fold-batch-norm",
    """Scale and shift the weights of the layer before instead of normalising its output.

    Rewrite:     batch_norm(conv(x, w, b), m, v, g, h, eps=e)
                 -->   conv(x, w * s, (b - m) * s + h), with s = g * rsqrt(v + e) for each channel
    Legal when:  the batch norm does not train: the layer is in eval mode, or the flag is False in
                 the text. The weights are folded in each call, so they may change. The input has
                 a batch dimension, and the convolution's output is used nowhere else.
    Numerics:    within tolerance: each weight is rounded once more, which shows where the
                 convolution's own sums are exact (small integers).
    Refuses:     unknown-shape, rank, used-elsewhere, not-faster, not-floating.
    """,
    *_folded("linear", 0),
    *_folded("conv2d", 2),
    *_folded("conv1d", 1),
    *_folded("conv3d", 3),
    contract=WITHIN_TOLERANCE,
    is_opt_in=True,
    example={"x": "f32(64, 256)", "w": "f32(128, 256)", "b": "f32(128)", "m": "f32(128)", "v": "f32(128)",
             "g": "f32(128)", "h": "f32(128)", "o": 0.1, "e": 20.0},
)  # fmt: skip

# -- norms and moments --------------------------------------------------------------------------

rule(
    "name-vector-norm",
    """Call the Euclidean norm by its name: one pass instead of three.

    Rewrite:     sqrt((x * x).sum(d))   -->   torch.linalg.vector_norm(x, dim=d)
    Legal when:  the squares are used nowhere else. Only in torch: NumPy's norm does the same
                 three passes.
    Numerics:    within tolerance. At zero the gradient is 0 and not NaN.
    Refuses:     unknown-shape, no-name, used-elsewhere, not-floating.
    """,
    *(
        rewrite(
            root.replace("IT", f"sum({square.replace('IT', '$x')}, dim=$d, keepdim=$k)"),
            "vector_norm($x, dim=$d, keepdim=$k)",
            where=[in_framework("torch")],
        )
        for square in _SQUARES
        for root in _ROOTS
    ),
    contract=WITHIN_TOLERANCE.assuming("no gradient is asked for at a zero vector"),
    example={"x": "f32(64, 256)", "d": 1, "k": False},
)

rule(
    "variance-in-two-passes",
    """Average the squares of what is left of the mean: torch's variance is slower on CPUs.

    Rewrite:     x.var(d, correction=0)   -->   (x - x.mean(d, keepdim=True)).square().mean(d)
    Legal when:  the correction is 0. Only in torch; time decides whether it stays.
    Numerics:    reassociates: both subtract the mean before they square.
    Refuses:     unknown-shape, no-name, not-floating.
    """,
    rewrite(
        "var($x, dim=$d, correction=0, keepdim=$k)",
        "mean(square(sub($x, mean($x, dim=$d, keepdim=True))), dim=$d, keepdim=$k)",
        where=[in_framework("torch")],
    ),
    contract=REASSOCIATES,
    may_be_slower=True,
    example={"x": "f32(64, 256)", "d": 1, "k": False},
)

rule(
    "name-loss",
    """Call a mean error by its name: two kernels instead of three.

    Rewrite:     ((x - y) ** 2).mean()   -->   mse_loss(x, y);   (x - y).abs().mean()   -->   l1_loss
    Legal when:  the mean is over everything; x and y have one shape. Only in torch.
    Numerics:    reassociates.
    Refuses:     unknown-shape, no-name, broadcast, used-elsewhere, not-floating.
    """,
    *(
        rewrite(
            f"mean({square.replace('IT', 'sub($x, $y)')})",
            "mse_loss($x, $y)",
            where=[in_framework("torch"), same_shape("$x", "$y")],
        )
        for square in _SQUARES
    ),
    rewrite(
        "mean(abs(sub($x, $y)))",
        "l1_loss($x, $y)",
        where=[in_framework("torch"), same_shape("$x", "$y")],
    ),
    contract=REASSOCIATES,
    example={"x": "f32(64, 256)", "y": "f32(64, 256)"},
)
