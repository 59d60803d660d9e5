"""Values of literals, and literals of values."""

from __future__ import annotations

import ast
import math

from semrep.ir.emit import PRIMARY, UNARY
from semrep.ir.tree import Node

Scalar = int | float | bool | str | bytes | None

LITERALS = frozenset({"integer", "float", "true", "false", "none", "string"})
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "none": None}
_LONGEST = 80


class NotLiteral:
    """What `value_of` gives where a node is no literal (None is a value)."""


NOT_LITERAL = NotLiteral()


def is_literal(node: Node) -> bool:
    """A number (with any sign), string, bytes, True, False or None, as it is written."""
    node = node.unparenthesized
    if node.kind == "unary_operator":
        return node.operator in "+-" and node["argument"].kind in ("integer", "float")
    if node.kind == "string":
        is_plain = not any(c.kind == "interpolation" for c in node.children)
        return is_plain and len(node.span) <= _LONGEST
    return node.kind in LITERALS


def value_of(node: Node) -> Scalar | NotLiteral:
    """The value of a literal; NOT_LITERAL for anything else, imaginary and long ones too."""
    node = node.unparenthesized
    if not is_literal(node) or len(node.span) > _LONGEST:
        return NOT_LITERAL
    if node.kind in _WORDS:
        return _WORDS[node.kind]
    try:
        value = ast.literal_eval(node.text)
    except (ValueError, SyntaxError):
        return NOT_LITERAL
    return value if isinstance(value, (int, float, str, bytes)) else NOT_LITERAL


def written(value: Scalar, like: Node) -> tuple[str, int] | None:
    """Source text of a value and how tightly it binds; None where no short literal gives
    exactly this value. like: a literal whose quotes are to be used."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and value.bit_length() > 128:
        return None
    text = repr(value)
    if len(text) > _LONGEST:
        return None
    if isinstance(value, (str, bytes)):
        if like.text.endswith('"') and text.endswith("'") and '"' not in text:
            prefix, body = text.split("'", 1)
            text = f'{prefix}"{body[:-1]}"'
        return text, PRIMARY
    return text, UNARY if text.startswith("-") else PRIMARY
