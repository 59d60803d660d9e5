"""liger-kernel's operations on small inputs, each beside what it computes in plain torch."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class Operation:
    """module and function of liger_kernel.ops; extra: arguments after the tensors.

    inputs: makes the tensors; those that require gradients are differentiated. reference:
    the same function of the same tensors.
    """

    module: str
    function: str
    inputs: Callable[[], list[Any]]
    reference: Callable[..., Any]
    extra: tuple[Any, ...] = ()
    tolerance: float = 2e-5
    slow: bool = False

    def load(self) -> Callable[..., Any]:
        found = getattr(importlib.import_module(f"liger_kernel.ops.{self.module}"), self.function)
        return found.apply  # type: ignore[no-any-return]


def r(*shape: int) -> torch.Tensor:
    return torch.randn(shape).requires_grad_()


def rms(x: torch.Tensor, eps: float) -> torch.Tensor:
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps)


def cross_entropy(x: Any, target: Any) -> Any:
    return F.cross_entropy(x, target)


def jsd(x: Any, target: Any) -> Any:
    m = torch.log(0.5 * (x.exp() + target.exp()))
    forward = (target.exp() * (target - m)).sum()
    return (0.5 * forward + 0.5 * (x.exp() * (x - m)).sum()) / x.shape[0]


def fused_jsd(s: Any, sw: Any, t: Any, tw: Any) -> Any:
    return jsd((s @ sw.T).log_softmax(-1), (t @ tw.T).log_softmax(-1))


def rotate(x: Any, cos: Any, sin: Any) -> Any:
    half = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., half:], x[..., :half]), -1) * sin


def rope(q: Any, k: Any, cos: Any, sin: Any) -> Any:
    cos, sin = cos.unsqueeze(1), sin.unsqueeze(1)
    return rotate(q, cos, sin), rotate(k, cos, sin)


def angles(*lead: int, length: int, width: int) -> list[torch.Tensor]:
    half = torch.rand(*lead, length, width // 2)
    both = torch.cat((half, half), -1)
    return [both.cos(), both.sin()]


SECTIONS = [2, 3, 3]


def mrope(q: Any, k: Any, cos: Any, sin: Any) -> Any:
    def mixed(table: Any) -> Any:
        parts = table.split(SECTIONS * 2, dim=-1)
        return torch.cat([part[i % 3] for i, part in enumerate(parts)], -1)

    return rope(q, k, mixed(cos), mixed(sin))


def llama4_rope(q: Any, k: Any, freqs: Any) -> Any:
    def turned(x: Any) -> Any:
        pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2).contiguous())
        return torch.view_as_real(pairs * freqs[None, :, None, :]).flatten(-2)

    return turned(q), turned(k)


def attention_residual(v: Any, query: Any, norm: Any) -> Any:
    scores = ((rms(v, 1e-6) * norm) * query).sum(-1)
    return (scores.softmax(0).unsqueeze(-1) * v).sum(0)


def poly_norm(x: Any, w: Any, b: Any) -> Any:
    return w[0] * rms(x**3, 1e-6) + w[1] * rms(x**2, 1e-6) + w[2] * rms(x, 1e-6) + b


def sparsemax(x: Any) -> Any:
    ordered = x.sort(-1, descending=True).values
    ranks = torch.arange(1, x.shape[-1] + 1)
    sums = ordered.cumsum(-1)
    support = (1 + ranks * ordered > sums).sum(-1, keepdim=True)
    tau = (sums.gather(-1, support - 1) - 1) / support
    return (x - tau).clamp_min(0)


def multi_token(scores: Any, weight: Any, bias: Any) -> Any:
    future = torch.ones(scores.shape[-2:]).triu(1).bool()
    probabilities = scores.masked_fill(future, -torch.inf).softmax(-1)
    return F.conv2d(probabilities, weight, bias, padding=1).masked_fill(future, 0.0)


def neighborhood(q: Any, k: Any, v: Any) -> Any:
    places = torch.arange(q.shape[2])
    near = (places[:, None] - places[None, :]).abs() <= 3
    scores = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).masked_fill(~near, -torch.inf)
    return scores.softmax(-1) @ v


def moe(x: Any, gate_up: Any, down: Any, index: Any, weights: Any) -> Any:
    rows = []
    for t in range(x.shape[0]):
        total = torch.zeros_like(x[0])
        for j in range(index.shape[1]):
            gate, up = (gate_up[index[t, j]] @ x[t]).chunk(2)
            total = total + weights[t, j] * (down[index[t, j]] @ (F.silu(gate) * up))
        rows.append(total)
    return torch.stack(rows)


def mhc_coefficients(x: Any, phi: Any, b: Any, pre: Any, post: Any, res: Any) -> Any:
    streams = x.shape[-2]
    flat = x.flatten(-2)
    mix = (flat @ phi) * torch.rsqrt(flat.pow(2).mean(-1, keepdim=True) + 1e-6)
    s = streams
    first = torch.sigmoid(mix[..., :s] * pre + b[:s]) + 1e-4
    second = torch.sigmoid(mix[..., s : 2 * s] * post + b[s : 2 * s]) * 2.0
    logits = (mix[..., 2 * s :] * res + b[2 * s :]).unflatten(-1, (s, s))
    matrix = logits.softmax(-1) + 1e-6
    matrix = matrix / (matrix.sum(-2, keepdim=True) + 1e-6)
    for _ in range(3):
        matrix = matrix / (matrix.sum(-1, keepdim=True) + 1e-6)
        matrix = matrix / (matrix.sum(-2, keepdim=True) + 1e-6)
    return first, second, matrix


def mhc_post_res(x: Any, f: Any, post: Any, res: Any) -> Any:
    return torch.einsum("nij,njc->nic", res, x) + post.unsqueeze(-1) * f.unsqueeze(-2)


def grpo(logits: Any, old: Any, ids: Any, advantages: Any) -> Any:
    log_p = logits[:, :-1].log_softmax(-1).gather(-1, ids.unsqueeze(-1)).squeeze(-1)
    ratio = (log_p - old).exp()
    gain = advantages[:, None]
    loss = -torch.minimum(ratio * gain, ratio.clamp(0.8, 1.2) * gain)
    return loss.mean(-1).mean()


def mlp(x: Any, gate: Any, up: Any, down: Any) -> Any:
    return (F.silu(x @ gate.T) * (x @ up.T)) @ down.T


def targets(rows: int, classes: int) -> torch.Tensor:
    return torch.randint(0, classes, (rows,))


def fused_ce_tvd(s: Any, t: Any, y: Any) -> Any:
    tvd = 0.5 * (s.softmax(-1) - t.softmax(-1)).abs().sum(-1)
    return F.cross_entropy(s, y, reduction="none"), tvd


def embedding_inputs() -> list[Any]:
    return [r(10, 6), torch.randint(0, 10, (7,))]


OPERATIONS: dict[str, Operation] = {
    "attn_res": Operation("attn_res", "LigerAttnResFunction",
        lambda: [r(3, 2, 4, 20), r(20), r(20)], attention_residual, (1e-6,)),
    "cross_entropy": Operation("cross_entropy", "LigerCrossEntropyFunction",
        lambda: [r(6, 33), targets(6, 33)], cross_entropy, (None,)),
    "dyt": Operation("dyt", "LigerDyTFunction", lambda: [r(5, 40), r(1), r(40), r(40)],
        lambda x, a, g, b: torch.tanh(a * x) * g + b),
    "embedding": Operation("experimental.embedding", "LigerEmbeddingFunction", embedding_inputs,
        lambda w, i: w[i]),
    "fused_add_rms_norm": Operation("fused_add_rms_norm", "LigerFusedAddRMSNormFunction",
        lambda: [r(5, 48), r(5, 48), r(48)],
        lambda x, res, w: (rms(x + res, 1e-6) * w, x + res), (1e-6,)),
    "fused_ce_tvd": Operation("fused_ce_tvd", "LigerFusedCETVDFunction",
        lambda: [r(5, 37), torch.randn(5, 37), targets(5, 37)], fused_ce_tvd),
    "fused_gate_up_silu": Operation("swiglu", "LigerFusedGateUpSiLUMulFunction",
        lambda: [r(5, 64)], lambda y: F.silu(y[..., :32]) * y[..., 32:]),
    "fused_linear_cross_entropy": Operation("fused_linear_cross_entropy",
        "LigerFusedLinearCrossEntropyFunction", lambda: [r(6, 8), r(20, 8), targets(6, 20)],
        lambda x, w, y: F.cross_entropy(x @ w.T, y)),
    "fused_linear_jsd": Operation("fused_linear_jsd", "LigerFusedLinearJSDFunction",
        lambda: [r(5, 8), r(20, 8), torch.randn(5, 8), torch.randn(20, 8)], fused_jsd),
    "fused_linear_kl_div": Operation("fused_linear_kl_div", "LigerFusedLinearKLDivFunction",
        lambda: [r(5, 8), r(20, 8), torch.rand(5, 20).softmax(-1)],
        lambda x, w, q: F.kl_div((x @ w.T).log_softmax(-1), q, reduction="batchmean")),
    "fused_moe": Operation("fused_moe", "LigerFusedMoEFunction",
        lambda: [r(6, 16), r(3, 32, 16), r(3, 16, 16),
                 torch.tensor([[0, 1], [1, 2], [0, 2], [2, 1], [1, 0], [0, 1]], dtype=torch.int32),
                 torch.rand(6, 2).requires_grad_()], moe, slow=True),
    "geglu": Operation("geglu", "LigerGELUMulFunction", lambda: [r(5, 40), r(5, 40)],
        lambda a, b: F.gelu(a, approximate="tanh") * b),
    "group_norm": Operation("group_norm", "LigerGroupNormFunction",
        lambda: [r(2, 6, 10), r(6), r(6)],
        lambda x, w, b: F.group_norm(x, 3, w, b, 1e-6), (6, 3, 1e-6)),
    "grpo_loss": Operation("grpo_loss", "GrpoLossFunction",
        lambda: [r(2, 5, 19), -torch.rand(2, 4) * 3, torch.randint(0, 19, (2, 4)), torch.randn(2)],
        grpo),
    "jsd": Operation("jsd", "LigerJSDFunction",
        lambda: [torch.randn(5, 30).log_softmax(-1).requires_grad_(),
                 torch.randn(5, 30).log_softmax(-1)], jsd),
    "kl_div": Operation("kl_div", "LigerKLDivLossFunction",
        lambda: [torch.randn(5, 30).log_softmax(-1).requires_grad_(),
                 torch.rand(5, 30).softmax(-1)],
        lambda x, q: F.kl_div(x, q, reduction="batchmean")),
    "layer_norm": Operation("layer_norm", "LigerLayerNormFunction",
        lambda: [r(5, 48), r(48), r(48)],
        lambda x, w, b: F.layer_norm(x, (48,), w, b, 1e-5), (1e-5,)),
    "llama4_rope": Operation("llama4_rope", "LigerLlama4RopeFunction",
        lambda: [r(2, 3, 4, 16), r(2, 3, 2, 16), torch.polar(torch.ones(3, 8), torch.rand(3, 8))],
        llama4_rope),
    "mhc_coefficients": Operation("mhc", "LigerMHCCoeffsFunction",
        lambda: [r(5, 4, 16), r(64, 24), r(24), r(), r(), r()], mhc_coefficients,
        (True, 4, 1e-6, 1e-4, 1e-6, 2.0), slow=True),
    "mhc_pre": Operation("mhc", "LigerMHCPreFunction", lambda: [r(5, 4, 16), r(5, 4)],
        lambda x, h: (x * h.unsqueeze(-1)).sum(-2)),
    "mhc_post_res": Operation("mhc", "LigerMHCPostResFunction",
        lambda: [r(5, 4, 16), r(5, 16), r(5, 4), r(5, 4, 4)], mhc_post_res),
    "mlp": Operation("mlp", "LigerMLPFunction",
        lambda: [r(1, 8, 16), r(32, 16), r(32, 16), r(16, 32)], mlp, slow=True),
    "modulated_rms_norm": Operation("modulated_rms_norm", "LigerModulatedRMSNormFunction",
        lambda: [r(6, 40), r(40), r(40), r(40)],
        lambda x, w, s, t: (1 + s) * (rms(x, 1e-6) * w) + t, (1e-6,)),
    "multi_token_attention": Operation("multi_token_attention", "LigerMultiTokenAttentionFunction",
        lambda: [r(2, 3, 9, 9), r(3, 3, 3, 3), r(3)], multi_token, (1, 1)),
    "neighborhood_attention": Operation("fused_neighborhood_attention",
        "LigerFusedNeighborhoodAttentionFunction",
        lambda: [r(1, 2, 12, 16), r(1, 2, 12, 16), r(1, 2, 12, 16)], neighborhood, slow=True),
    "poly_norm": Operation("poly_norm", "LigerPolyNormFunction", lambda: [r(5, 40), r(3), r()],
        poly_norm, (1e-6,)),
    "qwen2vl_mrope": Operation("qwen2vl_mrope", "LigerQwen2VLMRopeFunction",
        lambda: [r(2, 4, 3, 16), r(2, 2, 3, 16), *angles(3, 2, length=3, width=16)], mrope,
        (SECTIONS,)),
    "relu_squared": Operation("relu_squared", "LigerReLUSquaredFunction", lambda: [r(5, 40)],
        lambda x: F.relu(x) ** 2),
    "rms_norm": Operation("rms_norm", "LigerRMSNormFunction", lambda: [r(5, 48), r(48)],
        lambda x, w: rms(x, 1e-6) * w, (1e-6,)),
    "rope": Operation("rope", "LigerRopeFunction",
        lambda: [r(2, 4, 3, 16), r(2, 2, 3, 16), *angles(1, length=3, width=16)], rope),
    "softmax": Operation("softmax", "LigerSoftmaxFunction", lambda: [r(5, 50)],
        lambda x: x.softmax(-1)),
    "sparsemax": Operation("sparsemax", "LigerSparsemaxFunction", lambda: [r(4, 20)], sparsemax,
        (-1,)),
    "swiglu": Operation("swiglu", "LigerSiLUMulFunction", lambda: [r(5, 40), r(5, 40)],
        lambda a, b: F.silu(a) * b),
    "tvd": Operation("tvd", "LigerTVDLossFunction",
        lambda: [torch.randn(5, 30).softmax(-1).requires_grad_(), torch.randn(5, 30).softmax(-1)],
        lambda p, q: 0.5 * (p - q).abs().sum() / p.shape[0]),
    "vocab_parallel_cross_entropy": Operation("vocab_parallel_cross_entropy",
        "LigerVocabParallelCEFunction", lambda: [r(3, 2, 21), targets(6, 21).view(3, 2)],
        lambda x, y: F.cross_entropy(x.flatten(0, 1), y.flatten(), reduction="none").view(3, 2),
        (None, -100, 0.0, "none", "none")),
}  # fmt: skip

# What the functions take after their tensors by another order than (tensors, extra).
CALLS: dict[str, Callable[[Callable[..., Any], list[Any]], Any]] = {
    "grpo_loss": lambda f, t: f(
        t[0], t[1], None, t[2], t[3], None, 1.0, 0.0, 0.2, 0.2, False
    )[0],
    "poly_norm": lambda f, t: f(*t, 1e-6, False),
    "rms_norm": lambda f, t: f(*t, 1e-6, 0.0, "llama", False),
    "modulated_rms_norm": lambda f, t: f(*t, 1e-6, 0.0, "llama", False),
}  # fmt: skip


def call(name: str, tensors: list[Any]) -> tuple[Any, ...]:
    """The outputs of one operation on copies of the tensors, then their gradients."""
    operation = OPERATIONS[name]
    function = operation.load()
    plain = CALLS.get(name)
    return _differentiated(
        lambda *t: plain(function, list(t)) if plain else function(*t, *operation.extra), tensors
    )


def expected(name: str, tensors: list[Any]) -> tuple[Any, ...]:
    return _differentiated(OPERATIONS[name].reference, tensors)


def _differentiated(function: Callable[..., Any], tensors: list[Any]) -> tuple[Any, ...]:
    given = [t.detach().clone().requires_grad_(t.requires_grad) for t in tensors]
    # Some operations write into their inputs, which a leaf does not allow.
    outputs = function(*(t.clone() if t.requires_grad else t for t in given))
    outputs = [o for o in (outputs if isinstance(outputs, tuple) else (outputs,)) if o is not None]
    floats = [o for o in outputs if o.is_floating_point() and o.requires_grad]
    generator = torch.Generator().manual_seed(1)
    seeds = [torch.randn(o.shape, generator=generator, dtype=o.dtype) for o in floats]
    wanted = [t for t in given if t.requires_grad]
    kept = [o.detach().clone() for o in outputs]
    gradients = torch.autograd.grad(floats, wanted, seeds) if wanted else ()
    return (*kept, *(g.clone() for g in gradients))
