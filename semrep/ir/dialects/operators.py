"""Python's operators as operations, and how tightly each binds when written.

On tensors; what `+` does to Python scalars or lists is for those who know the types.
"""

from __future__ import annotations

# token → op. Triton's `%` and `//` truncate where torch's floor: they are left out there.
BINARY = {
    "+": "add", "-": "sub", "*": "mul", "/": "div", "//": "floor_divide", "%": "remainder",
    "**": "pow", "@": "matmul", "&": "bitwise_and", "|": "bitwise_or", "^": "bitwise_xor",
    "<<": "left_shift", ">>": "right_shift",
}  # fmt: skip
UNARY = {"-": "neg", "~": "bitwise_not"}
COMPARISON = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
ROUNDS_DIFFERENTLY_IN_TRITON = frozenset({"%", "//"})

# A larger number binds tighter (Language Reference, 6.17). An atom, call or subscript is 17.
ATOM = 17
PRECEDENCE = {
    "|": 8, "^": 9, "&": 10, "<<": 11, ">>": 11, "+": 12, "-": 12, "*": 13, "@": 13, "/": 13,
    "//": 13, "%": 13, "unary": 14, "**": 15, "<": 7, "<=": 7, ">": 7, ">=": 7, "==": 7, "!=": 7,
    "not": 6, "and": 5, "or": 4, "conditional": 3, "lambda": 2, ":=": 1,
}  # fmt: skip

TOKEN_OF = {name: token for token, name in {**BINARY, **COMPARISON}.items()}
UNARY_TOKEN_OF = {name: token for token, name in UNARY.items()}
