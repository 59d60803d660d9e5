"""Programs that others wrote: where they are installed or lie, and how to call them.

Only names and inputs are kept here. What is not installed or not given is left out, with a note.
FlagGems is absent: its package refuses to be imported where there is no device.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.trust.installed import standalone, text_of
from bench.trust.program import JAX, NUMPY, TORCH, TRITON, Program

Say = Callable[[str], None]

# (file below liger_kernel/ops, entry, inputs): https://github.com/linkedin/Liger-Kernel
LIGER = (
    ("softmax", "LigerSoftmaxFunction.apply", "(f32(4, 100),)"),
    ("rms_norm", "rms_norm_forward", "(f32(4, 72), f32(72), 1e-6, 0.0, 'llama', None)"),
    ("layer_norm", "LigerLayerNormFunction.apply", "(f32(4, 72), f32(72), f32(72), 1e-5)"),
    ("group_norm", "LigerGroupNormFunction.apply",
     "(f32(2, 6, 20), f32(6), f32(6), 6, 3, 1e-5)"),
    ("geglu", "LigerGELUMulFunction.apply", "(f32(4, 100), f32(4, 100))"),
    ("swiglu", "LigerSiLUMulFunction.apply", "(f32(4, 100), f32(4, 100))"),
    ("relu_squared", "LigerReLUSquaredFunction.apply", "(f32(4, 100),)"),
    ("cross_entropy", "LigerCrossEntropyFunction.apply", "(f32(5, 100), ints(0, 100, 5), None)"),
    ("fused_ce_tvd", "LigerFusedCETVDFunction.apply",
     "(f32(5, 100), f32(5, 100), ints(0, 100, 5))"),
    ("jsd", "LigerJSDFunction.apply",
     "(torch.log_softmax(randn(5, 100), -1), torch.log_softmax(randn(5, 100), -1))"),
    ("kl_div", "LigerKLDivLossFunction.apply",
     "(torch.log_softmax(randn(5, 100), -1), torch.softmax(randn(5, 100), -1))"),
    ("tvd", "LigerTVDLossFunction.apply",
     "(torch.softmax(randn(5, 100), -1), torch.softmax(randn(5, 100), -1))"),
    ("sparsemax", "LigerSparsemaxFunction.apply", "(f32(4, 100), -1)"),
    ("poly_norm", "LigerPolyNormFunction.apply", "(f32(4, 72), f32(3), f32(1))"),
    ("fused_add_rms_norm", "LigerFusedAddRMSNormFunction.apply",
     "(f32(4, 72), f32(4, 72), f32(72), 1e-6)"),
    ("rope", "LigerRopeFunction.apply",
     "(f32(1, 2, 6, 16), f32(1, 1, 6, 16), f32(1, 6, 16), f32(1, 6, 16))"),
    ("qwen2vl_mrope", "LigerQwen2VLMRopeFunction.apply",
     "(f32(1, 2, 6, 16), f32(1, 1, 6, 16), f32(3, 1, 6, 16), f32(3, 1, 6, 16), [2, 3, 3])"),
    ("attn_res", "LigerAttnResFunction.apply", "(f32(3, 4, 40), f32(40), f32(40), 1e-6)"),
    ("fused_linear_cross_entropy", "LigerFusedLinearCrossEntropyFunction.apply",
     "(f32(5, 16), f32(50, 16), ints(0, 50, 5))"),
    ("multi_token_attention", "LigerMultiTokenAttentionFunction.apply",
     "(f32(1, 2, 9, 9), f32(2, 2, 3, 3), f32(2), 1, 1)"),
    ("fused_neighborhood_attention", "LigerFusedNeighborhoodAttentionFunction.apply",
     "(f32(1, 1, 20, 16), f32(1, 1, 20, 16), f32(1, 1, 20, 16), 5)"),
    ("grpo_loss", "GrpoLossFunction.apply",
     "(f32(2, 6, 50), f32(2, 5), f32(2, 5), ints(0, 50, 2, 5), f32(2), None, 0.9, 0.04, 0.2, 0.4,"
     " False)"),
)  # fmt: skip

# kernel of sarkar-dipankar/gpuemu-corpus, gpuemu_corpus/data, and its inputs by name
GPUEMU = {
    "attention_triton": "q=5,16 k=9,16 v=9,16",
    "elu_triton": "input=3,50",
    "flash_attention_triton": "q=9,16 k=40,16 v=40,16",
    "gelu_triton": "input=3,50",
    "l2norm_triton": "input=3,50",
    "leaky_relu_triton": "input=3,50",
    "matmul_triton": "a=40,6 b=6,20",
    "relu_triton": "input=3,50",
    "rmsnorm_triton": "input=3,50",
    "sigmoid_triton": "input=3,50",
    "silu_triton": "input=3,50",
    "softmax_triton": "input=3,50",
    "tanh_triton": "input=3,50",
    "layernorm": "input=3,50",
    "softmax": "input=3,50",
}

# (file, definitions kept, entry, inputs, lines of ours to go with them): triton's tutorials
TUTORIALS = (
    ("02-fused-softmax-cpu.py", ("softmax_kernel", "softmax"), "softmax", "(f32(4, 100),)"),
    ("04-low-memory-dropout.py", ("_dropout", "dropout"), "dropout",
     "(f32(2000), ints(0, 2, 2000), 0.5)"),
    ("04-low-memory-dropout.py", ("_seeded_dropout", "seeded_dropout"), "seeded_dropout",
     "(f32(300), 0.5, 123)"),
    ("05-layer-norm.py", ("_layer_norm_fwd_fused", "_layer_norm_bwd_dx_fused",
                          "_layer_norm_bwd_dwdb", "LayerNorm"),
     "LayerNorm.apply", "(f32(4, 72), (72,), f32(72), f32(72), 1e-5)"),
)  # fmt: skip

# KernelBench: number and level, and the arguments' sizes come down by `shrink`
KERNELBENCH = (
    ("level1", (2, 3, 7, 10, 12, 13, 14, 16, 20, 21, 23, 24, 25, 26, 27, 28, 29, 30, 32, 35, 36, 38,
                40, 41, 44, 47, 49, 51, 67, 88, 89, 91, 92, 93, 95, 96, 97, 98, 99, 100)),
    ("level2", (12, 14, 18, 22, 28, 29, 33, 39, 41, 45, 51, 53, 56, 59, 63, 66, 68, 76, 86,
                95, 97, 99, 1, 21)),
    ("level3", (1, 31, 33)),
)  # fmt: skip

_F = "torch._refs.nn.functional"
_D = "torch._decomp.decompositions"
TORCH_FUNCTIONS = (
    (_F, "celu", "(f32(4, 33),)"),
    (_F, "elu", "(f32(4, 33),)"),
    (_F, "softplus", "(f32(4, 33),)"),
    (_F, "hardshrink", "(f32(4, 33),)"),
    (_F, "softshrink", "(f32(4, 33),)"),
    (_F, "huber_loss", "(f32(4, 33), f32(4, 33))"),
    (_F, "smooth_l1_loss", "(f32(4, 33), f32(4, 33))"),
    (_F, "margin_ranking_loss", "(f32(33), f32(33), f32(33))"),
    (_F, "hinge_embedding_loss", "(f32(4, 33), f32(4, 33))"),
    (_F, "poisson_nll_loss", "(f32(4, 33), f32(4, 33))"),
    (_F, "pixel_shuffle", "(f32(2, 8, 5, 3), 2)"),
    (_F, "channel_shuffle", "(f32(2, 6, 5, 3), 3)"),
    (_F, "glu", "(f32(4, 34),)"),
    (_F, "gelu", "(f32(4, 33),)"),
    (_F, "group_norm", "(f32(2, 6, 10), 3, f32(6), f32(6))"),
    (_F, "triplet_margin_loss", "(f32(4, 33), f32(4, 33), f32(4, 33))"),
    (_F, "nll_loss", "(f32(5, 9), ints(0, 9, 5))"),
    ("torch._refs", "logsumexp", "(f32(4, 33), 1)"),
    ("torch._refs", "native_layer_norm", "(f32(4, 33), (33,), f32(33), f32(33), 1e-5)"),
    ("torch._refs", "var", "(f32(4, 33), 1)"),
    ("torch._refs", "lerp", "(f32(4, 33), f32(4, 33), 0.3)"),
    ("torch._refs", "addcdiv", "(f32(4, 33), f32(4, 33), f32(4, 33))"),
    ("torch._refs", "softmax", "(f32(4, 33), 1)"),
    ("torch._refs", "nan_to_num", "(f32(4, 33),)"),
    ("torch._refs", "roll", "(f32(4, 33), 3, 1)"),
    ("torch._refs", "unflatten", "(f32(4, 36), 1, (9, 4))"),
    (_D, "gelu_backward", "(f32(4, 33), f32(4, 33), 'tanh')"),
    (_D, "elu_backward", "(f32(4, 33), 1.0, 1.0, 1.0, False, f32(4, 33))"),
    (_D, "silu_backward", "(f32(4, 33), f32(4, 33))"),
    (_D, "softplus_backward", "(f32(4, 33), f32(4, 33), 1.0, 20.0)"),
    (_D, "hardswish_backward", "(f32(4, 33), f32(4, 33))"),
    (_D, "binary_cross_entropy", "(rand(4, 33), rand(4, 33))"),
    (_D, "binary_cross_entropy_with_logits", "(f32(4, 33), rand(4, 33))"),
    (_D, "native_layer_norm_backward",
     "(f32(4, 33), f32(4, 33), [33], f32(4, 1), rand(4, 1), f32(33), f32(33), [True] * 3)"),
    (_D, "im2col", "(f32(2, 3, 9, 8), [3, 2], [1, 2], [1, 0], [2, 1])"),
    (_D, "_softmax", "(f32(4, 33), 1, False)"),
    (_D, "_log_softmax", "(f32(4, 33), 1, False)"),
    (_D, "embedding_dense_backward", "(f32(6, 7), ints(0, 9, 6), 9, 2, False)"),
    (_D, "smooth_l1_loss_backward", "(f32(4, 33), f32(4, 33), f32(4, 33), 1, 0.7)"),
    ("torch.functional", "cdist", "(f32(5, 6), f32(7, 6))"),
    ("torch.nn.functional", "gaussian_nll_loss", "(f32(4, 33), f32(4, 33), rand(4, 33))"),
    ("torch.nn.functional", "cosine_embedding_loss", "(f32(4, 33), f32(4, 33), ints(0, 2, 4))"),
    ("torch.nn.functional", "tanhshrink", "(f32(4, 33),)"),
    ("torch.nn.functional", "normalize", "(f32(4, 33),)"),
    ("torch.nn.functional", "softsign", "(f32(4, 33),)"),
)  # fmt: skip

_N = "jax._src.nn.functions"
_L = "jax._src.scipy.special"
_J = "jax._src.numpy"
JAX_FUNCTIONS = (
    (_N, "celu", "(f32(4, 33),)"),
    (_N, "elu", "(f32(4, 33),)"),
    (_N, "gelu", "(f32(4, 33),)"),
    (_N, "glu", "(f32(4, 34),)"),
    (_N, "hard_tanh", "(f32(4, 33),)"),
    (_N, "leaky_relu", "(f32(4, 33),)"),
    (_N, "log_softmax", "(f32(4, 33),)"),
    (_N, "mish", "(f32(4, 33),)"),
    (_N, "one_hot", "(ints(0, 7, 5), 7)"),
    (_N, "selu", "(f32(4, 33),)"),
    (_N, "silu", "(f32(4, 33),)"),
    (_N, "soft_sign", "(f32(4, 33),)"),
    (_N, "softmax", "(f32(4, 33),)"),
    (_N, "sparse_plus", "(f32(4, 33),)"),
    (_N, "squareplus", "(f32(4, 33),)"),
    (_N, "standardize", "(f32(4, 33),)"),
    (_N, "logmeanexp", "(f32(4, 33),)"),
    (_N, "log1mexp", "(rand(4, 33),)"),
    (_N, "dot_product_attention", "(f32(2, 7, 3, 8), f32(2, 9, 3, 8), f32(2, 9, 3, 8))"),
    (_L, "logit", "(rand(4, 33),)"),
    (_L, "xlogy", "(rand(4, 33), rand(4, 33))"),
    (_L, "xlog1py", "(rand(4, 33), rand(4, 33))"),
    (_L, "entr", "(rand(4, 33),)"),
    (_L, "kl_div", "(rand(4, 33), rand(4, 33))"),
    (_L, "multigammaln", "(rand(33), 2)"),
    ("jax._src.ops.special", "logsumexp", "(f32(4, 33), 1)"),
    (_J + ".lax_numpy", "trapezoid", "(f32(4, 33),)"),
    (_J + ".lax_numpy", "diff", "(f32(4, 33),)"),
    (_J + ".lax_numpy", "cov", "(f32(4, 33),)"),
    (_J + ".lax_numpy", "corrcoef", "(f32(4, 33),)"),
    (_J + ".lax_numpy", "interp", "(f32(20), jnp.arange(9.0), f32(9))"),
    (_J + ".lax_numpy", "cross", "(f32(5, 3), f32(5, 3))"),
    (_J + ".lax_numpy", "nan_to_num", "(f32(4, 33),)"),
    (_J + ".ufuncs", "sinc", "(f32(4, 33),)"),
    (_J + ".ufuncs", "heaviside", "(f32(4, 33), f32(4, 33))"),
    (_J + ".reductions", "average", "(f32(4, 33), 1, rand(4, 33))"),
    (_J + ".reductions", "nanmean", "(f32(4, 33), 1)"),
    (_J + ".polynomial", "polyval", "(f32(5), f32(33))"),
    (_J + ".linalg", "vector_norm", "(f32(4, 33),)"),
)  # fmt: skip

_NF = "numpy.lib._function_base_impl"
_S = "scipy.signal._signaltools"
NUMPY_FUNCTIONS = (
    (_NF, "average", "(f64(4, 33), 1, rand(4, 33))"),
    (_NF, "gradient", "(f64(20), 0.5)"),
    (_NF, "diff", "(f64(4, 33), 2)"),
    (_NF, "unwrap", "(f64(33),)"),
    (_NF, "cov", "(f64(4, 33),)"),
    (_NF, "corrcoef", "(f64(4, 33),)"),
    (_NF, "trapezoid", "(f64(4, 33),)"),
    (_NF, "sinc", "(f64(33),)"),
    (_NF, "flip", "(f64(4, 33), 1)"),
    (_NF, "rot90", "(f64(4, 33), 3)"),
    (_NF, "select", "([rand(9) > 0.5, rand(9) > 0.3], [f64(9), f64(9)], 2.0)"),
    ("numpy.lib._nanfunctions_impl", "nanmean", "(f64(4, 33), 1)"),
    ("numpy.lib._nanfunctions_impl", "nanvar", "(f64(4, 33), 1)"),
    ("numpy.lib._type_check_impl", "nan_to_num", "(f64(4, 33),)"),
    ("numpy.lib._twodim_base_impl", "vander", "(f64(9), 4)"),
    ("numpy.lib._twodim_base_impl", "tri", "(5, 7, 1)"),
    ("numpy.lib._shape_base_impl", "kron", "(f64(3, 2), f64(2, 4))"),
    ("numpy.lib._shape_base_impl", "tile", "(f64(3, 2), (2, 3))"),
    ("numpy.lib._polynomial_impl", "polyval", "(f64(5), f64(33))"),
    ("numpy.lib._polynomial_impl", "polyder", "(f64(5), 2)"),
    ("numpy._core.numeric", "roll", "(f64(4, 33), 3, 1)"),
    ("numpy._core.numeric", "cross", "(f64(5, 3), f64(5, 3))"),
    ("numpy._core.numeric", "outer", "(f64(5), f64(6))"),
    ("numpy.linalg._linalg", "norm", "(f64(4, 33), 'fro')"),
    ("numpy.linalg._linalg", "matrix_power", "(f64(5, 5), 5)"),
    ("numpy.linalg._linalg", "multi_dot", "([f64(3, 4), f64(4, 5), f64(5, 2)],)"),
    ("scipy.special._logsumexp", "softmax", "(f64(4, 33), 1)"),
    ("scipy.special._logsumexp", "log_softmax", "(f64(4, 33), 1)"),
    ("scipy.stats._stats_py", "pmean", "(rand(33), 3)"),
    ("scipy.stats._stats_py", "gmean", "(rand(33),)"),
    ("scipy.stats._stats_py", "moment", "(f64(33), 3)"),
    ("scipy.linalg._special_matrices", "toeplitz", "(f64(5), f64(6))"),
    ("scipy.linalg._special_matrices", "hankel", "(f64(5), f64(6))"),
    ("scipy.spatial.distance", "minkowski", "(f64(9), f64(9), 3)"),
    ("scipy.spatial.distance", "braycurtis", "(rand(9), rand(9))"),
    ("scipy.integrate._quadrature", "cumulative_trapezoid", "(f64(4, 33),)"),
    ("scipy.integrate._quadrature", "simpson", "(f64(4, 33),)"),
    ("scipy.signal.windows._windows", "general_cosine", "(31, [0.5, 0.3, 0.2])"),
    ("scipy.signal.windows._windows", "gaussian", "(31, 5.0)"),
    ("scipy.ndimage._fourier", "fourier_shift", "(f64(4, 8), 1.5)"),
    ("scipy.optimize._optimize", "rosen", "(f64(9),)"),
    ("scipy.optimize._optimize", "rosen_der", "(f64(9),)"),
    (_S, "detrend", "(f64(4, 33),)"),
)  # fmt: skip


def installed_programs(say: Say) -> Iterator[Program]:
    """What the installed packages hold."""
    yield from _liger(say)
    torch_header = "import torch"
    jax_header = "import jax\nimport jax.numpy as jnp"
    numpy_header = "import numpy as np"
    yield from _functions(TORCH, TORCH_FUNCTIONS, torch_header, say)
    yield from _functions(JAX, JAX_FUNCTIONS, jax_header, say)
    yield from _functions(NUMPY, NUMPY_FUNCTIONS, numpy_header, say)


def _liger(say: Say) -> Iterator[Program]:
    for file, entry, inputs in LIGER:
        try:
            path, source = text_of(f"liger_kernel.ops.{file}")
        except (ImportError, OSError):
            say(f"left out: liger_kernel.ops.{file} is not installed")
            continue
        origin = f"liger_kernel/ops/{file}.py"
        yield Program(f"liger-{file}", TRITON, source, entry, inputs, origin, path=path)


def _functions(
    kind: str, listed: tuple[tuple[str, str, str], ...], header: str, say: Say
) -> Iterator[Program]:
    for module, function, inputs in listed:
        try:
            source = standalone(module, function, header)
        except (ImportError, AttributeError, OSError, TypeError) as e:
            say(f"left out: {module}.{function}: {e}")
            continue
        package = module.split(".")[0]
        name = f"{package}-{function.strip('_')}"
        name += "-decomp" if module == _D else ""
        yield Program(name, kind, source, function, inputs, f"{module}.{function}", (function,))


def kernelbench_programs(root: Path, say: Say) -> Iterator[Program]:
    """KernelBench's problems with smaller sizes. root: its folder KernelBench."""
    for level, numbers in KERNELBENCH:
        for number in numbers:
            found = sorted((root / level).glob(f"{number}_*.py"))
            if not found:
                say(f"left out: {level}/{number} is not below {root}")
                continue
            source = shrink(found[0].read_text(encoding="utf-8"))
            name = f"kb-{level[-1]}-{number}"
            origin = f"KernelBench/{level}/{found[0].name}, smaller sizes"
            yield Program(name, TORCH, source, None, None, origin, ("Model", "NewGELU"))


