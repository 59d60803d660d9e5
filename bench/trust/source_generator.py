"""Hostile sources: real files, case files and random programs, mutated by bytes and by tokens."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

from bench.corpus import File, files
from bench.random_programs import random_program
from bench.trust.source_check import Source
from bench.trust.source_templates import odd_statement, template

_ROOT = Path(__file__).parent.parent.parent
_PACKAGES = ("stdlib", "numpy", "torch", "triton", "liger_kernel")
_LONGEST = 5_000
_TOKEN = re.compile(
    rb"[A-Za-z_]\w*|\d[\w.]*|'[^'\n]*'|\"[^\"\n]*\"|[-+*/%<>=!&|^~@:.]{1,3}|[^\s\w]"
)
_BLOCK = re.compile(r"^```python (?:before|unchanged|refused)\n(.*?)^```", re.M | re.S)
_KEYWORDS = (
    b"not", b"and", b"if", b"else", b"for", b"in", b"is", b"lambda", b"await", b"async", b"yield",
    b"return", b"del", b"global", b"nonlocal", b"None", b"True", b"match", b"case", b"type", b"_",
    b"print", b"exec", b"with", b"while", b"def f(a):", b"class C:", b"try:", b"...",
    b"\\\n", b":=",
    b"**", b"*", b"->", b"#", b"\n", b"'''", b'f"{', b"0x", b"1_", b"1e9", b"(", b")", b"[", b"]",
    b"{", b"}", b";", b",", b"\f", b"\t", b"\xc3\xa9", b"\xe2\x80\xae", b"\xef\xac\x81",
)  # fmt: skip
_ENCODINGS = (
    "latin-1", "cp1252", "utf-16", "utf-32", "utf-7", "shift_jis", "euc_jp", "gbk", "big5",
    "koi8_r", "utf-8-sig", "cp037", "iso2022_jp",
)  # fmt: skip
_LOOKALIKES = {
    b"a": "ª", b"o": "º", b"f": "𝐟", b"x": "𝐱", b"n": "𝓷", b"s": "ſ", b"i": "ｉ", b"fi": "ﬁ",
    b"k": "\u212a", b"b": "ｂ", b"xs": "ⅹs",
}  # fmt: skip

Mutation = Callable[[bytes, "Pool", random.Random], bytes]


class Pool:
    """What there is to mutate. small: real files are left out, for a sample in little time."""

    def __init__(self, small: bool = False) -> None:
        self.files: list[File] = [] if small else files(_PACKAGES)
        own = sorted([*(_ROOT / "examples").glob("*.py"), *(_ROOT / "bench").rglob("*.py")])
        self.files += [File(p.relative_to(_ROOT).as_posix(), p) for p in own]
        cases = sorted((_ROOT / "tests" / "passes").glob("*/*.md"))
        self.blocks = [
            (f"{path.stem} case", block.encode())
            for path in cases
            for block in _BLOCK.findall(path.read_text(encoding="utf-8"))
        ]

    def draw(self, rng: random.Random) -> tuple[str, bytes]:
        """A real text of moderate size, and where it is from."""
        turn = rng.random()
        if turn < 0.35 and self.blocks:
            return rng.choice(self.blocks)
        if turn < 0.55:
            number = rng.randrange(1 << 30)
            return f"random program {number}", random_program(number).encode()
        file = rng.choice(self.files)
        return file.label, _excerpt(file.read(), rng)


def _excerpt(data: bytes, rng: random.Random) -> bytes:
    """The whole file, or some of its top-level statements."""
    if len(data) <= _LONGEST:
        return data
    starts = [m.start() for m in re.finditer(rb"^(?=def |class |@|\w+ = )", data, re.M)] or [0]
    start = rng.choice(starts)
    end = next((s for s in starts if s > start + _LONGEST // 2), start + _LONGEST)
    return data[start : min(end, start + _LONGEST)]


def generate(seed: int, index: int, pool: Pool) -> Source:
    """The source of a number; the same seed and pool give the same."""
    rng = random.Random(f"{seed} {index}")
    if rng.random() < 0.22:
        origin, data = "template", template(rng)
        count = rng.choice((0, 0, 1))
    else:
        origin, data = pool.draw(rng)
        count = rng.choice((0, 1, 1, 1, 2, 2, 3))
    names = []
    for _ in range(count):
        mutation = rng.choice(MUTATIONS)
        names.append(mutation.__name__.strip("_"))
        data = mutation(data, pool, rng)
    suffix = rng.choice((None,) * 12 + (".py", ".py", ".cu", ".cpp"))
    path = f"source{index}{suffix}" if suffix else None
    return Source(", ".join([origin, *names]), data, path)


def _place(data: bytes, rng: random.Random) -> int:
    return rng.randint(0, len(data))


def _range(data: bytes, rng: random.Random, longest: int = 200) -> tuple[int, int]:
    start = _place(data, rng)
    return start, min(len(data), start + rng.randint(1, longest))


def _truncate(data: bytes, pool: Pool, rng: random.Random) -> bytes:
    at = _place(data, rng)
    return data[:at] if rng.random() < 0.8 else data[at:]


def _splice(data: bytes, pool: Pool, rng: random.Random) -> bytes:
    other = pool.draw(rng)[1]
    return data[: _place(data, rng)] + other[_place(other, rng) :]


def _remove(data: bytes, pool: Pool, rng: random.Random) -> bytes:
    start, end = _range(data, rng)
    return data[:start] + data[end:]


def _repeat(data: bytes, pool: Pool, rng: random.Random) -> bytes:
    start, end = _range(data, rng)
    return data[:end] + data[start:end] * rng.choice((1, 2, 30)) + data[end:]


def _move(data: bytes, pool: Pool, rng: random.Random) -> bytes:
    start, end = _range(data, rng)
    rest = data[:start] + data[end:]
    at = _place(rest, rng)
    return rest[:at] + data[start:end] + rest[at:]


def _flip(data: bytes, pool: Pool, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 3, 20))):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _insert(data: bytes, pool: Pool, rng: random.Random) -> bytes:
    at = _place(data, rng)
    new = rng.choice((
        b"\0", b"\xff", b"\xed\xa0\x80", b"\xe2\x80\xae", b"\xef\xbb\xbf", b"\f", b"\x1a",
        b"\r", b"\xc2\x85", b"\xe2\x80\xa8", b"\xf0\x9f\x98\x80", b"\t", b" " * 9,
    ))  # fmt: skip
    return data[:at] + new + data[at:]


def _line_ends(data: bytes, pool: Pool, rng: random.Random) -> bytes:
    end = rng.choice((b"\r\n", b"\r", b"\n\r", b"\r\r\n", b"\n\f", b" \\\n", b"; \n", b""))
    if rng.random() < 0.6:
        return data.replace(b"\n", end) if end else data.rstrip(b"\n")
    return re.sub(rb"\n", lambda m: rng.choice((b"\n", end or b"\n")), data)


def _tabs(data: bytes, pool: Pool, rng: random.Random) -> bytes:
    if rng.random() < 0.5:
        return data.replace(b"    ", b"\t")
    return re.sub(rb"(?m)^    ", lambda m: rng.choice((b"\t", b"    ", b" ", b"  \f  ")), data)


def _indentation(data: bytes, pool: Pool, rng: random.Random) -> bytes:
    lines = data.split(b"\n")
    for _ in range(rng.choice((1, 2, 8))):
        at = rng.randrange(len(lines))
        new = rng.choice((b"", b" ", b"    ", b"\t", b"        ", b"\f"))
        lines[at] = new + (lines[at].lstrip() if rng.random() < 0.7 else lines[at])
    return b"\n".join(lines)


def _brackets(data: bytes, pool: Pool, rng: random.Random) -> bytes:
    places = [m.start() for m in re.finditer(rb"[][(){}'\"]", data)]
    for at in sorted(rng.sample(places, min(len(places), rng.choice((1, 2, 5)))), reverse=True):
        data = data[:at] + rng.choice((b"", b"(", b"]", b"{", b"'")) + data[at + 1 :]
    return data


def _tokens(data: bytes, pool: Pool, rng: random.Random) -> bytes:
    """Some tokens go, come twice, change places, or become others."""
    for _ in range(rng.choice((1, 2, 6))):
        found = list(_TOKEN.finditer(data))
        if not found:
            return data
        token, other = rng.choice(found), rng.choice(found)
        new = rng.choice((b"", token[0] + b" " + token[0], other[0], rng.choice(_KEYWORDS),
                          b"(" + token[0] + b")", b"not " + token[0], b"-" + token[0]))  # fmt: skip
        data = data[: token.start()] + new + data[token.end() :]
    return data


def _same_kind(data: bytes, pool: Pool, rng: random.Random) -> bytes:
    """Names become other names of the text, operators other operators: much still compiles."""
    for _ in range(rng.choice((1, 3, 10))):
        found = list(_TOKEN.finditer(data))
        if not found:
            return data
        token = rng.choice(found)
        kind = token[0][:1].isalnum(), token[0][:1] in b"'\""
        same = [t[0] for t in found if (t[0][:1].isalnum(), t[0][:1] in b"'\"") == kind]
        data = data[: token.start()] + rng.choice(same) + data[token.end() :]
    return data


def _lookalikes(data: bytes, pool: Pool, rng: random.Random) -> bytes:
    """Some places where a name stands get another spelling of it, which Python takes for it."""
    name, new = rng.choice(sorted(_LOOKALIKES.items()))
    share = rng.choice((0.3, 1.0))
    return re.sub(rb"\b%s\b" % name, lambda m: new.encode() if rng.random() < share else m[0], data)


def _encoding(data: bytes, pool: Pool, rng: random.Random) -> bytes:
    name = rng.choice(_ENCODINGS)
    text = data.decode("utf-8", "replace")
    if rng.random() < 0.5:
        text = text.replace("x", "é").replace(" a", " ä")
    changed = text.encode(name, "replace")
    if rng.random() < 0.6:
        cookie = f"# -*- coding: {name} -*-\n"
        changed = cookie.encode("ascii" if rng.random() < 0.7 else name) + changed
    return changed


def _mark(data: bytes, pool: Pool, rng: random.Random) -> bytes:
    new = rng.choice((
        b"\xef\xbb\xbf", b"#!/usr/bin/python2\n", b"\f", b"\n\n \n", b"# coding: ascii\n",
        b"from __future__ import annotations\n", b"# \xe9\n", b"'''doc\n'''; ",
    ))  # fmt: skip
    return new + data


def _statement(data: bytes, pool: Pool, rng: random.Random) -> bytes:
    """An odd statement between two lines, indented as they are."""
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    odd = [indent + line if line else line for line in odd_statement(rng).split(b"\n")]
    return b"\n".join([*lines[:at], *odd, *lines[at:]])


def _wrap(data: bytes, pool: Pool, rng: random.Random) -> bytes:
    """All of it in blocks, or on one line, or much larger."""
    how = rng.randrange(4)
    if how == 0:
        heads = [
            b"if 1:",
            b"class C:",
            b"def g():",
            b"for i in x:",
            b"try:",
            b"with a:",
            b"async def h():",
        ]
        depth = rng.choice((1, 2, 12))
        chosen = [b" " * n + rng.choice(heads[:4]) for n in range(depth)]
        return b"\n".join([*chosen, *(b" " * depth + line for line in data.split(b"\n"))])
    if how == 1:
        return b"(" + data.replace(b"\n", b" ") + b")\n"
    if how == 2:
        return data.replace(b" ", b"  ").replace(b"(", b"(\n")
    return data.replace(b"(", b"((").replace(b")", b"))")


MUTATIONS: tuple[Mutation, ...] = (
    _truncate, _truncate, _splice, _remove, _repeat, _move, _flip, _insert, _insert, _line_ends,
    _line_ends, _tabs, _indentation, _brackets, _tokens, _tokens, _tokens, _same_kind, _same_kind,
    _same_kind, _same_kind, _lookalikes, _lookalikes, _encoding, _mark, _statement, _statement,
    _wrap,
)  # fmt: skip
