"""Random loop nests over arrays: what the passes make of one does what it did, exceptions and
what is left in the arrays included."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable

import numpy as np
import pytest

from semrep.ir.module import Module
from semrep.ir.signature import ScalarType, Signature, TensorType
from semrep.passes.manager import PassManager

PASSES = (
    "vectorize-elementwise-loop,matrix-product-loop,reduce-accumulation-loop,"
    "vectorize-function-loop"
)
ROUNDS = 30
_ENTRY = "f"
_VECTORS, _MATRICES, _INTEGERS = ("a", "b", "c"), ("A", "B"), ("p", "q")


class _Source:
    """Draws one function of vectors, matrices and integers."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.lines: list[str] = []

    def text(self) -> str:
        self.lines = [
            "import numpy as np",
            "",
            "",
            "def f(a, b, c, A, B, p, q, n, k, s):",
            "    m = a.shape[0]",
            "    r, w = A.shape",
        ]
        total = self.random.random() < 0.4
        if total:
            self.lines.append(f"    t = {self.random.choice(['0.0', '0', 's', 'a[0]'])}")
        for _ in range(self.random.randint(1, 2)):
            self.loop("    ", (), total, self.random.choice((1, 1, 1, 2, 2, 3)))
        self.lines.append(f"    return {'t' if total else 'a'}")
        return "\n".join(self.lines) + "\n"

    def loop(self, indent: str, around: tuple[str, ...], total: bool, depth: int) -> None:
        counter = "ijl"[len(around)]
        self.lines.append(f"{indent}for {counter} in range({self.bounds(around)}):")
        inside = (*around, counter)
        if depth > 1:
            if self.random.random() < 0.3:
                self.statement(indent + "    ", inside, total)
            self.loop(indent + "    ", inside, total, depth - 1)
            return
        for _ in range(self.random.choice((1, 1, 1, 1, 1, 2, 3))):
            self.statement(indent + "    ", inside, total)

    def bounds(self, around: tuple[str, ...]) -> str:
        ends = ["n", "r", "r", "m - 1", "n - 1", "r - 1", "A.shape[0]", "m", *around]
        end = self.random.choice(ends)
        kind = self.random.random()
        if kind < 0.6:
            return end
        if kind < 0.88:
            start = self.random.choice(["1", "1", *around, *(f"{x} + 1" for x in around)])
            return f"{start}, {end}"
        if kind < 0.95:
            return f"{end} - 1, -1, -1"
        return f"0, {end}, 2"

    def index(self, inside: tuple[str, ...]) -> str:
        i = self.random.choice(inside)
        kind = self.random.random()
        if kind < 0.75:
            return i
        if kind < 0.9:
            return f"{i} {self.random.choice('+-')} {self.random.choice((1, 1, 2))}"
        if kind < 0.94:
            return f"m - 1 - {i}"
        if kind < 0.96:
            return f"2 * {i}"
        return self.random.choice(["0", "1", "k", "-1", f"{i} + k"])

    def slice(self, inside: tuple[str, ...]) -> str:
        i = self.random.choice(inside)
        return self.random.choice([":", ":", f":{i}", f"{i}:", f"{i} + 1:", "1:"])

    def element(self, inside: tuple[str, ...], names: str = "") -> str:
        name = self.random.choice(names or (*_VECTORS, *_MATRICES, *_VECTORS, "A"))
        if name in _MATRICES:
            if self.random.random() < 0.1:
                i = self.random.choice(inside)
                return f"{name}[{i}, {i}]"
            return f"{name}[{self.index(inside)}, {self.index(inside)}]"
        return f"{name}[{self.index(inside)}]"

    def row(self, inside: tuple[str, ...]) -> str:
        name = self.random.choice(_MATRICES)
        parts = [self.index(inside), self.slice(inside)]
        self.random.shuffle(parts)
        return f"{name}[{', '.join(parts)}]"

    def value(self, inside: tuple[str, ...], depth: int = 2) -> str:
        kind = self.random.random()
        if depth == 0 or kind < 0.25:
            return self.random.choice(
                [self.element(inside), self.element(inside), "s", "2.5", "3", "-1"]
                + [self.random.choice(inside)] * (self.random.random() < 0.15)
            )
        if kind < 0.75:
            operator = self.random.choice(["+", "-", "*", "*", "/", "**"][: 6 if depth > 1 else 4])
            right = "2" if operator == "**" else self.value(inside, depth - 1)
            return f"({self.value(inside, depth - 1)} {operator} {right})"
        if kind < 0.82:
            x, y = self.value(inside, depth - 1), self.value(inside, depth - 1)
            return f"{self.random.choice(['max', 'min'])}({x}, {y})"
        if kind < 0.88:
            return f"np.{self.random.choice(['sqrt', 'sin', 'abs'])}({self.value(inside, 1)})"
        if kind < 0.93:
            test = f"{self.element(inside)} > {self.random.choice(['0', '0.5', 's'])}"
            return f"({self.value(inside, 1)} if {test} else {self.value(inside, 1)})"
        if kind < 0.96:
            return f"np.dot({self.row(inside)}, {self.row(inside)})"
        return f"{self.random.choice(_INTEGERS)}[{self.index(inside)}]"

    def statement(self, indent: str, inside: tuple[str, ...], total: bool) -> None:
        kind = self.random.random()
        target = self.element(inside)
        operator = self.random.choice(["=", "=", "=", "+=", "-=", "*="])
        if total and kind < 0.4:
            operator = self.random.choice(["+=", "+=", "-=", "*="])
            line = f"t {operator} {self.value(inside)}"
            if self.random.random() < 0.3:
                x = self.element(inside)
                line = f"t = {self.random.choice(['max', 'min'])}(t, {x})"
        elif kind < 0.55:
            x, y = self.element(inside, "AB"), self.element(inside, "ABab")
            line = f"{self.element(inside, 'ABc')} += {x} * {y}"
        elif kind < 0.65:
            line = f"{self.row(inside)} {operator} {self.row(inside)} * {self.value(inside, 1)}"
        elif kind < 0.72:
            self.lines.append(f"{indent}u = {self.value(inside)}")
            line = f"{target} {operator} u * {self.value(inside, 1)}"
        elif kind < 0.8:
            self.lines.append(f"{indent}if {self.element(inside)} > 0.3:")
            self.lines.append(f"{indent}    {target} {operator} {self.value(inside, 1)}")
            if self.random.random() < 0.5:
                self.lines.append(f"{indent}else:")
                self.lines.append(f"{indent}    {target} {operator} {self.value(inside, 1)}")
            return
        elif kind < 0.85:
            place = f"{self.random.choice(_INTEGERS)}[{self.index(inside)}]"
            line = f"{place} {operator} {self.value(inside, 1)}"
        else:
            line = f"{target} {operator} {self.value(inside)}"
        self.lines.append(indent + line)


