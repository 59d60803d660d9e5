"""Writing Python source: brackets where precedence asks for them, whole lines where a
statement comes or goes. All edits are relative to the unit, like the nodes they come from."""

from __future__ import annotations

import builtins
import keyword
import re

from semrep.ir.scopes import scopes
from semrep.ir.text import Edit, Span
from semrep.ir.tree import Node
from semrep.ir.unit import Unit

# Binding strength, loosest first (Language Reference, 6.17 "Operator precedence").
SEQUENCE, NAMED, LAMBDA, CONDITIONAL, OR, AND, NOT, COMPARISON = range(8)
BIT_OR, BIT_XOR, BIT_AND, SHIFT, SUM, PRODUCT, UNARY, POWER, AWAIT, PRIMARY = range(8, 18)

_BINARY = {
    "|": BIT_OR, "^": BIT_XOR, "&": BIT_AND, "<<": SHIFT, ">>": SHIFT, "+": SUM, "-": SUM,
    "*": PRODUCT, "/": PRODUCT, "//": PRODUCT, "%": PRODUCT, "@": PRODUCT, "**": POWER,
    "or": OR, "and": AND,
}  # fmt: skip

_KINDS = {
    "expression_list": SEQUENCE, "pattern_list": SEQUENCE, "yield": SEQUENCE,
    "list_splat": SEQUENCE, "dictionary_splat": SEQUENCE, "assignment": SEQUENCE,
    "augmented_assignment": SEQUENCE, "named_expression": NAMED, "lambda": LAMBDA,
    "conditional_expression": CONDITIONAL, "not_operator": NOT,
    "comparison_operator": COMPARISON, "unary_operator": UNARY, "await": AWAIT,
}  # fmt: skip

_BRACKETS = (
    "argument_list", "parenthesized_expression", "tuple", "list", "set", "dictionary",
    "subscript", "list_comprehension", "set_comprehension", "dictionary_comprehension",
    "generator_expression", "parameters",
)  # fmt: skip

STATEMENTS_WITH_BLOCKS = (
    "if_statement", "for_statement", "while_statement", "with_statement", "try_statement",
    "function_definition", "class_definition", "decorated_definition", "match_statement",
)  # fmt: skip


def binding_strength(node: Node) -> int:
    """How tightly an expression's outermost operator binds."""
    if node.kind in ("binary_operator", "boolean_operator"):
        return _BINARY[node.operator]
    if node.kind == "concatenated_string":
        return PRIMARY
    return _KINDS.get(node.kind, PRIMARY)


def operator_strength(operator: str) -> int:
    """Binding strength of a binary or boolean operator, by its text."""
    return _BINARY[operator]


def needed_strength(node: Node) -> int:
    """The least strength that an expression must have to stand unbracketed in a node's place."""
    parent = node.parent
    if parent is None:
        return SEQUENCE
    kind, field = parent.kind, node.field
    if kind in ("binary_operator", "boolean_operator"):
        strength = _BINARY[parent.operator]
        if strength == POWER:
            return AWAIT if field == "left" else UNARY
        return strength if field == "left" else strength + 1
    if kind in ("attribute", "call") and field in ("object", "function"):
        return PRIMARY
    if kind == "subscript" and field == "value":
        return PRIMARY
    if kind == "conditional_expression":
        return CONDITIONAL if node is parent.operands[-1] else OR
    return {
        "unary_operator": UNARY, "not_operator": NOT, "comparison_operator": BIT_OR,
        "await": PRIMARY, "argument_list": LAMBDA, "keyword_argument": LAMBDA, "list": LAMBDA,
        "tuple": LAMBDA, "set": LAMBDA, "pair": LAMBDA, "subscript": LAMBDA, "slice": LAMBDA,
        "expression_list": LAMBDA, "lambda": LAMBDA, "for_in_clause": OR, "if_clause": OR,
        "list_splat": BIT_OR, "dictionary_splat": BIT_OR, "interpolation": PRIMARY,
        "named_expression": LAMBDA, "default_parameter": LAMBDA, "typed_default_parameter": LAMBDA,
        "list_comprehension": LAMBDA, "set_comprehension": LAMBDA, "generator_expression": LAMBDA,
        "assert_statement": LAMBDA, "raise_statement": LAMBDA, "decorator": LAMBDA,
        "if_statement": NAMED, "elif_clause": NAMED, "while_statement": NAMED,
        "with_item": LAMBDA, "as_pattern": LAMBDA, "match_statement": NAMED, "type": LAMBDA,
        "expression_statement": NAMED + 1,
    }.get(kind, SEQUENCE)  # fmt: skip


def bracketed(text: str, strength: int, needed: int) -> str:
    """The text, in brackets where it binds less tightly than its place needs."""
    return f"({text})" if strength < needed else text


