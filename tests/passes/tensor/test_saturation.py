"""Random matrix expressions: the saturated form means the same, and costs no more by the model
than what rules make of it one after the other."""

from __future__ import annotations

import random
from typing import Any

import pytest

pytest.importorskip("egglog")
import torch

from semrep.ir.module import Module
from semrep.ir.values import OP, value_graph
from semrep.passes.base import Refusal
from semrep.passes.manager import PassManager
from semrep.passes.rule_rewrite import _seconds_of
from semrep.passes.tensor.saturation import SaturateAlgebra
from tests.passes.signature_text import parse_signature

SIZES = (4, 64, 512)
RULES = (
    "sum-of-product,total-of-product,trace-of-product,reorder-product-chain,add-before-product,"
    "merge-scales,reduce-before-scale,cancel-transposes,merge-reductions"
)
NODE_SLACK = 5e-6  # seconds: calls have a modelled overhead that the two models round differently


class _Source:
    """A random expression and the arrays that it needs."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.arrays: dict[str, tuple[int, ...]] = {}

    def array(self, *shape: int) -> str:
        same = [name for name, known in self.arrays.items() if known == shape]
        if same and self.rng.random() < 0.5:
            return self.rng.choice(same)
        name = f"a{len(self.arrays)}"
        self.arrays[name] = shape
        return name

    def matrix(self, rows: int, cols: int, depth: int) -> str:
        if depth == 0:
            return self.array(rows, cols)
        kind = self.rng.choice(
            ("product", "product", "product", "sum", "difference", "scale", "transpose")
        )
        if kind == "product":
            inner = self.rng.choice(SIZES)
            return (
                f"({self.matrix(rows, inner, depth - 1)} @ {self.matrix(inner, cols, depth - 1)})"
            )
        if kind in ("sum", "difference"):
            sign = "+" if kind == "sum" else "-"
            sides = [self.matrix(rows, cols, depth - 1) for _ in range(2)]
            return f"({sides[0]} {sign} {sides[1]})"
        if kind == "scale":
            return f"({self.matrix(rows, cols, depth - 1)} * {self.rng.choice((0.5, 3.0))})"
        return f"{self.matrix(cols, rows, depth - 1)}.T"

    def expression(self) -> str:
        rows, cols = self.rng.choice(SIZES), self.rng.choice(SIZES)
        inner = self.matrix(rows, cols, 3)
        end = self.rng.choice(("", ".sum(1)", ".sum(0)", ".sum()", " @ v"))
        if end == " @ v":
            return f"{inner} @ {self.array(cols)}"
        return inner + end


def _seconds(module: Module) -> float:
    (placed,) = module.functions()
    return sum(_seconds_of(v) for v in value_graph(module, placed.unit) if v.kind == OP)


def _run(text: str, arguments: list[torch.Tensor]) -> torch.Tensor:
    namespace: dict[str, Any] = {}
    exec(compile(text, "<algebra>", "exec"), namespace)
    result = namespace["f"](*arguments)
    assert isinstance(result, torch.Tensor)
    return result


@pytest.mark.parametrize("seed", range(60))
def test_saturation_keeps_the_meaning_and_beats_greed(seed: int) -> None:
    source = _Source(seed)
    text = source.expression()
    facts = ", ".join(f"{n}: f64{list(shape)}" for n, shape in source.arrays.items())
    module = Module.from_text(
        f"import torch\n\n\ndef f({', '.join(source.arrays)}):\n    return {text}\n"
    )
    module = module.with_signature(parse_signature(f"f({facts})"))
    saturate = SaturateAlgebra()
    after = module
    for site in saturate.sites(module):
        result = saturate.rewrite(module, site)
        if not isinstance(result, Refusal):
            after = module.apply(result).with_signature(module.signature)
        else:
            assert result.code == "not-faster", str(result)
        break
    generator = torch.Generator().manual_seed(seed)
    arguments = [
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in source.arrays.values()
    ]
    before, found = _run(module.text, arguments), _run(after.text, arguments)
    assert found.shape == before.shape
    scale = float(before.abs().max())
    torch.testing.assert_close(found, before, rtol=0, atol=1e-9 * max(scale, 1.0))
    greedy = module
    for _ in range(4):
        greedy = PassManager().run(greedy, RULES).after
    assert _seconds(after) <= 1.02 * _seconds(greedy) + NODE_SLACK, (after.text, greedy.text)
