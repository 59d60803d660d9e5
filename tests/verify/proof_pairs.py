"""Pairs of programs for `test_proof.py`: (name, original, candidate)."""

from __future__ import annotations

_KERNEL = """import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, y_ptr, n, m, stride, B: tl.constexpr, C: tl.constexpr):
"""

_COPY = """pid = tl.program_id(0)
offs = pid * B + tl.arange(0, B)
mask = offs < n
x = tl.load(x_ptr + offs, mask=mask, other=0.0)
tl.store(y_ptr + offs, x * 2.0, mask=mask)
"""

_TILE = """pid = tl.program_id(0)
rows = pid * B + tl.arange(0, B)
cols = tl.arange(0, C)
at = rows[:, None] * stride + cols[None, :]
mask = (rows[:, None] < n) & (cols[None, :] < m)
x = tl.load(x_ptr + at, mask=mask, other=0.0)
tl.store(y_ptr + at, x, mask=mask)
"""

_LOOP = """pid = tl.program_id(0)
cols = tl.arange(0, B)
total = tl.zeros([B], dtype=tl.float32)
for k in range(0, n, B):
    offs = k + cols
    total += tl.load(x_ptr + pid * stride + offs, mask=offs < n, other=0.0)
tl.store(y_ptr + pid, tl.sum(total, axis=0))
"""

_GUARDED = """pid = tl.program_id(0)
if pid < n:
    if pid < m:
        x = tl.load(x_ptr + pid)
        tl.store(y_ptr + pid, x)
"""

Pair = tuple[str, bytes, bytes]


def kernel(body: str) -> bytes:
    """A module with one kernel."""
    return (_KERNEL + "".join(f"    {line}\n" for line in body.strip().split("\n"))).encode()


def function(body: str, arguments: str = "a, b, n") -> bytes:
    """A module with one plain function."""
    lines = "".join(f"    {line}\n" for line in body.strip().split("\n"))
    return f"def f({arguments}):\n{lines}".encode()


def _edit(base: str, old: str, new: str, name: str = "") -> Pair:
    assert old in base, old
    return (name or f"{old} -> {new}", kernel(base), kernel(base.replace(old, new)))


def _index(old: str, new: str, name: str = "") -> Pair:
    """A store at an address computed in two ways; pid, n, m, B and a block are at hand."""
    body = """pid = tl.program_id(0)
ids = tl.arange(0, B)
wide = pid.to(tl.int64)
tl.store(y_ptr + ({}), 1.0)
"""
    return (name or f"{old} -> {new}", kernel(body.format(old)), kernel(body.format(new)))


def _value(old: str, new: str, name: str = "") -> Pair:
    """A value of unknown parameters, stored."""
    body = "tl.store(y_ptr, {})\n"
    return (name or f"{old} -> {new}", kernel(body.format(old)), kernel(body.format(new)))


def _plain(old: str, new: str, name: str = "", arguments: str = "a, b, n") -> Pair:
    return (name or f"{old} -> {new}", function(old, arguments), function(new, arguments))


def _ints(old: str, new: str, name: str = "") -> Pair:
    """Expressions over i and j (any ints) and k (from 0)."""
    body = """i = int(a)
j = int(b)
for k in range(n):
    g({})
"""
    return (name or f"{old} -> {new}", function(body.format(old)), function(body.format(new)))


_DIVISION = """if type(n) is int and n > 0:
    return {}
return None
"""

