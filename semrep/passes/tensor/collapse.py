"""Sums over the output of a convolution, taken over its input instead, a dimension at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from semrep.passes.base import Refusal
from semrep.passes.contract import REASSOCIATES
from semrep.passes.rule import Rewrite, rewrite, rule
from semrep.passes.rule_guards import Found, refusal, unknown
from semrep.passes.tensor.pooling import short, sizes

_MOST_TAPS = 11


@dataclass(frozen=True, slots=True)
class _Dimension:
    """One spatial dimension of a convolution. parts: for each tap of the kernel the input
    elements that it meets, as a slice's bounds; extra: output size minus stride × (input size)."""

    parts: tuple[tuple[int, int], ...]
    stride: int
    extra: int

    @property
    def is_uniform(self) -> bool:
        return all(part == (0, 0) for part in self.parts)


def _transposed(kernel: int, stride: int, padding: int, dilation: int, more: int) -> _Dimension:
    """Tap t of input i meets output i·s − p + t·d, where there is one."""
    reach = dilation * (kernel - 1) + more - padding
    parts = tuple(
        (
            max(0, -((tap * dilation - padding) // stride)),
            max(0, -((reach - tap * dilation) // stride)),
        )
        for tap in range(kernel)
    )
    return _Dimension(parts, stride, dilation * (kernel - 1) + more + 1 - 2 * padding - stride)


def _ordinary(kernel: int, padding: int, dilation: int) -> _Dimension:
    """Of stride 1: output o meets input o + t·d − p, where there is one."""
    reach = dilation * (kernel - 1)
    parts = tuple(
        (max(0, tap * dilation - padding), max(0, reach - padding - tap * dilation))
        for tap in range(kernel)
    )
    return _Dimension(parts, 1, 2 * padding - reach)


def _collapsed(
    kind: str, count: int, op: str, keepdim: bool, pool: bool
) -> Callable[[Found], str | Refusal]:
    """Takes the last reduced spatial dimension out of the convolution."""
    transposed = kind == "conv_transpose"

    def compose(found: Found) -> str | Refusal:
        root = found.match.root
        weight, source = found.tensor("$w"), found.tensor("$x")
        if weight is None or source is None:
            return unknown(found.value("$w" if weight is None else "$x"))
        if source.rank != count + 2:
            return refusal(
                "rank", "the convolution's input has no batch dimension", found.value("$x")
            )
        dims = tuple(range(2, count + 2)) if pool else found.dims("$d")
        if dims is None or not any(d >= 2 for d in dims):
            return refusal("dims", "no spatial dimension is reduced", root)
        settings = {name: sizes(found.constant(name), count) for name in _settings(transposed)}
        groups = found.constant("$g")
        if any(v is None for v in settings.values()) or not isinstance(groups, int):
            return refusal("not-constant", "a setting of the convolution is not known", root)
        if count == 1 and groups != 1:
            return refusal("setting", f"the convolution has {groups} groups", root)
        axis = max(d for d in dims if d >= 2)
        at = axis - 2
        known = {name: v for name, v in settings.items() if v is not None}
        kernel = weight.shape[axis]
        if transposed:
            dimension = _transposed(
                kernel, known["$s"][at], known["$p"][at], known["$i"][at], known["$o"][at]
            )
        else:
            if known["$s"][at] != 1:
                return refusal("setting", f"the stride is {known['$s'][at]}, not 1", root)
            dimension = _ordinary(kernel, known["$p"][at], known["$i"][at])
        if kernel > _MOST_TAPS and not dimension.is_uniform:
            return refusal("kernel", f"the kernel has {kernel} taps in this dimension", root)
        rest = {name: v[:at] + v[at + 1 :] for name, v in known.items()}
        written = _convolution(found, kind, count, axis, dimension, op, rest, groups)
        others = tuple(d - (d > axis) for d in dims if d != axis)
        if pool:
            reduced = f"adaptive_avg_pool{count - 1}d({written}, 1)" if count > 1 else written
            return f"unsqueeze({reduced}, dim={axis})"
        if others:
            kept = ", keepdim=True" if keepdim else ""
            written = f"{op}({written}, dim={others if len(others) > 1 else others[0]}{kept})"
        return f"unsqueeze({written}, dim={axis})" if keepdim else written

    return compose


def _settings(transposed: bool) -> tuple[str, ...]:
    return ("$s", "$p", "$i", "$o") if transposed else ("$s", "$p", "$i")


def _convolution(
    found: Found,
    kind: str,
    count: int,
    axis: int,
    dimension: _Dimension,
    op: str,
    rest: dict[str, tuple[int, ...]],
    groups: int,
) -> str:
    """The convolution without one dimension: its taps there have become input channels."""
    source, weight = _factors(count, axis, dimension, kind == "conv_transpose")
    length = f"(shape($x)[{axis}]{_times(dimension.stride)}{_plus(dimension.extra)})"
    has_bias = found.value("$b").constant is not None or found.value("$b").tensor is not None
    if op == "mean":
        source = f"({source}) / {length}"
        bias = "$b" if has_bias else "None"
    else:
        bias = f"$b * {length}" if has_bias else "None"
    if count == 1:
        flat = source if dimension.is_uniform else f"flatten({source}, start_dim=1)"
        if kind == "conv":
            return f"linear({flat}, {weight}, {bias})"
        product = f"matmul({flat}, {weight})"
        return f"{product} + {bias}" if has_bias else product
    options = [f"groups={groups}"]
    names = {"$s": "stride", "$p": "padding", "$i": "dilation", "$o": "output_padding"}
    options += [f"{names[name]}={short(values)}" for name, values in rest.items()]
    flat = source if dimension.is_uniform else f"flatten({source}, start_dim=1, end_dim=2)"
    return f"{kind}{count - 1}d({flat}, {weight}, {bias}, {', '.join(options)})"


def _factors(count: int, axis: int, dimension: _Dimension, transposed: bool) -> tuple[str, str]:
    """Input and weight: summed where every tap meets every element, otherwise one sum a tap,
    beside each other as channels."""
    if dimension.is_uniform:
        return f"sum($x, dim={axis})", f"sum($w, dim={axis})"
    sums = []
    for first, last in dimension.parts:
        if (first, last) == (0, 0):
            sums.append(f"sum($x, dim={axis})")
        else:
            index = f"{':, ' * axis}{first or ''}:{-last or ''}"
            sums.append(f"sum($x[{index}], dim={axis})")
    channel = 0 if transposed else 1
    moved = f"movedim($w, source={axis}, destination={channel + 1})"
    if axis == channel + 1:
        moved = "$w"
    weight = f"flatten({moved}, start_dim={channel}, end_dim={channel + 1})"
    return f"stack([{', '.join(sums)}], dim=2)", weight


def _times(stride: int) -> str:
    return f" * {stride}" if stride != 1 else ""


def _plus(extra: int) -> str:
    return f" + {extra}" if extra > 0 else f" - {-extra}" if extra < 0 else ""


def _forms(kind: str, count: int) -> list[Rewrite]:
    settings = "stride=$s, padding=$p, groups=$g, dilation=$i"
    settings += ", output_padding=$o" if kind == "conv_transpose" else ""
    inner = f"{kind}{count}d($x, $w, $b, {settings})"
    forms = [
        rewrite(
            f"{op}({inner}, dim=$d{', keepdim=True' if keepdim else ''})",
            _collapsed(kind, count, op, keepdim, False),
        )
        for op in ("mean", "sum")
        for keepdim in (False, True)
    ]
    pooled = rewrite(
        f"adaptive_avg_pool{count}d({inner}, 1)", _collapsed(kind, count, "mean", True, True)
    )
    return [*forms, pooled]


rule(
    "collapse-convolution",
    """Sum a convolution's input along a dimension instead of its output.

    Rewrite:     conv_transpose2d(x, w, b, stride=2).mean(3)
                 -->   conv_transpose1d(x.sum(3) / width, w.sum(3), b, stride=2)
    Legal when:  a spatial dimension is reduced by a sum, a mean or a global average pool.
                 Convolution is linear: each tap of the kernel meets one range of the input,
                 whose sum becomes a channel. In an ordinary convolution the stride is 1 along
                 that dimension. One dimension at a time; the others follow.
    Numerics:    reassociates.
    Refuses:     unknown-shape, rank, dims, not-constant, setting, kernel, used-elsewhere,
                 evaluated-twice, not-faster, not-floating.
    """,
    *(form for kind in ("conv_transpose", "conv") for n in (2, 3, 1) for form in _forms(kind, n)),
    contract=REASSOCIATES,
    example={"x": "f32(2, 3, 7, 8)", "w": "f32(3, 5, 3, 3)", "b": "f32(5)", "s": 2, "p": 1, "i": 1,
             "o": 1, "g": 1, "d": 3},
)  # fmt: skip
