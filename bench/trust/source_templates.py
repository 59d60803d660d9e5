"""Hostile texts made from nothing: nesting, size, odd syntax, other languages."""

from __future__ import annotations

import random
from collections.abc import Callable

Template = Callable[[random.Random], str | bytes]

_DEPTHS = (3, 20, 60, 95, 99, 100, 101, 199, 200, 201, 500, 1000, 3000)


def _nested(opening: str, closing: str, middle: str = "a") -> Template:
    def make(rng: random.Random) -> str:
        depth = rng.choice(_DEPTHS)
        head = rng.choice(("x = ", "", "def f(a):\n    return ", "def f(a, b):\n    x = "))
        return f"{head}{opening * depth}{middle}{closing * depth}\n"

    return make


def _chain(joint: str, item: str = "a") -> Template:
    def make(rng: random.Random) -> str:
        count = rng.choice((3, 50, 200, 1000, 3000))
        return f"def f(a, b):\n    x = {joint.join([item] * count)}\n    return x\n"

    return make


def _else_ifs(rng: random.Random) -> str:
    lines = ["def f(a):", "    if a == 0:", "        return 0"]
    for n in range(rng.choice((5, 100, 500, 2000))):
        lines += [f"    elif a == {n}:", f"        return {n}"]
    return "\n".join([*lines, "    else:", "        return -1", ""])


def _else_nest(rng: random.Random) -> str:
    lines = ["def f(a):"]
    depth = rng.choice((5, 19, 20, 21, 60, 95, 99, 100, 300))
    for n in range(depth):
        lines += [
            f"{' ' * (n + 1)}if a > {n}:",
            f"{' ' * (n + 2)}return {n}",
            f"{' ' * (n + 1)}else:",
        ]
    return "\n".join([*lines, f"{' ' * (depth + 1)}return a", ""])


def _blocks(rng: random.Random) -> str:
    lines = ["def f(a, xs):", " n = len(xs)"]
    depth = rng.choice((5, 18, 20, 21, 60, 99, 120))
    heads = ("for i{} in range(n):", "if a > {}:", "while a < {}:", "with a as b{}:", "try: # {}")
    for n in range(depth):
        lines.append(" " * (n + 1) + rng.choice(heads[:2] if depth > 20 else heads[:4]).format(n))
    return "\n".join([*lines, f"{' ' * (depth + 1)}a += n * 2", " return a", ""])


def _literals(rng: random.Random) -> str:
    digits = rng.choice((10, 400, 4299, 4300, 4301, 20_000))
    literal = rng.choice(
        (
            "9" * digits,
            f"0x{'f' * digits}",
            f"0b{'1' * digits}",
            f"1e{min(digits, 999)}",
            f"1{'0' * digits}.0",
            f"0.{'0' * digits}1",
            f"{'7' * digits}j",
            f"1_{'0' * digits}",
            repr("s" * digits),
            repr(b"\xff" * digits),
            f"{'[' + '1, ' * digits + ']'}",
            f"({'a, ' * digits})",
            f"{{{'1: 2, ' * digits}}}",
            "1e-400",
            "0o777",
            "00",
            "0_0",
            "1__0",
            "0xfor x in y",
            "1if a else 2",
            "1_",
            "5or 3",
            "1.e5",
            ".5j",
            "1e309 - 1e309",
        )
    )
    use = rng.choice(
        (
            "x = {}\n",
            "def f(a):\n    return a * {} + {} ** 2\n",
            "{}\n",
            "def f(a):\n    y = {} * 2\n    return y << {}\n",
            "def f():\n    x = 2 ** {}\n    return x * {}\n",
        )
    )
    return use.replace("{}", literal)