PROVABLE: list[Pair] = [
    _edit(_COPY, "offs < n", "n > offs"),
    _edit(_COPY, "pid * B + tl.arange(0, B)", "tl.arange(0, B) + pid * B"),
    _edit(_COPY, "pid * B + tl.arange(0, B)", "tl.arange(0, B) + B * pid"),
    _edit(_COPY, "mask=mask, other=0.0", "mask=offs < n, other=0.0", "mask written out"),
    _edit(_COPY, "x_ptr + offs", "offs + x_ptr"),
    _edit(_COPY, "x_ptr + offs, mask=mask, other=0.0", "x_ptr + offs, mask, 0.0", "positional"),
    _edit(_COPY, "offs", "index", "renamed"),
    _edit(_COPY, "offs = pid * B + tl.arange(0, B)",
          "start = pid * B\nids = tl.arange(0, B)\noffs = start + ids", "temporaries"),
    _edit(_COPY, "offs < n", "(offs < n) & (tl.arange(0, B) >= 0)", "an index is never negative"),
    _edit(_COPY, "offs < n", "(offs < n) & (tl.arange(0, B) < B)", "an index is below its extent"),
    _edit(_COPY, "offs < n", "(offs < n) & (pid < tl.num_programs(0))"),
    _edit(_COPY, "x_ptr + offs,", "x_ptr + tl.where(mask, offs, 0),", "unread addresses"),
    _edit(_TILE, "(rows[:, None] < n) & (cols[None, :] < m)",
          "(m > cols[None, :]) & (n > rows[:, None])"),
    _edit(_TILE, "rows[:, None] * stride + cols[None, :]",
          "cols[None, :] + stride * rows[:, None]"),
    _edit(_TILE, "(rows[:, None] < n) & (cols[None, :] < m)",
          "(rows < n)[:, None] & (cols < m)[None, :]"),
    _edit(_TILE, "rows[:, None] * stride", "(rows * stride)[:, None]"),
    _edit(_LOOP, "offs = k + cols", "offs = cols + k"),
    _edit(_LOOP, "mask=offs < n", "mask=n > offs"),
    _edit(_LOOP, "for k in range(0, n, B):\n    offs = k + cols\n    total += tl.load(x_ptr + "
          "pid * stride + offs", "base = pid * stride\nfor k in range(0, n, B):\n    offs = k + "
          "cols\n    total += tl.load(x_ptr + base + offs", "hoisted"),
    _edit(_GUARDED, "if pid < n:\n    if pid < m:\n        x = tl.load(x_ptr + pid)\n        "
          "tl.store(y_ptr + pid, x)", "if (pid < n) & (pid < m):\n    x = tl.load(x_ptr + pid)\n"
          "    tl.store(y_ptr + pid, x)", "guards merged in a kernel"),
    _index("pid // B * B + pid % B", "pid"),
    _index("pid % 8", "pid & 7"),
    _index("pid // 8", "pid >> 3"),
    _index("pid * 4", "pid << 2"),
    _index("(pid + 1) * 4", "4 + 4 * pid"),
    _index("(pid + ids) - pid", "ids"),
    _index("wide * B + ids", "ids + B * wide"),
    _index("tl.minimum(pid, 3)", "tl.where(pid < 3, pid, 3)"),
    _index("tl.maximum(pid, 0)", "pid"),
    _index("tl.cdiv(pid, 4)", "(pid + 3) // 4"),
    _index("-(-pid)", "pid"),
    _index("pid ^ pid ^ ids", "ids"),
    _index("ids % B", "ids"),
    _index("~pid", "-pid - 1"),
    _index("pid // stride + ids", "ids + pid // stride"),
    _index("pid * (2 * 3)", "pid * 6"),
    _value("n // 1 < m // 1", "m // 1 > n // 1"),
    _index("tl.where(~((pid < 3) | (ids < 4)), 1, pid)",
           "tl.where((pid >= 3) & (ids >= 4), 1, pid)", "De Morgan"),
    _value("tl.where((n & 1) == 0, n & 3, m & 3)", "tl.where((n & 1) != 0, m & 3, n & 3)"),
    _ints("i + j", "j + i"),
    _ints("(i + j) * 2", "2 * i + 2 * j"),
    _ints("i // 4 * 4 + i % 4", "i"),
    _ints("i % 8", "i & 7"),
    _ints("i >> 3", "i // 8"),
    _ints("i << 2", "i * 4"),
    _ints("~i", "-i - 1"),
    _ints("-(-i // 4)", "(i + 3) // 4", "ceiling division"),
    _ints("max(i, j)", "i if i > j else j"),
    _ints("min(k, 0)", "0", "range starts at 0"),
    _ints("abs(k)", "k"),
    _ints("not i < j", "i >= j"),
    _ints("not (i < j and j < 9)", "i >= j or j >= 9"),
    _ints("0 <= i < j", "0 <= i and i < j"),
    _ints("(i - j) ** 2", "i * i - 2 * i * j + j * j"),
    _ints("k // 3 if k >= 0 else 0", "k // 3"),
    _plain("if a and b:\n    return 1\nreturn 2", "if a:\n    if b:\n        return 1\nreturn 2"),
    _plain("if not (a or b):\n    return 1\nreturn 2",
           "if not a and not b:\n    return 1\nreturn 2", "De Morgan on any objects"),
    _plain("if a:\n    return 1\nelse:\n    return 2", "if not a:\n    return 2\nreturn 1"),
    _plain("return len(a) > 0", "return not len(a) <= 0"),
    _plain("if len(a) >= 0:\n    return 1\nreturn 2", "len(a)\nreturn 1", "a length is never -1"),
    _plain(_DIVISION.format("b[n // n * 3]"), _DIVISION.format("b[3]"), "behind a type test"),
    _plain("for i in range(len(a)):\n    t = i * 2\n    b[t + 1] = a[i]",
           "for j in range(len(a)):\n    b[1 + 2 * j] = a[j]", "a loop's temporaries"),
    _plain("i = 0\nwhile i < 10:\n    g(i)\n    i += 1", "c = 0\nwhile 10 > c:\n    g(c)\n"
           "    c = 1 + c", "a while loop"),
    _plain("if a:\n    x = 1 + 2\nelse:\n    x = 4\nreturn x", "x = 3 if a else 4\nreturn x"),
]  # fmt: skip

