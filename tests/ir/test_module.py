from __future__ import annotations

import pickle
import random
import sysconfig
from pathlib import Path

import pytest

from semrep.ir.module import Module
from semrep.ir.text import Edit, EditSet, Span
from semrep.ir.unit import FUNCTION, SHELL, STATEMENT

SOURCE = b'''\
import os

@decorator
def f(x):
    def inner():
        return x
    return inner

class A(B):
    """Doc."""
    y = 1

    def g(self): return 1

    class C:
        async def h(self):
            pass

if os:
    def late(): pass
'''


def test_units_and_their_names() -> None:
    module = Module.from_text(SOURCE)
    assert [(p.unit.kind, p.unit.qualified_name) for p in module.units] == [
        (STATEMENT, ""),
        (FUNCTION, "f"),
        (SHELL, "A"),
        (FUNCTION, "A.g"),
        (SHELL, "A.C"),
        (FUNCTION, "A.C.h"),
        (STATEMENT, ""),
    ]
    for placed in module.units:
        span = placed.span
        assert placed.unit.source == SOURCE[span.start : span.end]


def test_a_shell_does_not_hold_its_methods() -> None:
    shell = next(p.unit for p in Module.from_text(SOURCE).units if p.unit.kind == SHELL)
    assert not shell.nodes("return_statement")
    assert [n.text for n in shell.nodes("integer")] == ["1"]


def test_the_unit_at_a_place_is_the_innermost() -> None:
    module = Module.from_text(SOURCE)
    at = SOURCE.index(b"return 1")
    found = module.unit_at(Span(at, at + 6))
    assert found is not None and found.unit.qualified_name == "A.g"
    at = SOURCE.index(b"y = 1")
    found = module.unit_at(Span(at, at + 5))
    assert found is not None and found.unit.qualified_name == "A"
    assert module.unit_at(Span(0, len(SOURCE))) is None


def test_an_edit_keeps_the_other_units() -> None:
    module = Module.from_text(SOURCE)
    assert module.units
    at = SOURCE.index(b"return 1")
    after = module.apply(EditSet([Edit(Span(at, at + 8), b"return 22")]))
    before = [p.unit for p in module.units]
    kept = {p.unit.qualified_name for p in after.units if any(p.unit is u for u in before)}
    assert {"f", "A.C.h"} <= kept
    assert "A.g" not in kept


def _shape(module: Module) -> list[tuple[str, int, int]]:
    return [
        (n.kind, n.start + p.start, n.end + p.start)
        for p in module.units
        for n in p.unit.root.walk()
    ]


def test_incremental_reparse_equals_a_fresh_parse() -> None:
    path = Path(sysconfig.get_paths()["stdlib"]) / "textwrap.py"
    module = Module.from_text(path.read_bytes())
    chance = random.Random(0)
    for _ in range(60):
        placed = chance.choice([p for p in module.units if p.unit.nodes("identifier")])
        node = chance.choice(placed.unit.nodes("identifier", "integer", "comment"))
        span = node.span.shifted(placed.start)
        new = chance.choice([b"xyz", b"q", b"a_longer_name", node.bytes])
        module = module.apply(EditSet([Edit(span, new)]))
        assert _shape(module) == _shape(Module.from_text(module.source))


def test_modules_pickle_and_compare_by_text() -> None:
    module = Module.from_text(SOURCE, "a.py")
    assert module.units
    again = pickle.loads(pickle.dumps(module))
    assert again == module and hash(again) == hash(module)
    assert again.units[1].unit.name == "f"
    assert Module.from_text(SOURCE, "b.py") != module


@pytest.mark.parametrize(
    "source",
    [
        b"def g(a):\r    return a\r@it\rdef f(p):\r    return g(p)\r",  # @ is no product here
        b"x = a\r(b)\r",
        b"def g(a):\n    y = a\r    -a\n    return y\n",
    ],
)
def test_what_python_alone_takes_for_a_line_end_is_left_alone(source: bytes) -> None:
    module = Module.from_text(source)
    assert [d.code for d in module.diagnostics] == ["lone-carriage-return"]
    assert not module.is_rewritable
    assert Module.from_text(source.replace(b"\r", b"\r\n")).is_rewritable


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"\n",
        b"x = 1",
        b"\xef\xbb\xbfx = 1\n",
        b"# -*- coding: latin-1 -*-\nx = '\xe9'\ndef f(y):\n    return not y is x\n",
        b"def f(x):\r\n    if not x in y:\r\n        return 1\r\n",
        b"def f(x):\n\tif not x in y:\n\t\treturn 1\n",
        b"def f(:\n  !!",
        b"print 'hello'\nexec 'x'\n",
        b"x = 1\0\n",
        b"\xff\xfex\x00",
        b"x = '\xff'\n",
        b"x = 1\r",
        b"\x0c\ndef f(): pass\n",
        b"(" * 3000,
        b"x = " + b"-" * 5000 + b"1\n",
        b"x = " + b"(" * 1500 + b"1" + b")" * 1500 + b"\n",
    ],
)
def test_bytes_are_never_lost(source: bytes) -> None:
    module = Module.from_text(source)
    assert module.source == source
    assert module.text.encode("utf-8", "surrogateescape") == source
    for placed in module.units:
        assert placed.unit.root.bytes == source[placed.span.start : placed.span.end]
    _ = module.diagnostics, module.environment, module.newline


@pytest.mark.parametrize(
    ("source", "code", "blocks"),
    [
        (b"def f(:\n  pass\n", "syntax-error", False),
        (b"print 'x'\n", "python-2", True),
        (b"x = 1\0\n", "null-byte", True),
        (b"\xff\xfex\x00", "unsupported-encoding", True),
        (b"x = '\xff'\n", "not-utf-8", True),
        (b"# coding: shift-jis\nx = '\x83\x5c'\n", "unsupported-encoding", True),
    ],
)
def test_unfit_files_are_diagnosed(source: bytes, code: str, blocks: bool) -> None:
    module = Module.from_text(source)
    assert [d.code for d in module.diagnostics][:1] == [code]
    assert module.is_rewritable is not blocks


def test_sound_functions_of_a_broken_file_stay_usable() -> None:
    module = Module.from_text(b"def f(:\n  !!\n\n\ndef g(x):\n    return x\n")
    assert module.diagnostics
    good = [p.unit for p in module.units if not p.unit.has_error]
    assert any(u.name == "g" for u in good)


def test_cuda_and_cpp_parse() -> None:
    cuda = Module.from_text(b"__global__ void k(float *x) { x[threadIdx.x] = 1.f; }", "k.cu")
    assert cuda.language == "cuda" and not cuda.diagnostics
    kernel = Module.from_text(b"void f(float *x) { k<<<1, 32>>>(x); }", "launch.cu")
    assert not kernel.tree.root_node.has_error
    cpp = Module.from_text(b"int main() { return 0; }", "m.cpp")
    assert cpp.language == "cpp" and not cpp.diagnostics


def test_twenty_thousand_lines() -> None:
    source = b"".join(b"def f%d(x):\n    return x + %d\n" % (n, n) for n in range(10_000))
    module = Module.from_text(source)
    assert len(module.units) == 10_000
    at = source.index(b"x + 5000")
    after = module.apply(EditSet([Edit(Span(at, at + 1), b"y")]))
    shared = sum(a.unit is b.unit for a, b in zip(module.units, after.units, strict=True))
    assert shared == 9_999
