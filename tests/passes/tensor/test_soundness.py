# ruff: noqa: E501 (programs on one line)
"""Random programs full of aliases, mutation, branches, loops, closures and unknown calls: every
rule is applied wherever it agrees to act, and both programs are run.

All arrays are square, so that anything can be combined with anything and any mix-up of values
shows. The cost model is switched off: slower rewrites must be right too.
"""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest

from semrep.ir.module import Module
from semrep.passes import registry
from semrep.passes.base import Refusal
from semrep.passes.rule import Rule
from tests.passes.signature_text import parse_signature

RULES = [
    dataclasses.replace(p, may_be_slower=True)
    for p in registry.all_passes()
    if isinstance(p, Rule) and p.name != "reorder-product-chain"  # turns back and forth for ever
]
SIGNATURE = parse_signature("f(a: f64[4, 4], b: f64[4, 4], v: f64[4], flag: True)")
HEAD = """import torch
import torch.nn.functional as F

KEPT = []


def keep(t):
    KEPT.append(t)
    for k in KEPT[-3:]:
        k.add_(1.0)


def look(t):
    return float(t.sum())


"""
NAMES = ["a", "b", "x", "y", "z"]
EXPRESSIONS = [
    "{p} @ {q}", "torch.matmul({p}, {q})", "{p} @ {q} @ {r}", "{p} * 2.0", "{p} * 0.5 * 3.0",
    "{p} + {q}", "{p} * 0.5 + {p}", "{p}.clamp(min=-1.0)", "{p}.clamp(max=1.0)",
    "{p}.clamp(-2.0, 2.0).clamp(min=-1.0)", "{p}.T", "{p}.T.T", "{p}.transpose(0, 1)",
    "{p} * torch.sigmoid({p})", "torch.sigmoid({p})", "{p} @ torch.diag(v)", "torch.diag(v) @ {p}",
    "({p} @ {q}).sum(-1)", "({p} @ {q}).sum(-1, keepdim=True) + {r}", "{p}.sum(1, keepdim=True) * {q}",
    "{p}.sum(1, keepdim=True).amax(1, keepdim=True) + {q}", "{p} @ {q} + {p} @ {r}", "{p}",
    "{p}.detach()", "{p}.reshape(4, 4)", "{p}[:]", "{p}.clone()",
    "F.dropout({p}, 0.5, training=False)", "{p}.mean(1, keepdim=True).mean(1, keepdim=True) + {q}",
]  # fmt: skip
STATEMENTS = [
    "{t} = {e}", "{t} = {e}", "{t} = {e}", "{t} = {e}", "{t} = {e}", "{t} = {t} @ {q}",
    "{t} = {t}.sum(1, keepdim=True)", "{t} = {t} * torch.sigmoid({t})", "{t} += {q}", "{t}.mul_(0.5)",
    "{t} = {u} = {e}", "{t}, {u} = {e}, {q}", "{t}[0] = 1.0", "keep({t})", "c = look({t})",
    "{t} = torch.relu_({t})",
]  # fmt: skip
CHANGES = [
    "{p}.mul_(0.5)", "keep({p})", "{p} += 1.0", "{q} = {r}", "{p} = {q}", "{q}[0] = 1.0",
    "{t}.mul_(2.0)", "keep({t})", "if flag: {p} = {r}", "for i in range(2): {p} = {p} * 2.0",
    "{r} = {t}", "{r} = lambda: {t}; {r} = {p}", "v.mul_(1.5)", "{p}.T.mul_(2.0)",
]  # fmt: skip

# A definition and a use that a rule wants to merge, with anything in between.
PAIRS = [
    ("{t} = {p} @ {q}", "{u} = {t}.sum(1)"),
    ("{t} = {p} @ {q}", "{t} = torch.sum({t}, dim=1, keepdim=True)"),
    ("{t} = {p}.sum(1, keepdim=True)", "{u} = {t}.amax(1, keepdim=True)"),
    ("{t} = {p}.sum(1, keepdim=True)", "{t} = torch.max({t}, dim=1, keepdim=True)[0]"),
    ("{t} = {p}.clamp(min=-1.0)", "{u} = {t}.clamp(max=1.0)"),
    ("{t} = {p}.T", "{u} = {t}.T"),
    ("{t} = {p} * 0.5", "{u} = {t} + {p}"),
    ("{t} = torch.sigmoid({p})", "{u} = {p} * {t}"),
    ("{t} = {p} * 2.0", "{u} = ({t} * 3.0).sum(1)"),
    ("{t} = {p} @ {q}", "{u} = {t} + {p} @ {r}"),
    ("{t} = torch.diag(v)", "{u} = {p} @ {t}"),
    # Written to in place, but made for it alone.
    ("{t} = {p} @ {q}; {t} = {t}.mul_(2.0)", "{u} = {t}.sum(1)"),
    ("{t} = {p} + 1.0; {u} = {t}.clamp_(min=-1.0)", "{u} = {u}.clamp(max=1.0)"),
    ("{t} = {p} @ {q}; {t} *= 2.0", "{u} = {t} * 3.0"),
    ("{t} = {p}.clone().mul_(0.5)", "{u} = {t} + {p}"),
    ("{t} = {p} @ {q}; {r} = {t}; {t}.mul_(2.0)", "{u} = ({t} * 3.0).sum(1)"),
]


