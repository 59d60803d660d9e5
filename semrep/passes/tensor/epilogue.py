# ruff: noqa: E501 (patterns stay on one line)
"""What follows a convolution or linear layer, done to its weights and bias instead: they are
smaller than the output. They are computed anew in each call, and so stay right as they train."""

from __future__ import annotations

from semrep.passes.base import Refusal
from semrep.passes.contract import REASSOCIATES, WITHIN_TOLERANCE
from semrep.passes.rule import Rewrite, rewrite, rule
from semrep.passes.rule_guards import Found, Guard, python_number, rank, refusal, unknown

_CONV = "stride=$s, padding=$p, dilation=$i, groups=$g"
_TRANSPOSED = "stride=$s, padding=$p, output_padding=$o, groups=$g, dilation=$i"


def _per_channel(count: int, weight_axis: int) -> Guard:
    """`$c` has one element for each output channel, and none along the other dimensions."""

    def check(found: Found) -> Refusal | None:
        vector, weight, source = found.tensor("$c"), found.tensor("$w"), found.tensor("$x")
        if vector is None or weight is None or source is None:
            return unknown(found.value("$c" if vector is None else "$w"))
        channels = weight.shape[weight_axis]
        wanted = (channels, *(1,) * count)
        if source.rank == count + 2 and vector.shape in (wanted, (1, *wanted)):
            return None
        return refusal("broadcast", "there is not one element for each channel", found.value("$c"))

    return check


def _one_group(found: Found) -> Refusal | None:
    groups = found.constant("$g")
    if groups == 1:
        return None
    return refusal("setting", f"the convolution has {groups} groups", found.match.root)


def _convolutions() -> list[tuple[str, str, int, bool]]:
    """Name, settings, spatial dimensions, and whether it is transposed."""
    return [
        (f"{kind}{n}d", settings, n, kind == "conv_transpose")
        for n in (2, 3, 1)
        for kind, settings in (("conv", _CONV), ("conv_transpose", _TRANSPOSED))
    ]


def _scaled_kernels() -> list[Rewrite]:
    forms = []
    for name, settings, count, transposed in _convolutions():
        inner = f"{name}($x, $w, {{}}, {settings})"
        for op in ("mul", "div"):
            forms += [
                rewrite(
                    f"{op}({inner.format('$b')}, $c)",
                    f"{name}($x, {op}($w, $c), {op}($b, $c), {settings})",
                    where=[python_number("$c"), rank("$b", 1)],
                ),
                rewrite(
                    f"{op}({inner.format('None')}, $c)",
                    f"{name}($x, {op}($w, $c), None, {settings})",
                    where=[python_number("$c")],
                ),
            ]
        shape = (1, -1, *(1,) * count) if transposed else (-1, 1, *(1,) * count)
        guards: list[Guard] = [_per_channel(count, 1 if transposed else 0)]
        if transposed:
            guards.append(_one_group)
        forms += [
            rewrite(
                f"mul({inner.format('$b')}, $c)",
                f"{name}($x, mul($w, reshape($c, shape={shape})), mul($b, flatten($c)), {settings})",
                where=[*guards, rank("$b", 1)],
            ),
            rewrite(
                f"mul({inner.format('None')}, $c)",
                f"{name}($x, mul($w, reshape($c, shape={shape})), None, {settings})",
                where=guards,
            ),
        ]
    return forms


rule(
    "scale-kernel",
    """Scale the kernel and bias of a convolution instead of its output.

    Rewrite:     conv(x, w, b) * c   -->   conv(x, w * c, b * c)
    Legal when:  c is a Python number, or an array with one element for each output channel; a
                 transposed convolution has one group then. The convolution's result is used
                 nowhere else.
    Numerics:    within tolerance: the kernel is rounded once more.
    Refuses:     unknown-shape, not-a-number, broadcast, setting, rank, used-elsewhere,
                 not-faster, not-floating.
    """,
    *_scaled_kernels(),
    contract=WITHIN_TOLERANCE,
    example={"x": "f32(2, 8, 32, 32)", "w": "f32(16, 8, 3, 3)", "b": "f32(16)", "s": 1, "p": 1,
             "i": 1, "g": 1, "c": 0.5},
)  # fmt: skip


