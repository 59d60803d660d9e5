# ruff: noqa: E501 (one spelling, one line)
"""Pooling windows."""

from semrep.ir.dialects.catalogue import layer, op
from semrep.ir.dialects.op import REDUCTION

for _n in (1, 2, 3):
    op(
        f"max_pool{_n}d",
        "input: tensor, /, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False",
        f"F.max_pool{_n}d, torch.max_pool{_n}d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False)",
        reference=f"torch.nn.functional.max_pool{_n}d",
        cost=REDUCTION,
    )
    layer(
        f"nn.MaxPool{_n}d",
        f"max_pool{_n}d",
        {"return_indices": False},
        kernel_size=".kernel_size",
        stride=".stride",
        padding=".padding",
        dilation=".dilation",
        ceil_mode=".ceil_mode",
    )
    _divisor = "" if _n == 1 else ", divisor_override=None"
    op(
        f"avg_pool{_n}d",
        f"input: tensor, /, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True{_divisor}",
        f"F.avg_pool{_n}d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True{_divisor})",
        reference=f"torch.nn.functional.avg_pool{_n}d",
        cost=REDUCTION,
    )
    _settings = {
        "kernel_size": ".kernel_size",
        "stride": ".stride",
        "padding": ".padding",
        "ceil_mode": ".ceil_mode",
        "count_include_pad": ".count_include_pad",
    }
    if _n > 1:
        _settings["divisor_override"] = ".divisor_override"
    layer(f"nn.AvgPool{_n}d", f"avg_pool{_n}d", None, **_settings)
    op(
        f"adaptive_avg_pool{_n}d",
        "input: tensor, /, output_size",
        f"F.adaptive_avg_pool{_n}d(input, output_size)",
        reference=f"torch.nn.functional.adaptive_avg_pool{_n}d",
        cost=REDUCTION,
    )
    layer(f"nn.AdaptiveAvgPool{_n}d", f"adaptive_avg_pool{_n}d", output_size=".output_size")
    op(
        f"adaptive_max_pool{_n}d",
        "input: tensor, /, output_size",
        f"F.adaptive_max_pool{_n}d(input, output_size)",
        reference=f"torch.nn.functional.adaptive_max_pool{_n}d",
        cost=REDUCTION,
    )
    layer(
        f"nn.AdaptiveMaxPool{_n}d",
        f"adaptive_max_pool{_n}d",
        {"return_indices": False},
        output_size=".output_size",
    )