def _arguments(seed: int, m: int, r: int, w: int, n: int, k: int) -> dict[str, object]:
    rng = np.random.default_rng(seed)
    found: dict[str, object] = {name: rng.normal(size=m) for name in _VECTORS}
    found["c"] = np.asarray(found["c"]).astype(np.float32)
    found |= {name: rng.normal(size=(r, w)) for name in _MATRICES}
    found |= {"p": rng.integers(-5, 5, m), "q": rng.integers(-5, 5, m).astype(np.int32)}
    return {**found, "n": n, "k": k, "s": 1.5}


def _signature(arguments: dict[str, object]) -> Signature:
    types = []
    for name, value in arguments.items():
        if isinstance(value, np.ndarray):
            strides = tuple(s // value.itemsize for s in value.strides)
            types.append(
                (name, TensorType(str(value.dtype), value.shape, strides, framework="numpy"))
            )
        else:
            types.append((name, ScalarType(type(value).__name__, repr(value))))
    return Signature(_ENTRY, tuple(types))


def _run(function: Callable[..., object], arguments: dict[str, object]) -> tuple[object, object]:
    copied = {n: v.copy() if isinstance(v, np.ndarray) else v for n, v in arguments.items()}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            result: object = function(**copied)
        except Exception as error:
            return type(error).__name__, copied
    return result, copied


def _load(source: str) -> Callable[..., object]:
    namespace: dict[str, object] = {}
    exec(compile(source, "<random>", "exec"), namespace)
    found = namespace[_ENTRY]
    assert callable(found)
    return found


def _agree(one: object, other: object, rtol: float) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return isinstance(one, str) and isinstance(other, str) and one == other
    if isinstance(one, dict) and isinstance(other, dict):
        return all(_agree(one[k], other[k], rtol) for k in one)
    a, b = np.asarray(one), np.asarray(other)
    if a.dtype != b.dtype or a.shape != b.shape or type(one) is not type(other):
        return False
    if a.dtype.kind not in "fc":
        return bool((a == b).all())
    with np.errstate(all="ignore"):
        scale = np.max(np.abs(a[np.isfinite(a)]), initial=1.0)
        return bool(np.allclose(a, b, rtol=rtol, atol=rtol * scale, equal_nan=True))


@pytest.mark.parametrize("block", range(4))
def test_random_loops_do_what_they_did(block: int) -> None:
    fired = 0
    for number in range(ROUNDS):
        seed = 1000 * block + number
        source = _Source(seed).text()
        observed = _arguments(seed, 7, 6, 7, 5, 1)
        module = Module.from_text(source, "random.py").with_signature(_signature(observed))
        trace = PassManager(max_steps=50).run(module, PASSES)
        if not trace.changed:
            continue
        fired += 1
        before, after = _load(source), _load(trace.after.text)
        expected = _run(before, observed)
        if isinstance(expected[0], str):
            found = _run(after, observed)
            assert found[0] == expected[0], f"{seed}\n{source}\n{trace.after.text}"
            continue
        # Sizes that are to each other as in the observed call: what a branch or a loop that does
        # not run would touch may lie beyond arrays of others.
        sizes = [(7, 6, 7, 5, 1), (9, 8, 9, 7, 1), (3, 2, 3, 1, 0), (2, 1, 2, 0, 0)]
        sizes += [(1, 0, 1, -1, 0), (8, 7, 8, -2, 0), (8, 7, 8, 6, 0)]
        if " if " in source:
            sizes = [(7, 6, 7, 5, 1), (9, 8, 9, 5, 1)]
        for size in sizes:
            arguments = _arguments(seed + 1, *size)
            expected = _run(before, arguments)
            if isinstance(expected[0], str):
                continue  # beyond what the contract speaks of
            found = _run(after, arguments)
            rtol = 2e-2 if "c[" in source else 1e-8  # it is of single precision
            same = all(_agree(x, y, rtol) for x, y in zip(expected, found, strict=True))
            assert same, f"{seed} {size}\n{source}\n{trace.after.text}\n{expected}\n{found}"
    assert fired >= ROUNDS // 8
