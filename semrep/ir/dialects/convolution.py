# ruff: noqa: E501 (one spelling, one line)
"""Convolutions. Padding modes other than zeros, and lazy layers, do not resolve."""

from semrep.ir.dialects.catalogue import layer, op
from semrep.ir.dialects.op import CONVOLUTION, GATHER

_REQUIRES = {"padding_mode": "zeros"}

for _n in (1, 2, 3):
    op(
        f"conv{_n}d",
        "input: tensor, weight: tensor, bias, /, stride=1, padding=0, dilation=1, groups=1",
        f"F.conv{_n}d, torch.conv{_n}d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1)",
        reference=f"torch.nn.functional.conv{_n}d",
        cost=CONVOLUTION,
    )
    op(
        f"conv_transpose{_n}d",
        "input: tensor, weight: tensor, bias, /, stride=1, padding=0, output_padding=0, groups=1, dilation=1",
        f"F.conv_transpose{_n}d, torch.conv_transpose{_n}d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1)",
        reference=f"torch.nn.functional.conv_transpose{_n}d",
        cost=CONVOLUTION,
    )
    layer(
        f"nn.Conv{_n}d",
        f"conv{_n}d",
        _REQUIRES,
        weight=".weight",
        bias=".bias",
        stride=".stride",
        padding=".padding",
        dilation=".dilation",
        groups=".groups",
    )
    layer(
        f"nn.ConvTranspose{_n}d",
        f"conv_transpose{_n}d",
        _REQUIRES,
        weight=".weight",
        bias=".bias",
        stride=".stride",
        padding=".padding",
        output_padding=".output_padding",
        groups=".groups",
        dilation=".dilation",
    )

op(
    "interpolate",
    "input: tensor, /, size=None, scale_factor=None, mode='nearest', align_corners=None",
    "F.interpolate(input, size=None, scale_factor=None, mode='nearest', align_corners=None)",
    reference="torch.nn.functional.interpolate",
    cost=GATHER,
)
op(
    "pixel_shuffle",
    "input: tensor, /, upscale_factor",
    "F.pixel_shuffle, torch.pixel_shuffle(input, upscale_factor)",
    reference="torch.nn.functional.pixel_shuffle",
    cost=GATHER,
)
op(
    "im2col",
    "input: tensor, /, kernel_size, dilation=1, padding=0, stride=1",
    "F.unfold(input, kernel_size, dilation=1, padding=0, stride=1)",
    reference="torch.nn.functional.unfold",
    cost=GATHER,
)

layer("nn.PixelShuffle", "pixel_shuffle", upscale_factor=".upscale_factor")
layer(
    "nn.Upsample",
    "interpolate",
    size=".size",
    scale_factor=".scale_factor",
    mode=".mode",
    align_corners=".align_corners",
)
