"""The same problem in other words: does an optimiser depend on how it is written?"""

from __future__ import annotations

import random
from dataclasses import dataclass

import libcst as cst

from bench.kernelbench.spellings import SPELLINGS, Spelling

_DRAWS = 2
_SAME = 1e-5
# Some spellings fit only here or there: an attempt at another place may succeed.
_ATTEMPTS = {"other dim": 4}


@dataclass(frozen=True, slots=True)
class Perturbed:
    """source: the other text. changed: names of the spellings that took part. why: of a problem
    that could not be written otherwise."""

    source: str
    changed: tuple[str, ...] = ()
    why: str = ""


def perturb(source: str, seed: int = 0, least: int = 3) -> Perturbed:
    """The problem in another spelling, the same for the same seed. Each step is run against the
    original, in this process, and left out where the results differ by more than 1e-5 of their
    scale. least: so many spellings are chosen at the least. Raises nothing for a bad problem."""
    rng = random.Random(f"{seed} {source}")
    try:
        expected = results(source)
    except Exception as error:
        return Perturbed(source, why=f"{type(error).__name__}: {str(error)[:200]}")
    names = rng.sample(sorted(SPELLINGS), rng.randint(least + 2, len(SPELLINGS)))
    current, changed = source, []
    for name in names:
        for _ in range(_ATTEMPTS.get(name, 1)):
            other = respelled(current, SPELLINGS[name], rng)
            if other is not None and is_same(other, expected):
                current = other
                changed.append(name)
                break
    why = "" if changed else "no other spelling gave the same results"
    return Perturbed(current, tuple(changed), why)


def respelled(source: str, spelling: Spelling, rng: random.Random) -> str | None:
    """The text after one spelling; None where it has nothing to act on, or is no Python then."""
    try:
        text = spelling(cst.parse_module(source), rng).code
        compile(text, "<perturbed>", "exec", dont_inherit=True)
    except (cst.ParserSyntaxError, cst.CSTValidationError, SyntaxError, LookupError):
        return None
    return text if text != source else None


def is_same(source: str, expected: list[list[object]]) -> bool:
    """Whether a text gives these results."""
    from bench.kernelbench.checking import error_of

    try:
        found = results(source)
    except Exception:
        return False  # a spelling that does not suit this text
    return all(error_of(a, b) <= _SAME for a, b in zip(found, expected, strict=True))


def results(source: str) -> list[list[object]]:
    """The tensors that the problem gives on a few draws. Raises what it raises."""
    import torch

    from bench.kernelbench.subjects import inputs_of, model_of, namespace, tensors

    space = namespace(source)
    model = model_of(space)
    found = []
    with torch.no_grad():
        for draw in range(_DRAWS):
            inputs = inputs_of(space, draw)
            torch.manual_seed(draw)
            found.append(tensors(model(*inputs)))
    return found
