"""What makes a text unfit for rewriting, said with place and remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter

from semrep.ir.languages import search
from semrep.ir.text import Span

_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_BOMS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_PYTHON_2 = {"print_statement": "the print statement", "exec_statement": "the exec statement"}
# Cheaper than a search of the tree, which then tells statements from text in strings. Each
# begins with a literal, so that Python's matcher skips to it.
_PERHAPS_STATEMENTS = tuple(
    re.compile(word + rb"\b(?:[ \t]*\([ \t]*yield\b|(?![ \t]*[(=.:,)]))")
    for word in (b"print", b"exec")
)
_LONE_RETURN = re.compile(rb"\r(?!\n)")
_MOST_SYNTAX_ERRORS = 20


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """code: kebab-case. blocks_file: nothing in the file may be rewritten, not only the
    function that holds `span`."""

    code: str
    message: str
    span: Span
    blocks_file: bool = False

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def declared_encoding(source: bytes) -> str | None:
    """The encoding named by a PEP 263 comment in the first two lines, or None."""
    for line in source.split(b"\n", 2)[:2]:
        if match := _COOKIE.match(line.removeprefix(b"\xef\xbb\xbf")):
            return match.group(1).decode("ascii", "replace").lower().replace("_", "-")
    return None


def check(source: bytes, language: str, tree: tree_sitter.Tree) -> Iterator[Diagnostic]:
    """All diagnostics of a text; syntax errors are cut off after the first twenty."""
    for bom, name in _BOMS.items():
        if source.startswith(bom):
            message = f"the file is {name}; save it as UTF-8"
            yield Diagnostic("unsupported-encoding", message, Span(0, 2), True)
            return
    if (at := source.find(b"\0")) >= 0:
        message = "null byte: this is a binary file, or damaged"
        yield Diagnostic("null-byte", message, Span(at, at + 1), True)
        return
    yield from _check_encoding(source)
    if language == "python" and (lone := _LONE_RETURN.search(source)) is not None:
        # The grammar would read `x = a\r(b)` as a call.
        message = "a carriage return alone ends this line for Python, but not for the grammar"
        yield Diagnostic("lone-carriage-return", message, Span(*lone.span()), True)
        return
    if not tree.root_node.has_error and language != "python":
        return
    yield from _check_syntax(source, tree, language)


def _check_encoding(source: bytes) -> Iterator[Diagnostic]:
    try:
        source.decode("utf-8")
    except UnicodeDecodeError as error:
        declared = declared_encoding(source)
        if declared is None or declared in ("utf-8", "utf8"):
            message = (
                f"byte 0x{source[error.start]:02x} is not UTF-8, and no other encoding is declared"
            )
            yield Diagnostic("not-utf-8", message, Span(error.start, error.start + 1), True)
            return
        try:
            # Encodings in which ASCII bytes may be part of another character would let an
            # edit cut a character in two.
            if "".join(map(chr, range(128))).encode(declared) != bytes(range(128)) or (
                declared in ("shift-jis", "sjis", "cp932", "gbk", "gb18030", "big5", "cp949")
            ):
                raise LookupError
            source.decode(declared)
        except (LookupError, UnicodeError):
            message = f"the declared encoding {declared!r} is unknown or not ASCII-compatible"
            yield Diagnostic("unsupported-encoding", message, Span(0, 0), True)


def _check_syntax(source: bytes, tree: tree_sitter.Tree, language: str) -> Iterator[Diagnostic]:
    if language == "python":
        yield from _check_python_2(source, tree)
    if not tree.root_node.has_error:
        return
    found = 0
    stack = [tree.root_node]
    while stack and found < _MOST_SYNTAX_ERRORS:
        node = stack.pop()
        if node.type == "ERROR" or node.is_missing:
            found += 1
            what = f"missing {node.type}" if node.is_missing else "not understood here"
            yield Diagnostic("syntax-error", what, Span(node.start_byte, node.end_byte))
        elif node.has_error:
            stack.extend(reversed(node.children))


def _check_python_2(source: bytes, tree: tree_sitter.Tree) -> Iterator[Diagnostic]:
    if not any(
        _starts_statement(source, m.start())
        for p in _PERHAPS_STATEMENTS
        for m in p.finditer(source)
    ):
        return
    seen: set[str] = set()
    cursor = tree_sitter.QueryCursor(search("python", frozenset(_PYTHON_2)))
    for node in cursor.captures(tree.root_node).get("found", ()):
        if node.type in seen:
            continue
        seen.add(node.type)
        yield Diagnostic(
            "python-2",
            f"{_PYTHON_2[node.type]} is Python 2; convert the file to Python 3 first",
            Span(node.start_byte, node.end_byte),
            True,
        )


def _starts_statement(source: bytes, at: int) -> bool:
    before = source[source.rfind(b"\n", 0, at) + 1 : at].rstrip(b" \t\f")
    return not before or before[-1:] in (b";", b":", b"\r")
