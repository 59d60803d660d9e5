"""Random integer expressions, rewrites of them that are right or look right, and how to run
them: Python by `eval`, Triton by words that wrap."""

from __future__ import annotations

import random
from dataclasses import dataclass

Tree = str | int | tuple  # a name, a literal, or (operator, operands...)

_OPERATORS = ["+", "-", "*", "//", "%", "&", "|", "^", "<<", ">>", "+", "*", "//", "%"]
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}
_NEGATED = {"<": ">=", ">": "<=", "<=": ">", ">=": "<", "==": "!=", "!=": "=="}


def number(rng: random.Random, names: list[str], depth: int) -> Tree:
    """A random arithmetic expression."""
    if depth == 0 or rng.random() < 0.15:
        return rng.choice([*names, *names, rng.randint(-4, 9), 8])
    op = rng.choice(_OPERATORS)
    left = number(rng, names, depth - 1)
    if op in ("<<", ">>"):
        return (op, left, rng.randint(0, 4))
    right = number(rng, names, depth - 1)
    if op in ("//", "%") and rng.random() < 0.6:
        right = rng.choice([2, 4, 8, 3, -4])
    return (op, left, right)


def condition(rng: random.Random, names: list[str], depth: int) -> Tree:
    """A random test of numbers."""
    if depth == 0:
        return (rng.choice(list(_FLIPPED)), number(rng, names, 1), number(rng, names, 1))
    op = rng.choice(["and", "or", "not", "and", "or"])
    if op == "not":
        return (op, condition(rng, names, depth - 1))
    return (op, condition(rng, names, depth - 1), condition(rng, names, depth - 1))


def text(tree: Tree) -> str:
    if not isinstance(tree, tuple):
        return str(tree) if not isinstance(tree, int) or tree >= 0 else f"({tree})"
    op, *parts = tree
    if len(parts) == 1:
        return f"({op} {text(parts[0])})"
    return f"({text(parts[0])} {op} {text(parts[1])})"


def rewritten(rng: random.Random, tree: Tree) -> Tree:
    """One change somewhere in the tree; most preserve the meaning under some conditions."""
    if isinstance(tree, tuple) and rng.random() < 0.6:
        at = rng.randrange(1, len(tree))
        return (*tree[:at], rewritten(rng, tree[at]), *tree[at + 1 :])
    ways = list(_ways(tree, rng))
    return rng.choice(ways) if ways else tree


def _ways(tree: Tree, rng: random.Random):  # type: ignore[no-untyped-def]
    c = rng.choice([2, 4, 8])
    match tree:
        case ("and" | "or" as op, a, b):
            other = "or" if op == "and" else "and"
            yield (op, b, a)
            yield ("not", (other, ("not", a), ("not", b)))
            yield ("not", (other, ("not", a), b))
            return
        case ("not", ("and" | "or" as op, a, b)):
            yield ("or" if op == "and" else "and", ("not", a), ("not", b))
            return
        case ("not", a):
            yield ("not", ("not", tree))
            if a[0] in _NEGATED:
                yield (_NEGATED[a[0]], *a[1:])
            return
        case (op, a, b) if op in _FLIPPED:
            yield (_FLIPPED[op], b, a)
            yield (_FLIPPED[op], a, b)
            yield ("not", (_NEGATED[op], a, b))
            yield (op, ("-", a, b), 0)
            return
    yield ("+", tree, 0)
    yield ("-", ("+", tree, c), c)
    yield ("+", ("*", ("//", tree, c), c), ("%", tree, c))
    yield ("-", 0, ("-", 0, tree))
    yield ("//", ("*", tree, c), c)
    match tree:
        case (op, a, b):
            if op not in ("<<", ">>"):
                yield (op, b, a)
            elif isinstance(b, int):
                yield ("*" if op == "<<" else "//", a, 2**b)
            if op in ("+", "*", "&", "|", "^") and isinstance(a, tuple) and a[0] == op:
                yield (op, a[1], (op, a[2], b))
            if op in ("*", "//", "%") and isinstance(a, tuple) and a[0] in ("+", "-"):
                yield (a[0], (op, a[1], b), (op, a[2], b))
            if op == "-":
                yield ("+", a, ("*", -1, b))
            if op == "*" and isinstance(b, int) and b in (2, 4, 8):
                yield ("<<", a, b.bit_length() - 1)
            if op == "//" and isinstance(b, int) and b in (2, 4, 8):
                yield (">>", a, b.bit_length() - 1)
            if op == "%" and isinstance(b, int) and b in (2, 4, 8):
                yield ("&", a, b - 1)


@dataclass(frozen=True)
class Word:
    """An int of Triton's: wraps, and divides by truncation. What is undefined is any number."""

    value: int
    width: int = 32

    def _pair(self, other: Word | int) -> tuple[int, int, int]:
        if isinstance(other, int):
            return self.value, other, self.width
        return self.value, other.value, max(self.width, other.width)

    @staticmethod
    def wrap(value: int, width: int) -> Word:
        half = 1 << (width - 1)
        return Word((value + half) % (2 * half) - half, width)

    def _apply(self, op: str, other: Word | int, swapped: bool = False) -> Word:
        a, b, width = self._pair(other)
        if swapped:
            a, b = b, a
        if (op in ("//", "%") and (b == 0 or (b == -1 and a == -(1 << (width - 1))))) or (
            op in ("<<", ">>") and not 0 <= b < width
        ):
            return Word.wrap(hash((op, a, b, 77)), width)
        if op == "//":
            found = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        elif op == "%":
            found = abs(a) % abs(b) * (-1 if a < 0 else 1)
        else:
            found = {
                "+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "&": lambda: a & b,
                "|": lambda: a | b, "^": lambda: a ^ b, "<<": lambda: a << b, ">>": lambda: a >> b,
            }[op]()  # fmt: skip
        return Word.wrap(found, width)


def _operator(op: str, name: str) -> None:
    setattr(Word, f"__{name}__", lambda self, other: self._apply(op, other))
    setattr(Word, f"__r{name}__", lambda self, other: self._apply(op, other, True))


for _op, _name in {
    "+": "add", "-": "sub", "*": "mul", "//": "floordiv", "%": "mod", "&": "and", "|": "or",
    "^": "xor", "<<": "lshift", ">>": "rshift",
}.items():  # fmt: skip
    _operator(_op, _name)