_ODD = (
    "def f(x):\n    if (n := len(x)) > 2 and (m := n * 2):\n        return n\n    return m\n",
    "def f(x):\n    return [y := 1, y**2, (z := y) + z]\n",
    "def f(a):\n    match a:\n        case [x, *rest] if not (x == 1): return rest\n"
    "        case {'k': v, **kw}: return v\n        case C(x=1) | 3 | -4j: pass\n"
    "        case _: return not not a\n",
    "match = 1\ncase = match * 2\ntype = case + match\nmatch (match)\ntype (type)\n_ = type\n",
    "match x:\n    case y: pass\n",
    "type X[T] = list[T]\nclass A[T: int, *Ts, **P]: pass\ndef f[T](x: T) -> T: return not not x\n",
    "try:\n    pass\nexcept* ValueError as e:\n    raise e from None\n",
    "def f(a):\n    return f'{a!r:>{a}} {{}} {a=} {not (a == 1)=}'\n",
    "def f(a):\n    return f'{f\"{f'''{a}'''}\"}' f\"{'{'}\" rf'\\{a}\\n'\n",
    "def f(a):\n    return f'{a['x']} {'\\n'.join(a)} {a:{'>'}10}'\n",
    "def f(a):\n    return f'{lambda x: 1}' + f'{(lambda x: 1)}' + f'{a:%H:%M}'\n",
    "def f(a):\n    return f'''{\na * 2 + a * 2 # c\n}'''\n",
    "async def f(a):\n    async with a as b, c:\n        return [x async for x in b if await x]\n",
    "def f(*, a, **k): pass\ndef g(a, /, b=1, *c): return not (a < b)\nf(*a, *b, **c, **d)\n",
    "@(lambda f: f)\n@a[0].b(1)\ndef f(x): return (x)\nclass C(metaclass=M, *b): x: int = (1)\n",
    "def f(x): return x if x else x; y = 1; z = ((2))\nif 1: pass; x = not not 1\nelse: pass;\n",
    "x = (yield)\ndef f():\n    x = yield\n    y = yield from (yield x)\n    return not (x is y)\n",
    "a = b = c, *d = [e] = f[g:h:i, ..., j] = k = 1, 2\n*a, = b\n(a) = 1\n[] = ()\n",
    "global x\nnonlocal y\ndel x, (y), [z]\nassert (x, y)\nassert x, (y)\nraise\nreturn 1\n",
    "def f(a):\n    print >>a, 'x'\n    exec 'x' in {}\n    raise E, 'x', t\n    `a` <> 1L\n",
    "print 'hello', x\n",
    "try: pass\nexcept E, e: print e\n",
    "x = 0777\ny = ur'x'\n",
    "def f(a, (b, c)): return a\n",
    "exec 'x = 1'\nprint\n",
    "",
    "\n",
    " ",
    "#",
    "# only\n# comments",
    "\t\n \n\f\n",
    "\\",
    "\\\n",
    "\\\n\\\n",
    "'''",
    '"',
    "(",
    "def f():",
    "def f():\n",
    "if x:\n    ",
    "class",
    "@",
    "@a",
    "lambda",
    "x = \\\n",
    ";",
    "x;;y",
    "\n\n\n    x\n",
    "\f def f(): pass\n\f",
    "x\f= 1\n\fif x:\n\f    y\n",
    "if 1:\n\tx\n        y\n",
    "if 1:\n        x\n\ty\n",
    "if 1:\n  \f  x\n    y\n",
    "pass # \\\n\nx = 1",
    "x = 1 # no newline",
    "def f(a):\n    if not (a == 1):\n        pass\n    \\\n    return a\n",
    "else:\n    pass\n",
    "def f(a):\n  return (a # c\n  )\n",
    "def f(a):\n  x = (  (  a  )  ) # c\n  return(x)\n",
    "def f(a):\n    return(not(a==1))or(a)if(a)else(not(not(a)))\n",
    "x = 1if 1else 2\n",
    "def f(a):\n    for i in range(0,len(a),1):a[i]=a[i]+1;a[i]=a[i]*2\n    return not a is None\n",
    "def f(a): return not-a is not(a)in[not a]\n",
    "def f(a):\n    return a<b<c!=d is not e not in f\n",
    "def f(a):\n    '''doc'''\n    return +-~+-~a**-a**-+a\n",
    "x = a if b else c if d else lambda: (yield)\n",
    "def f(a):\n    return ((a)) + (((b)))[(c)] . d ( ) ( (e) )\n",
    "__debug__ = 1\nNone = 2\n",
    "def f(a):\n    exec('a')\n    eval('a')\n    locals()['a'] = 2\n    return a * 2 + a * 2\n",
    "def f(x):\n    def g():\n        nonlocal x\n        x = 1\n    y = x\n    return g(), x\n",
    "class A:\n    x = 1\n    y = [x for _ in a]\n    def __f(self): return self.__x * 2 + 2 * 3\n",
    "from __future__ import annotations, barry_as_FLUFL\nx = 1 <> 2\n",
    "from . import *\nimport a.b as c\n",
    "while 1:\n    while 0: pass\n    else: break\nelse: x\n",
    "for x in *a, *b: print(x)\n",
)