def _program(seed: int) -> str:
    rng = random.Random(seed)

    def fill(text: str) -> str:
        pick = {name: rng.choice(NAMES) for name in "pqrtu"}
        expression = rng.choice(EXPRESSIONS).format(**pick)
        return text.format(e=expression, **pick)

    def block(depth: int, length: int, indent: str) -> list[str]:
        lines: list[str] = []
        for _ in range(length):
            kind = rng.random()
            if kind > 0.7:
                pick = {name: rng.choice(NAMES) for name in "pqrtu"}
                first, second = (line.format(**pick) for line in rng.choice(PAIRS))
                between = block(depth - 1 if depth else 0, rng.choice((0, 0, 1)), indent)
                if rng.random() < 0.5:
                    between.append(indent + rng.choice(CHANGES).format(**pick))
                lines += [indent + first, *between, indent + second]
            elif depth and kind < 0.08:
                lines += [f"{indent}if flag:", *block(depth - 1, 2, indent + "    ")]
                if rng.random() < 0.5:
                    lines += [f"{indent}else:", *block(depth - 1, 1, indent + "    ")]
            elif depth and kind < 0.14:
                lines += [f"{indent}for i in range(2):", *block(depth - 1, 2, indent + "    ")]
            elif depth and kind < 0.17:
                name = rng.choice(NAMES)
                lines += [f"{indent}def inner():", f"{indent}    return {name}.sum()"]
                lines += [f"{indent}c = inner()"]
            elif depth and kind < 0.2:
                lines += [f"{indent}try:", *block(depth - 1, 2, indent + "    ")]
                lines += [f"{indent}finally:", f"{indent}    c = 1"]
            else:
                lines.append(indent + fill(rng.choice(STATEMENTS)))
        return lines

    body = ["    x = a * 1.5", "    y = b + a", "    z = a @ b", "    c = 0"]
    body += block(2, rng.randint(3, 7), "    ")
    returned = rng.sample(NAMES, rng.randint(1, 3))
    results = [rng.choice(["{n}", "{n}.sum(1)", "({n} @ {m}).sum(-1)"]) for _ in returned]
    parts = [r.format(n=n, m=rng.choice(NAMES)) for r, n in zip(results, returned, strict=True)]
    body.append(f"    return c, {', '.join(parts)}")
    return HEAD + "def f(a, b, v, flag):\n" + "\n".join(body) + "\n"


def _optimize(source: str) -> tuple[str, list[str]]:
    module = Module.from_text(source, "case.py").with_signature(SIGNATURE)
    applied: list[str] = []
    progress = True
    while progress and len(applied) < 30:
        progress = False
        for rule in RULES:
            for site in rule.sites(module):
                result = rule.rewrite(module, site)
                if isinstance(result, Refusal):
                    continue
                after = module.apply(result)
                assert not after.diagnostics, after.text
                module, progress = after, True
                applied.append(rule.name)
                break
        module = Module.from_text(module.source, "case.py").with_signature(SIGNATURE)
    return module.text, applied


def _run(source: str, flag: bool) -> list[Any]:
    import torch

    namespace: dict[str, Any] = {"__name__": "case"}
    exec(compile(source, "case.py", "exec"), namespace)
    generator = torch.Generator().manual_seed(7)
    a = torch.randn(4, 4, generator=generator, dtype=torch.float64)
    b = torch.randn(4, 4, generator=generator, dtype=torch.float64)
    v = torch.randn(4, generator=generator, dtype=torch.float64)
    try:
        result: Any = list(namespace["f"](a, b, v, flag))
    except (RuntimeError, IndexError, TypeError) as error:
        return [type(error).__name__]
    kept = [k.clone() for k in namespace["KEPT"]]
    # What a caller sees when it goes on to write into an argument or a result.
    tensors = [r for r in result if isinstance(r, torch.Tensor)]
    values = [t.clone() for t in tensors]
    for position, tensor in enumerate((*tensors, a, b)):
        if tensor.is_contiguous():
            tensor.add_(float(position + 1))
    return [result[0], *values, *kept, *tensors, a, b]


@pytest.mark.parametrize("chunk", range(8))
def test_random_programs_keep_their_meaning(chunk: int) -> None:
    import torch

    changed = 0
    for seed in range(chunk * 40, chunk * 40 + 40):
        before = _program(seed)
        after, applied = _optimize(before)
        if not applied:
            continue
        changed += 1
        for flag in (True, False):
            expected, found = _run(before, flag), _run(after, flag)
            if isinstance(expected[0], str):
                continue  # the random program itself fails
            message = f"seed {seed}: {applied}\n{before}\n-----\n{after}"
            assert len(expected) == len(found), message
            for x, y in zip(expected, found, strict=True):
                if isinstance(x, torch.Tensor):
                    assert isinstance(y, torch.Tensor) and x.shape == y.shape, message
                    assert torch.allclose(
                        x, y, rtol=1e-8, atol=1e-8 * float(x.abs().max() + 1), equal_nan=True
                    ), message
                else:
                    assert x == pytest.approx(y, rel=1e-8), message
    assert changed >= 10