def _vector_like_bias(found: Found) -> Refusal | None:
    """`$c` is one row, as long as the linear layer's output."""
    vector, weight = found.tensor("$c"), found.tensor("$w")
    if vector is None or weight is None:
        return unknown(found.value("$c" if vector is None else "$w"))
    if vector.rank == 1 and weight.rank == 2 and vector.shape[0] == weight.shape[0]:
        return None
    return refusal("broadcast", "there is not one element for each feature", found.value("$c"))


def _added() -> list[Rewrite]:
    linear = "linear($x, $w, {})"
    forms = []
    for op in ("add", "sub"):
        forms += [
            rewrite(
                f"{op}({linear.format('$b')}, $c)",
                linear.format(f"{op}($b, $c)"),
                where=[guard, rank("$b", 1)],
            )
            for guard in (_vector_like_bias, python_number("$c"))
        ]
    forms.append(
        rewrite(f"add({linear.format('None')}, $c)", linear.format("$c"), where=[_vector_like_bias])
    )
    for name, settings, count, transposed in _convolutions():
        inner = f"{name}($x, $w, {{}}, {settings})"
        guards: list[Guard] = [_per_channel(count, 1 if transposed else 0)]
        if transposed:
            guards.append(_one_group)
        for op in ("add", "sub"):
            forms += [
                rewrite(
                    f"{op}({inner.format('$b')}, $c)",
                    inner.format(f"{op}($b, flatten($c))"),
                    where=[*guards, rank("$b", 1)],
                ),
                rewrite(
                    f"{op}({inner.format('$b')}, $c)",
                    inner.format(f"{op}($b, $c)"),
                    where=[python_number("$c"), rank("$b", 1)],
                ),
            ]
        forms.append(
            rewrite(f"add({inner.format('None')}, $c)", inner.format("flatten($c)"), where=guards)
        )
    return forms


rule(
    "add-to-bias",
    """Add to the bias of a convolution or linear layer instead of to its output.

    Rewrite:     conv(x, w, b) + c   -->   conv(x, w, b + c.flatten());   linear(x, w) + c
                 -->   linear(x, w, c);   the same with minus, where there is a bias
    Legal when:  c is a Python number, or an array with one element for each output channel or
                 feature; a transposed convolution has one group then. The layer's result is
                 used nowhere else.
    Numerics:    reassociates.
    Refuses:     unknown-shape, not-a-number, broadcast, setting, rank, used-elsewhere,
                 not-floating.
    """,
    *_added(),
    contract=REASSOCIATES,
    example={"x": "f32(64, 128)", "w": "f32(96, 128)", "b": "f32(96)", "c": "f32(96)"},
)


def _summed(op: str, keepdim: bool) -> list[Rewrite]:
    forms = []
    for name, settings, _, transposed in _convolutions():
        axis = 1 if transposed else 0
        settings = settings.replace("$g", "1")
        for bias in ("$b", "None"):
            reduced = f"{op}($b, dim=0, keepdim=True)" if bias == "$b" else "None"
            after = f"{name}($x, {op}($w, dim={axis}, keepdim=True), {reduced}, {settings})"
            if not keepdim:
                after = f"squeeze({after}, dim=1)"
            kept = ", keepdim=True" if keepdim else ""
            forms.append(
                rewrite(
                    f"{op}({name}($x, $w, {bias}, {settings}), dim=1{kept})",
                    after,
                    where=[rank("$x", int(name[-2]) + 2)],
                )
            )
    return forms


rule(
    "sum-kernel-over-channels",
    """Sum the kernels of a convolution over its output channels instead of the output.

    Rewrite:     conv(x, w, b).sum(1)   -->   conv(x, w.sum(0, keepdim=True), b.sum(…)).squeeze(1)
    Legal when:  there is one group, the input has a batch dimension, the channels alone are
                 reduced, and the convolution's result is used nowhere else. The same for a mean.
    Numerics:    reassociates.
    Refuses:     unknown-shape, rank, used-elsewhere, not-floating.
    """,
    *(form for op in ("sum", "mean") for keepdim in (True, False) for form in _summed(op, keepdim)),
    contract=REASSOCIATES,
    example={"x": "f32(2, 8, 32, 32)", "w": "f32(16, 8, 3, 3)", "b": "f32(16)", "s": 1, "p": 1,
             "i": 1},
)  # fmt: skip