_UNICODE = (
    "def f(ﬁ, fi):\n    x = ﬁ * 2\n    return fi * 2 + x\n",
    "def f(a):\n    𝐱 = a * 2 + 1\n    y = x\n    return 𝐱 + y + a * 2\n",
    "ª = 1\na = 2\ndef f(b):\n    return ª + a\n",
    "K = 1\ndef f(a): return K + \u212a\n",
    "def f(ſ):\n    s = 1\n    return ſ + s\n",
    "\u200bx = 1\n",
    "x\u200c = 1\n",
    "x = 1\u00a0+ 2\n",
    "access = 'user' # \u202e } \u2066if x\u2069 \u2066\ndef f(a): return not (not a)\n",
    "def f(a):\n    '''\u202e''' if a else '\u2066'\n    return not (a == '\u2069')\n",
    "x = '\ufeff'\n\ufeffy = 1\n",
    "def f(a):\n    return 'é' + a * 2 + '😀' + (a) # 😀\n",
    "é = 1\ne\u0301 = 2\nprint(é)\n",
    "def f(µ, μ): return µ + μ\n",
    "𝟏 = 1\nx𝟏 = 2\n",
    "x = ١\n",
    "def f(a):\u2028    return a\n",
    "x = 1\x0by = 2\x1c\n",
    "def f(a):\x85    return a\n",
    "x = 1\x1a\ny = 2\n",
    "℘ = 1\n℮ = 2\n·x = 3\n",
    "x = 'a\u2028b' ; y = (x)\n",
    "class ﬀ:\n    def __ﬁ(self): self.__fi = 1\n",
)

_FOREIGN = (
    b"__global__ void k(float* x, int n) {\n  int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
    b"  if (i < n) x[i] *= 2.0f;\n}\nint main() { k<<<1, 256>>>(0, 1); }\n",
    b"template <typename T> struct A { T b(T a) { return !a; } };\n#define X(a) a##b\n",
    b"int main(void) { for (;;) { if (!(a == b)) goto end; } end: return 0; }\n",
    b'{"a": [1, 2, null, true], "b": {}}\n',
    b"<html><body onload='x()'>&amp;</body></html>\n",
    b'#!/bin/sh\nset -e\nfor i in $(ls); do echo "$i"; done\n',
    b"%matplotlib inline\n!ls\nx = 1\n",
    b">>> x = 1\n>>> x\n1\n",
    b"\x7fELF\x02\x01\x01\x00",
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    b"PK\x03\x04",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xef\xbb\xbf\xef\xbb\xbfx = 1\n",
    b"\x00",
    b"\xff" * 9,
    b"\xed\xa0\x80 = 1\n",
    b"x = '\xed\xa0\x80'\n",
    b"x = '\xc0\x80'\n",
    b"\x00x = 1\n",
    b"x = 1\x00\n",
    b"# coding: latin-1\nx = '\xe9'\nd\xe9f = (1)\n",
    b"# coding: utf-8\nx = '\xe9'\n",
    b"x = '\xe9'\n",
    b"# coding: rot13\nk = 1\n",
    b"# coding: utf-7\nx = '+AGE-'\n+AGE- = 1\n",
    b"# coding: nope\nx = 1\n",
    b"# coding: utf-16\nx = 1\n",
    b"# coding: undefined\nx = 1\n",
    b"# coding: hex\n78\n",
    b"\xef\xbb\xbf# coding: latin-1\nx = 1\n",
    b"\n# coding: cp1252\nx = '\x80' * (2)\n",
    b"\n\n# coding: latin-1\nx = '\xe9'\n",
    b"# coding: shift_jis\nx = '\x83\x5c'\ny = not (not x)\n",
    b"# coding: iso-2022-jp\nx = '\x1b$B$\"\x1b(B'\n",
    b"# coding: utf-8-sig\nx = (1)\n",
    b"# coding: unicode_escape\nx = '\\x41' \\u000a y = 1\n",
    b"# coding: raw_unicode_escape\n\\u0061 = 1\n",
    b"#coding=big5\nx = '\xa5\x5c'\n",
    b"# -*- coding: gbk -*-\n\xc4\xe3 = '\x81\x5c'\nx = (\xc4\xe3)\n",
)