def replace(node: Node, text: str, strength: int = PRIMARY) -> Edit:
    """Put an expression in a node's place, with the brackets and spaces it needs there.

    strength: how tightly the new text's outermost operator binds (`binding_strength`,
    `operator_strength`); PRIMARY for names, calls, literals and bracketed text.
    """
    needed = needed_strength(node)
    is_number = text[:1].isdigit() and node.parent is not None and node.parent.kind == "attribute"
    breaks_line = strength < PRIMARY and _breaks_lines(text) and not is_inside_brackets(node)
    # A place that takes `a, b` without brackets takes no `a := b`.
    is_bare_walrus = strength == NAMED and needed == SEQUENCE and not _is_bracketed(node)
    text = f"({text})" if strength < needed or is_number or breaks_line or is_bare_walrus else text
    before = node.source[node.start - 1 : node.start] if node.start else b""
    after = node.source[node.end : node.end + 1]
    if _joins(before, text[:1]):
        text = " " + text
    if _joins(after, text[-1:]):
        text += " "
    return Edit(node.span, encode(text))


def _is_bracketed(node: Node) -> bool:
    return node.parent is not None and node.parent.kind == "parenthesized_expression"


def with_brackets(node: Node) -> Node:
    """The node, or the outermost of the round brackets that hold nothing else."""
    while node.parent is not None and node.parent.kind == "parenthesized_expression":
        node = node.parent
    return node


LONGEST_LINE = 100


def wrapped(unit: Unit, node: Node, edit: Edit) -> Edit:
    """The edit of an expression, its last call's arguments put on lines of their own where the
    line would pass LONGEST_LINE characters; unchanged where there is no such call."""
    text = edit.text.decode("utf-8", "surrogateescape")
    start, end = line_start(node), _line_end(node.source, node.end)
    before = node.source[start : edit.span.start].decode("utf-8", "surrogateescape")
    after = node.source[edit.span.end : end].decode("utf-8", "surrogateescape").rstrip("\r\n")
    prefix = unit.indent if start == 0 else ""
    if "\n" in text or len(prefix + before + text + after) <= LONGEST_LINE:
        return edit
    pieces = _call_arguments(text)
    if pieces is None or is_inside_fstring(node):
        return edit
    head, arguments, tail = pieces
    indent = indent_of(unit, node)
    joint = f",{unit.newline}{indent}    "
    lines = f"{head}{unit.newline}{indent}    {joint.join(arguments)},{unit.newline}{indent}{tail}"
    return Edit(edit.span, encode(lines))


def _call_arguments(text: str) -> tuple[str, list[str], str] | None:
    """Text up to the outermost brackets with several arguments, these, and what follows."""
    depth, opening, cuts = 0, -1, []
    for index, character in enumerate(text):
        if character in "\"'":
            return None  # a bracket or comma may be part of a string
        if character in "([{":
            depth += 1
            if depth == 1:
                opening, cuts = index, [index]
        elif character in ")]}":
            depth -= 1
            if depth == 0 and character == ")" and len(cuts) > 1 and text[opening] == "(":
                ends = [*cuts[1:], index]
                parts = [text[a + 1 : b].strip() for a, b in zip(cuts, ends)]
                return text[: opening + 1], parts, text[index:]
        elif character == "," and depth == 1:
            cuts.append(index)
    return None


def encode(text: str) -> bytes:
    """Bytes of new source text; bytes that were not UTF-8 in the file come back unchanged."""
    return text.encode("utf-8", "surrogateescape")


def _breaks_lines(text: str) -> bool:
    """True where a line break may lie outside all brackets of an expression's text."""
    if "\n" not in text:
        return False
    depth = 0
    for character in text:
        if character in "\"'#":
            return True  # what follows may be no code
        depth += (character in "([{") - (character in ")]}")
        if character == "\n" and depth == 0:
            return True
    return False


def _joins(byte: bytes, character: str) -> bool:
    return (
        bool(byte)
        and (byte.isalnum() or byte == b"_")
        and (character.isalnum() or character in "_\"'")
    )


def is_inside_brackets(node: Node) -> bool:
    """True where a line break may stand without a backslash."""
    for ancestor in node.ancestors():
        if ancestor.kind in _BRACKETS:
            return True
        if ancestor.kind.endswith("_statement") or ancestor.kind == "block":
            return False
    return False


def is_inside_fstring(node: Node) -> bool:
    return any(a.kind == "interpolation" for a in node.ancestors())


# -- statements -----------------------------------------------------------------------------


def statement_of(node: Node) -> Node | None:
    """The statement (a direct child of a block, or a unit's root) that holds a node."""
    current: Node | None = node
    while current is not None:
        if current.parent is None or current.parent.kind in ("block", "module"):
            return current
        current = current.parent
    return None


def line_start(node: Node) -> int:
    """Offset of the first byte of the node's first line (0 on the unit's first line)."""
    source = node.source
    return max(source.rfind(b"\n", 0, node.start), source.rfind(b"\r", 0, node.start)) + 1


def indent_of(unit: Unit, node: Node) -> str:
    """White space before the first token of the node's first line."""
    start = line_start(node)
    if start == 0:
        return unit.indent
    line = node.source[start : node.start]
    return line[: len(line) - len(line.lstrip(b" \t\f"))].decode()


