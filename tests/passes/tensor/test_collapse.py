"""Random convolutions, reduced over random dimensions, against what the rule makes of them."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest
import torch

from semrep.ir.module import Module
from semrep.passes import registry
from semrep.passes.base import Refusal
from semrep.passes.rule import Rule
from tests.passes.signature_text import parse_signature

TRIALS = 150


def _program(rng: random.Random) -> tuple[str, str]:
    """A function of x, w and b, and its signature."""
    count, transposed = rng.choice((1, 2, 2, 3)), rng.random() < 0.6
    groups = rng.choice((1, 1, 2)) if count > 1 else 1
    channels, outputs = groups * rng.randint(1, 3), groups * rng.randint(1, 3)
    kernel = [rng.randint(1, 4) for _ in range(count)]
    dilation = [rng.choice((1, 1, 2)) for _ in range(count)]
    stride = [rng.choice((1, 2, 3)) if transposed else 1 for _ in range(count)]
    padding = [rng.randint(0, d * (k - 1)) for k, d in zip(kernel, dilation, strict=True)]
    size = [d * k + rng.randint(1, 5) for k, d in zip(kernel, dilation, strict=True)]
    options = f"stride={stride}, padding={padding}, dilation={dilation}, groups={groups}"
    if transposed:
        more = [rng.randrange(max(s, d)) for s, d in zip(stride, dilation, strict=True)]
        options += f", output_padding={more}"
        weight = [channels, outputs // groups, *kernel]
    else:
        weight = [outputs, channels // groups, *kernel]
    bias = rng.random() < 0.5
    dims = sorted(rng.sample(range(count + 2), rng.randint(1, count + 2)))
    if not any(d >= 2 for d in dims):
        dims.append(2)
    name = f"F.conv{'_transpose' if transposed else ''}{count}d"
    reduction = f"{rng.choice(('sum', 'mean'))}(dim={dims}, keepdim={rng.random() < 0.5})"
    source = (
        "import torch\nimport torch.nn.functional as F\n\n\n"
        f"def f(x, w, b):\n    y = {name}(x, w, {'b' if bias else 'None'}, {options})\n"
        f"    return y.{reduction}\n"
    )
    shape = [2, channels, *size]
    return source, f"f(x: f64{shape}, w: f64{weight}, b: f64[{outputs}])"


@pytest.mark.parametrize("seed", range(4))
def test_random_convolutions(seed: int) -> None:
    rng = random.Random(seed)
    rule = registry.find("collapse-convolution")
    assert isinstance(rule, Rule)
    rule = dataclasses.replace(rule, may_be_slower=True)
    fired = 0
    for _ in range(TRIALS // 4):
        text, facts = _program(rng)
        signature = parse_signature(facts)
        module = Module.from_text(text).with_signature(signature)
        arguments = [torch.randn(t.shape, dtype=torch.float64) for _, t in signature.arguments]  # type: ignore[union-attr]
        try:
            before = _run(text, arguments)
        except RuntimeError:
            continue  # torch refuses the settings
        for site in list(rule.sites(module)):
            result = rule.rewrite(module, site)
            assert not isinstance(result, Refusal) or result.code == "kernel", (text, str(result))
            if isinstance(result, Refusal):
                continue
            after = _run(module.apply(result).text, arguments)
            fired += 1
            assert after.shape == before.shape, text
            torch.testing.assert_close(after, before, rtol=1e-10, atol=1e-10)
    assert fired > TRIALS // 8


def _run(text: str, arguments: list[torch.Tensor]) -> torch.Tensor:
    namespace: dict[str, Any] = {}
    exec(compile(text, "<convolution>", "exec"), namespace)
    result = namespace["f"](*arguments)
    assert isinstance(result, torch.Tensor)
    return result