def shrink(source: str) -> str:
    """Whole numbers above 8 that the module assigns to names, made small: equal ones stay
    equal, different ones different, and all but batches are multiples of 8."""
    tree = ast.parse(source)
    lines = source.splitlines(keepends=True)
    small: dict[int, int] = {}
    for node in tree.body:
        if not isinstance(node, ast.Assign):
            continue
        for number in ast.walk(node.value):
            if not isinstance(number, ast.Constant) or type(number.value) is not int:
                continue
            if number.value <= 8 or number.lineno != number.end_lineno:
                continue
            batch = isinstance(node.targets[0], ast.Name) and "batch" in node.targets[0].id
            target = small.setdefault(number.value, 3 if batch else 8 * (1 + len(small)))
            line = lines[number.lineno - 1]
            size = number.end_col_offset - number.col_offset
            text = str(target).ljust(size)
            lines[number.lineno - 1] = (
                line[: number.col_offset] + text + line[number.end_col_offset :]
            )
    return "".join(lines)


def gpuemu_programs(data: Path, say: Say) -> Iterator[Program]:
    """Kernels of gpuemu's corpus. data: its folder gpuemu_corpus/data."""
    for name, shapes in GPUEMU.items():
        path = data / name / "kernel.py"
        if not path.is_file():
            say(f"left out: {name} is not below {data}")
            continue
        source = path.read_text(encoding="utf-8")
        targets = tuple(
            n.name for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef)
        )
        source = source.replace("torch.cuda.is_available()", "True")
        source = source.replace('device="cuda"', 'device="cpu"')
        pairs = [pair.split("=") for pair in shapes.split()]
        names = [n for n, _ in pairs]
        kind = TRITON if "triton" in name else NUMPY
        call = "torch.from_numpy(run({%s}))" if kind == TRITON else "run({%s})"
        of = "{0}.numpy()" if kind == TRITON else "{0}"
        given = ", ".join(f'"{n}": {of.format(n)}' for n in names)
        source += f"\n\ndef call({', '.join(names)}):\n    return {call % given}\n"
        inputs = "(" + "".join(f"f32({s}), " for _, s in pairs) + ")"
        origin = f"gpuemu-corpus, gpuemu_corpus/data/{name}/kernel.py, on the CPU"
        yield Program(f"gpuemu-{name}", kind, source, "call", inputs, origin, targets)


def tutorial_programs(folder: Path, say: Say) -> Iterator[Program]:
    """Kernels and launchers of Triton's tutorials, without what measures and prints."""
    for file, kept, entry, inputs in TUTORIALS:
        path = folder / file
        if not path.is_file():
            say(f"left out: {file} is not below {folder}")
            continue
        source = _definitions(path.read_text(encoding="utf-8"), kept)
        # What the CPU build of Triton alone knows.
        source = source.replace("        num_cpu_threads=num_cpu_threads,\n", "")
        name = f"tutorial-{file.split('-')[0]}-{entry.split('.')[0].lower()}"
        origin = f"triton python/tutorials/{file}"
        yield Program(name, TRITON, source, entry, inputs, origin, kept)


def _definitions(source: str, kept: tuple[str, ...]) -> str:
    head = "import torch\n\nimport triton\nimport triton.language as tl\n\n"
    head += f"DEVICE = torch.device({'cpu'!r})\nHAS_APEX = False\n"
    lines = source.splitlines()
    parts = []
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name in kept:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            parts.append("\n".join(lines[first - 1 : node.end_lineno]))
    return head + "\n\n" + "\n\n\n".join(parts) + "\n"