def stands_alone(node: Node) -> bool:
    """True where a statement has its lines to itself: nothing but a comment beside it."""
    start = line_start(node)
    if start == 0 and node.parent is not None:
        return False
    if node.source[start : node.start].strip(b" \t\f") or _continues(node.source, start):
        return False
    end = _line_end(node.source, node.end)
    rest = node.source[node.end : end].strip(b" \t\f\r\n")
    return not rest or rest.startswith(b"#")


def _continues(source: bytes, start: int) -> bool:
    """True where the line before the one at `start` ends with a backslash."""
    return source[max(0, start - 3) : start].rstrip(b"\r\n").endswith(b"\\")


def is_only_statement(node: Node) -> bool:
    parent = node.parent
    return parent is None or [c for c in parent.operands if c is not node] == []


def delete_statement(unit: Unit, node: Node) -> Edit:
    """Remove a statement with its lines; `pass` stays where a block would become empty.
    Comments on lines of their own stay; one behind the statement goes with it."""
    if is_only_statement(node):
        return Edit(node.span, b"pass")
    source = node.source
    if stands_alone(node):
        start, end = line_start(node), _line_end(source, node.end)
        if source[end - 1 : end] not in (b"\n", b"\r") and start:
            # The unit's last line: its line end belongs to the line before.
            start -= 2 if source[start - 2 : start] == b"\r\n" else 1
        return Edit(Span(start, end), b"")
    # `a; b`: take the semicolon and the space behind it, or those before the last one.
    assert node.parent is not None
    siblings = node.parent.children
    following = siblings[node.index + 1] if node.index + 1 < len(siblings) else None
    if following is not None and following.kind == ";":
        end = following.end
        while source[end : end + 1] in (b" ", b"\t"):
            end += 1
        if source[end : end + 1] not in (b"\r", b"\n", b"", b"#"):
            return Edit(Span(node.start, end), b"")
    before = siblings[node.index - 1] if node.index else None
    if before is not None and before.kind == ";":
        return Edit(Span(before.start, node.end), b"")
    return Edit(node.span, b"pass")


def insert_before(unit: Unit, node: Node, *lines: str) -> Edit | None:
    """Put whole lines before a statement, at its indentation; None where it shares its line
    with another statement or a header (`if x: y = 1`)."""
    if node.parent is None or line_start(node) == 0:
        return None
    start = line_start(node)
    if node.source[start : node.start].strip(b" \t\f") or _continues(node.source, start):
        return None
    return Edit(Span(start, start), _lines(unit, indent_of(unit, node), lines))


def insert_after(unit: Unit, node: Node, *lines: str) -> Edit | None:
    """Put whole lines after a statement, at its indentation; None where it shares its lines."""
    if node.parent is None or not stands_alone(node):
        return None
    end = _line_end(node.source, node.end)
    text = _lines(unit, indent_of(unit, node), lines)
    if node.source[end - 1 : end] not in (b"\n", b"\r"):
        text = encode(unit.newline) + text.removesuffix(encode(unit.newline))
    return Edit(Span(end, end), text)


def _lines(unit: Unit, indent: str, lines: tuple[str, ...]) -> bytes:
    return encode(
        "".join(f"{indent}{line}{unit.newline}" if line else unit.newline for line in lines)
    )


def _line_end(source: bytes, offset: int) -> int:
    """Offset behind the line end that follows `offset`."""
    ends = [e for e in (source.find(b"\n", offset), source.find(b"\r", offset)) if e >= 0]
    if not ends:
        return len(source)
    end = min(ends)
    return end + 2 if source[end : end + 2] == b"\r\n" else end + 1


def block_lines(block: Node) -> str | None:
    """Text of a block's statements, first line without indentation, the others relative to
    the block's own; None where a string or a backslash spans lines, or a line is indented
    less, so that shifting it would change it."""
    if any(b"\n" in s.bytes or b"\r" in s.bytes for s in block.find("string")):
        return None
    if b"\\\n" in block.bytes or b"\\\r" in block.bytes:
        return None
    indent = block.source[line_start(block) : block.start]
    if indent.strip(b" \t"):
        return block.text if "\n" not in block.text else None
    prefix = indent.decode()
    first, *rest = re.split("\r\n|\n|\r", block.text)
    lines = [first]
    for line in rest:
        if not line.strip():
            lines.append("")
        elif line.startswith(prefix):
            lines.append(line.removeprefix(prefix))
        else:
            return None
    return "\n".join(lines)


def fresh_name(unit: Unit, base: str) -> str:
    """A name that nothing in the unit, and no builtin, uses: `base`, or `base_2`, …"""
    tree = scopes(unit)
    number = 1
    name = base
    while (
        not tree.is_name_free(name, tree.root) or keyword.iskeyword(name) or hasattr(builtins, name)
    ):
        number += 1
        name = f"{base}_{number}"
    return name
