"""flag-gems' operators on small inputs: (entry function, arguments) and torch's counterpart.

The library finds its device by an environment variable, keeps generated code in a folder and
timings in a database; `load` sets these before it is imported.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

Case = tuple[str, tuple[Any, ...], Callable[..., Any] | None]
aten = torch.ops.aten


def load() -> Any:
    os.environ["GEMS_VENDOR"] = "nvidia"
    os.environ.setdefault("FLAGGEMS_CACHE_DIR", tempfile.mkdtemp(prefix="flag-gems-"))
    os.environ.setdefault("FLAGGEMS_DB_URL", "sqlite:///:memory:")
    from flag_gems import ops
    from flag_gems.utils import codegen_config_utils

    # Its own switch for releases of Triton that have no block pointers (any more).
    for config in filter(None, codegen_config_utils.CODEGEN_COFIGS.values()):
        config.prefer_block_pointer = False
    return ops


def cases() -> dict[str, Case]:
    """Made anew, with the same values, at each call."""
    g = torch.Generator().manual_seed(0)

    def randn(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=g)

    x, y, p = randn(5, 33), randn(5, 33), torch.rand(5, 33, generator=g) + 0.1
    i = torch.randint(0, 100, (5, 33), generator=g)
    j = torch.randint(1, 9, (5, 33), generator=g)
    b, u = x > 0, p - 0.6
    a, m, ba, bm = randn(17, 19), randn(19, 23), randn(2, 9, 11), randn(2, 11, 7)
    made: dict[str, Case] = {}

    def add(name: str, *arguments: Any, like: Callable[..., Any] | None = None) -> None:
        key = name
        while key in made:
            key += "_again"
        made[key] = (name, arguments, like)

    for name in (
        "abs", "ceil", "cos", "cosh", "erf", "exp", "exp2", "expm1", "isfinite", "isinf", "isnan",
        "isneginf", "neg", "relu", "round", "sigmoid", "signbit", "sin", "square", "tan", "tanh",
        "atan", "absolute", "angle", "logical_not",
    ):  # fmt: skip
        add(name, x)
    for name in ("sqrt", "rsqrt", "log", "log10", "reciprocal"):
        add(name, p)
    for name in ("relu6", "silu", "hardsigmoid", "selu", "gelu", "elu", "celu", "softplus"):
        add(name, x, like=getattr(F, name))
    add("acos", u)
    add("log_sigmoid", x, like=F.logsigmoid)
    add("special_i1", x, like=torch.special.i1)
    add("special_i0e", x, like=torch.special.i0e)
    add("bitwise_not", i)
    for name in ("add", "sub", "mul", "atan2", "fmin", "hypot", "logaddexp", "copysign"):
        add(name, x, y)
    for name in ("eq", "ne", "lt", "le", "gt", "ge", "floor_divide", "remainder"):
        add(name, i, j)
    add("true_divide", x, p)
    add("pow_tensor_tensor", p, y, like=torch.pow)
    add("pow_tensor_scalar", p, 2.5, like=torch.pow)
    for name in ("bitwise_and", "bitwise_or"):
        add(f"{name}_tensor", i, j, like=getattr(torch, name))
    for name in ("logical_and", "logical_or", "logical_xor"):
        add(name, b, i > 50)
    add("clamp", x, -0.5, 0.5)
    add("lerp_scalar", x, y, 0.3, like=torch.lerp)
    add("addcmul", x, y, p)
    add("addcdiv", x, y, p)
    for name in ("sum", "mean", "max", "min", "prod", "argmax", "argmin", "amax"):
        add(name, x)
    for name in ("any", "all"):
        add(name, b)
        add(f"{name}_dim", b, 1, like=getattr(torch, name))
    for name in ("max", "min", "prod"):
        add(f"{name}_dim", x, 1, like=getattr(torch, name))
    add("argmin", x, 0)
    for name in ("argmax", "cumsum", "cummax", "cummin", "softmax", "log_softmax"):
        add(name, x, 1)
    add("var_mean", x, [1])
    add("vector_norm", x, 2, [1], like=torch.linalg.vector_norm)
    add("mm", a, m)
    add("bmm", ba, bm)
    add("addmm", randn(23), a, m)
    add("mv", a, randn(19))
    add("dot", randn(50), randn(50))
    add("baddbmm", randn(2, 9, 7), ba, bm)
    add("layer_norm", x, [33], randn(33), randn(33), 1e-5, like=F.layer_norm)
    add("rms_norm", x, [33], randn(33), 1e-5, like=F.rms_norm)
    add("group_norm", randn(2, 6, 10), randn(6), randn(6), 2, 6, 10, 3, 1e-5,
        like=torch.native_group_norm)  # fmt: skip
    add("gather", x, 1, torch.randint(0, 33, (5, 7), generator=g))
    add("index_select", x, 1, torch.tensor([3, 1, 0]))
    add("scatter", x, 1, torch.tensor([[0, 2], [1, 0]]), y[:2, :2].contiguous())
    add("index_put", x, [torch.tensor([0, 2]), torch.tensor([1, 1])], randn(2))
    add("masked_fill", x, b, 2.0)
    add("masked_select", x, b)
    add("nonzero", b)
    add("isin", i, torch.tensor([3, 5, 50]))
    add("flip", x, [0, 1])
    add("tril", a)
    add("triu", a, 1)
    add("cat", [x, y], 1)
    add("stack", [x, y], 0)
    add("roll", x, 2, 1)
    add("diag_embed", x)
    add("kron", randn(2, 3), randn(3, 2))
    add("topk", x, 4)
    add("conv2d", randn(1, 2, 8, 8), randn(3, 2, 3, 3), like=F.conv2d)
    add("avg_pool2d", randn(1, 2, 8, 8), 2, like=F.avg_pool2d)
    add("nll_loss_forward", x.log_softmax(1), torch.randint(0, 33, (5,), generator=g), None, 1,
        -100, like=aten.nll_loss_forward)  # fmt: skip
    add("linspace", 0.0, 1.0, 11)
    add("eye", 5)
    return made


def copied(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.clone()
    return [copied(item) for item in value] if isinstance(value, list) else value


NAMES = tuple(cases())