def _binary(rng: random.Random) -> bytes:
    return rng.randbytes(rng.choice((1, 16, 300, 5000)))


def _long_line(rng: random.Random) -> str:
    width = rng.choice((5_000, 60_000))
    return rng.choice(
        (
            f"x = '{'a' * width}'; y = (x)\n",
            f"#{'-' * width}\ndef f(a): return not (not a)\n",
            f"def f(a):\n    return {'a, ' * (width // 12)}a\n",
            f"{'x = 1; ' * (width // 20)}\n",
            f"def f(a):\n    return g({' ' * width}a)\n",
            f"def f(a):{' ' * width}\n    return (a)\n",
            f"{'a' * width} = 1\nb = {'a' * width}\n",
        )
    )


def _many(rng: random.Random) -> str:
    count = rng.choice((10, 100, 400))
    return "".join(f"def f{n}(a):\n    return not (a == {n}) + {n} * 2\n\n" for n in range(count))


TEMPLATES: tuple[Template, ...] = (
    *(
        _nested(*pair)
        for pair in (
            ("(", ")"),
            ("[", "]"),
            ("{", "}"),
            ("f(", ")"),
            ("a[", "]"),
            ("not ", ""),
            ("-", ""),
            ("~", ""),
            ("not (", ")"),
            ("lambda: ", ""),
            ("lambda x=", ": x"),
            ("(a, ", ")"),
            ("{1: ", "}"),
            ("[a for a in ", "]"),
            ("a if b else ", ""),
            ("(a + ", ")"),
            ("await ", ""),
            ("(yield ", ")"),
            ("*", ""),
            ("- -", ""),
            ("a ** ", ""),
            ("f'{", "}'"),
            ("(x := ", ")"),
            ("", ".b"),
            ("", "[0]"),
            ("", "(1)"),
            ("not not ", ""),
            ("(", ""),
            ("[(", ")"),
            ("a = ", ""),
        )
    ),
    *(
        _chain(joint)
        for joint in (
            " + ",
            " * ",
            " and ",
            " or ",
            " < ",
            " == ",
            ", ",
            " if b else ",
            ".",
            " ** ",
            " = ",
            " | ",
            "\n    x = ",
            ";",
            " @ ",
            " is not ",
            " \\\n + ",
            "\n    x += ",
        )
    ),
    _chain(" + ", "a * 2"),
    _chain(" and ", "not (a == b)"),
    _chain(" + ", "(a)"),
    _chain(" ", "'s'"),
    _else_ifs,
    _else_ifs,
    _else_nest,
    _else_nest,
    _blocks,
    _blocks,
    _literals,
    _literals,
    _literals,
    _binary,
    _long_line,
    _long_line,
    _many,
    *(lambda rng, texts=texts: rng.choice(texts) for texts in (_ODD,) * 8 + (_UNICODE,) * 4),
    *(lambda rng: rng.choice(_FOREIGN) for _ in range(6)),
)


def template(rng: random.Random) -> bytes:
    made = rng.choice(TEMPLATES)(rng)
    return made.encode("utf-8", "surrogatepass") if isinstance(made, str) else made


def odd_statement(rng: random.Random) -> bytes:
    """A small text to splice into others."""
    made = rng.choice((*_ODD, *_UNICODE))
    return made.encode("utf-8", "surrogatepass")