WRONG: list[Pair] = [
    _edit(_COPY, "offs < n", "offs <= n"),
    _edit(_COPY, "offs < n", "offs <= n - 1", "n - 1 underflows"),
    _edit(_COPY, "offs < n", "offs + 1 <= n", "offs + 1 overflows"),
    _edit(_COPY, "offs < n", "~(offs >= n)", "n may be NaN"),
    _edit(_COPY, "offs < n", "offs < m"),
    _edit(_COPY, ", mask=mask, other=0.0", "", "mask dropped"),
    _edit(_COPY, "mask = offs < n", "mask = offs < offs + 1", "always true but for overflow"),
    _edit(_COPY, "other=0.0", "other=-0.0", "negative zero"),
    _edit(_COPY, "pid * B +", "pid.to(tl.int64) * B +", "wider product"),
    _edit(_COPY, "pid * B +", "(pid + 1) * B - 1 +"),
    _edit(_COPY, "tl.arange(0, B)\n", "tl.arange(1, B + 1)\n"),
    _edit(_COPY, "x * 2.0", "2.0 * x", "floating point is not interpreted"),
    _edit(_COPY, "x_ptr + offs,", "x_ptr + tl.where(mask, offs, 0) + 1,"),
    _edit(_COPY, "tl.store(y_ptr + offs", "tl.store(y_ptr + tl.where(mask, 0, offs)"),
    _edit(_COPY, "x * 2.0, mask=mask", "x * 2.0, mask=mask & (pid < 100)", "grid may be larger"),
    _edit(_COPY, "(0)", "(1)", "another axis"),
    _edit(_TILE, "rows[:, None] * stride + cols[None, :]",
          "rows[None, :] * stride + cols[:, None]", "axes swapped"),
    _edit(_TILE, "(rows[:, None] < n) & (cols[None, :] < m)",
          "(rows[:, None] < n) | (cols[None, :] < m)"),
    _edit(_TILE, "rows[:, None] < n", "rows[:, None] < m"),
    _edit(_TILE, "x_ptr + at", "x_ptr + rows[:, None] * stride + cols[None, :]",
          "one 64-bit sum, or a 32-bit one that wraps"),
    _edit(_LOOP, "k + cols", "k + cols + 1"),
    _edit(_LOOP, "range(0, n, B)", "range(0, n - B, B)"),
    _edit(_LOOP, "offs < n", "cols < n"),
    _edit(_GUARDED, "pid < m", "pid <= m"),
    _edit(_GUARDED, "x = tl.load(x_ptr + pid)\n        tl.store(y_ptr + pid, x)",
          "tl.store(y_ptr + pid, tl.load(x_ptr + pid + 1))"),
    _index("pid * 4 // 4", "pid", "the product wraps"),
    _index("(pid + ids) // 2", "pid // 2 + ids // 2"),
    _index("(pid - 5) % 8", "(pid - 5) & 7", "truncating remainder"),
    _index("(pid - 5) // 8", "(pid - 5) >> 3", "truncating division"),
    _index("tl.cdiv(pid, 4)", "pid // 4 + 1"),
    _index("ids // 2 * 2", "ids"),
    _index("pid * B", "pid * C"),
    _index("pid * stride", "wide * stride", "int32 against int64"),
    _index("tl.maximum(pid - 1, 0)", "pid - 1"),
    _index("ids % C", "ids"),
    _index("pid // stride * stride + pid % stride", "pid", "a stride of zero"),
    _index("n // m", "n // m + 0 * (n // stride)", "another division"),
    ("a division more", kernel("tl.store(y_ptr, n // 2)"),
     kernel("t = m // 2 // (n // 2)\ntl.store(y_ptr, n // 2)")),
    ("a block more", kernel("tl.store(y_ptr, n)"),
     kernel("t = tl.arange(0, B)\ntl.store(y_ptr, n)")),
    ("a carried block", kernel("o = tl.arange(0, B)\nfor i in range(0, n):\n    o += m\n"
     "tl.store(y_ptr + o[:, None] - o[None, :], 1.0)"),
     kernel("o = tl.arange(0, B)\nfor i in range(0, n):\n    o += m\n"
     "tl.store(y_ptr + o[:, None] * 0 + o[None, :] * 0, 1.0)")),
    _value("n < m", "not (n >= m)", "NaN"),
    _value("n + m - m", "n", "floats, and bools"),
    _value("n * m", "m * n + 0", "negative zero"),
    _value("(n // 2) * 2", "n"),
    _value("n & 7", "n % 8", "negative n"),
    _value("n // 2", "n >> 1"),
    _value("~((n // 2 < 3) | (m // 2 < 4))", "(n // 2 >= 3) & (m // 2 >= 4)",
           "~True is -2 where n and m are 1"),
    _value("B // 2 * 2", "B", "odd"),
    _value("tl.where(n < m, n, m)", "tl.minimum(n, m)", "NaN in minimum"),
    _ints("(i + j) // 2", "i // 2 + j // 2"),
    _ints("i // -4", "-(i // 4)"),
    _ints("i % -8", "-(i & 7)"),
    _ints("i // j * j + i % j", "i", "j may be zero"),
    _ints("i < j", "i <= j"),
    _ints("i / 2", "i // 2"),
    _ints("i and j", "bool(i) and bool(j)", "an operand, not a truth value"),
    _ints("i or 0", "i or False"),
    _ints("i < j", "int(i < j)", "a bool is no int"),
    _ints("i * 1.0", "i"),
    _ints("max(i, j)", "j if i > j else i"),
    _ints("k - 1 if k > 1 else 0", "k - 1"),
    _ints("(i // j, k // i)", "(k // i, i // j)[::-1]", "the other division raises first"),
    _ints("i is j", "i == j", "identity"),
    _ints("i ** 2 // 0", "0", "division by zero"),
    _ints("i << j", "i * 2 ** j"),
    _plain("return a + b", "return b + a", "unknown operands"),
    _plain("return a * 2", "return a + a", "unknown operand"),
    _plain("return n // 2 * 2 + n % 2", "return n", "annotations prove nothing", "n: int"),
    _plain("if isinstance(n, int):\n    return n + 1\nreturn 0",
           "if isinstance(n, int):\n    return 1 + n\nreturn 0", "a subclass of int"),
    _plain("return a and b", "return bool(a) and bool(b)"),
    _plain("if a and b:\n    return 1\nreturn 2", "if b and a:\n    return 1\nreturn 2"),
    _plain("if a:\n    if b:\n        return 1\n    return 3\nreturn 2",
           "if a and b:\n    return 1\nreturn 2"),
    _plain("return not a == b", "return a != b", "comparison of objects"),
    _plain("return not (a and b)", "return not b or not a", "order of truth tests"),
    _plain("x = len(a)\ng()\nreturn x", "g()\nreturn len(a)", "an effect in between"),
    _plain("g(len(a) // 2)\nreturn 0", "h(len(a) // 2)\nreturn 0"),
    _plain("if len(a) > 0:\n    return a[0]\nreturn b", "return a[0]"),
    _plain("for i in range(len(a)):\n    b[i] = a[i]", "for i in range(len(b)):\n    b[i] = a[i]"),
    _plain("for i in range(len(a)):\n    b[i] = i", "for i in range(1, len(a)):\n    b[i] = i"),
    _plain("i = 0\nwhile i < 10:\n    g(i)\n    i += 1", "i = 0\nwhile i < 10:\n    i += 1\n"
           "    g(i)"),
    _plain("len = g\nreturn len(a) >= 0", "len = g\nlen(a)\nreturn True", "len is hidden"),
    _plain("x = len(a)\nh = lambda: x\nx = 3\nreturn h", "x = len(a)\nh = lambda: x\nx = 1 + 2\n"
           "return h", "captured: refused though right"),
    _plain("if a:\n    x = 1\nreturn x", "x = 1\nif a:\n    pass\nreturn x", "maybe unbound"),
]  # fmt: skip
