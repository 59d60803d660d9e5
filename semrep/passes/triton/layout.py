"""Moving whole statements of a kernel: their text, trailing comment included, laid out anew."""

from __future__ import annotations

import re

from semrep.ir.emit import indent_of, line_start, stands_alone
from semrep.ir.tree import Node
from semrep.ir.unit import Unit


def lines_of(unit: Unit, statement: Node) -> list[str] | None:
    """A statement's lines without its indentation, with the comment behind it; None where it
    shares its lines or a string or backslash makes its layout part of its meaning."""
    if not stands_alone(statement) or line_start(statement) == 0:
        return None
    if any(b"\n" in s.bytes or b"\r" in s.bytes for s in statement.find("string")):
        return None
    text = statement.text
    if "\\\n" in text or "\\\r" in text or "\f" in text or "\v" in text:
        return None
    rest = re.split("[\r\n]", statement.source[statement.end :].decode("utf-8", "surrogateescape"))
    indent = indent_of(unit, statement)
    first, *more = re.split("\r\n|\n|\r", (text + rest[0]).rstrip())
    lines = [first]
    for line in more:
        if line.strip() and not line.startswith(indent):
            return None
        lines.append(line[len(indent) :] if line.strip() else "")
    return lines


def indented(lines: list[str], by: str = "    ") -> list[str]:
    return [by + line if line else line for line in lines]
