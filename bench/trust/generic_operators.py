"""cosmic-ray's operators as a library: texts with one of its faults in them."""

from __future__ import annotations

import random
from functools import cache

import parso
from cosmic_ray.ast import ast_nodes
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

_TRIES = 12


def mutated(source: str, rng: random.Random) -> tuple[str, str] | None:
    """The name of an operator, and the text with one fault by it. None where several operators
    find no place in the text."""
    names = _names()
    for _ in range(_TRIES):
        name = rng.choice(names)
        operator = get_operator(name)()
        count = sum(len(list(operator.mutation_positions(n))) for n in _nodes(source))
        if count:
            changed = mutate_code(source, operator, rng.randrange(count))
            if changed is not None:
                return name, changed
    return None


@cache
def _names() -> tuple[str, ...]:
    """Operators that need no arguments."""
    return tuple(n for n in sorted(operator_names()) if not get_operator(n).arguments())


@cache
def _nodes(source: str) -> tuple[parso.tree.NodeOrLeaf, ...]:
    return tuple(ast_nodes(parso.parse(source)))
