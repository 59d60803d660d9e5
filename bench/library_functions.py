"""Functions of the installed standard library, read at run time, as subjects for rewriting."""

from __future__ import annotations

import functools
import importlib
import inspect
import random
import types
import warnings
from dataclasses import dataclass

from bench.outcomes import Probe

_MODULES = """
statistics textwrap string heapq bisect colorsys fractions difflib posixpath ntpath base64
calendar html urllib.parse shlex keyword numbers operator copy reprlib datetime email.utils
email.quoprimime email.base64mime email._parseaddr email.header email.charset email.encoders
email.iterators email._header_value_parser json.decoder json.encoder json.scanner tokenize
ipaddress locale gettext mimetypes quopri stringprep zipfile re._parser re._compiler fnmatch
nturl2path opcode ast functools enum dataclasses inspect pprint plistlib http.cookies
http.cookiejar wsgiref.util wsgiref.headers xml.sax.saxutils xml.etree.ElementPath imaplib
ftplib smtplib tarfile pickle pickletools optparse argparse getopt pstats unittest.util doctest
encodings.idna encodings.punycode platform pkgutil csv configparser types typing traceback
linecache sched abc codeop tabnanny netrc genericpath imghdr sndhdr uu cgi chunk crypt
importlib._bootstrap_external importlib.metadata._functools importlib.metadata._text random
secrets hmac uuid timeit trace graphlib contextlib collections weakref decimal _pydecimal wave
aifc xdrlib nntplib telnetlib turtle rlcompleter bdb code cmd symtable selectors
"""
MODULES = _MODULES.split()

_TOUCHES_OUTSIDE = """
open input exec system popen remove unlink rmdir mkdir makedirs chmod sleep exit _exit kill fork
socket connect urlopen getpass Popen run rename replace_file symlink mktime time perf_counter
getrandom urandom random randint getnode stdin exec_module import_module __import__ settrace
setprofile warn getrandbits SystemRandom register setlocale chdir setrecursionlimit select
check_output print_help environ putenv stdout stderr breakpoint clear_cache pause signal alarm
walk listdir scandir mainloop Tk TK
"""
_BARRED = frozenset(_TOUCHES_OUTSIDE.split())
_BARRED_NAMES = (
    "getmembers",
    "getmembers_static",
    "classify_class_attrs",
    "main",
    "test",
    "_test",
    "install",
    "interact",
    "help",
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A module's text with the functions that are run. path: for imports and messages.

    arguments: for each function, the argument tuples on which it is run.
    """

    name: str
    source: str
    functions: tuple[str, ...]
    arguments: dict[str, tuple[tuple[object, ...], ...]]
    package: str = ""


@functools.cache
def library_sources() -> tuple[tuple[str, str, str], ...]:
    """(module, package, source) of each module of MODULES that is installed here."""
    found: list[tuple[str, str, str]] = []
    for name in MODULES:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                module = importlib.import_module(name)
            source = inspect.getsource(module)
        except (ImportError, OSError, TypeError):
            continue
        found.append((name, module.__package__ or "", source))
    return tuple(found)


def library_subjects(rng: random.Random, count: int, inputs: int) -> list[Subject]:
    """Modules with at least `count` functions that can be run without touching the outside."""
    subjects: list[Subject] = []
    total = 0
    sources = list(library_sources())
    rng.shuffle(sources)
    for name, package, source in sources:
        names = _runnable(importlib.import_module(name))
        if names:
            arguments = {f: tuple(_arguments(rng, p) for _ in range(inputs)) for f, p in names}
            functions = tuple(f for f, _ in names)
            subjects.append(Subject(name, source, functions, arguments, package))
            total += len(names)
        if total >= count:
            break
    return subjects


def _runnable(module: types.ModuleType) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for name, value in sorted(vars(module).items()):
        if not isinstance(value, types.FunctionType) or value.__module__ != module.__name__:
            continue
        code = value.__code__
        used = set(code.co_names)
        if used & _BARRED or name.lower() in _BARRED_NAMES or value.__name__ != name:
            continue
        if hasattr(value, "__wrapped__") or inspect.iscoroutinefunction(value):
            continue
        parameters = [
            p.name
            for p in inspect.signature(value).parameters.values()
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty
        ]
        if 1 <= len(parameters) <= 4:
            found.append((name, parameters))
    return found


_TEXTS = (
    '', 'a', 'abc', 'Hello, World', '  two  words ', 'a/b/../c', 'C:\\x\\y.txt', 'k=v&x=1;y',
    '\'q\' "r"', '12', '-3.5e2', "<a href='x'>&amp;</a>", 'line\nline two\n\n  indented\n',
    "x" * 90, 'é–ß', '%41%zz', '2001-02-03', '127.0.0.1', '::1', 'user@example.com', '[a-z]*?',
    'Tue, 03 Feb 2001 04:05:06 GMT', '/usr/lib/python', 'text/html; charset=utf-8', '{}',
    '[1, 2]', 'A=B', '\t', '*.py',
)  # fmt: skip
_BYTES = (b"", b"abc", b"\x00\xff", b"YWJj", b"=41=\n", b"x" * 80, b"RIFF1234WAVE", b"12\0")
_NUMBERS = (0, 1, -1, 2, 3, 7, 10, 255, 1000, 65536, True, 0.0, -0.0, 0.5, -2.5, 1e300, 1e-300)
_ODD = (float("nan"), float("inf"), -float("inf"), None, False)


def any_value(rng: random.Random, depth: int = 2) -> object:
    """Some value, of any kind, odd ones among them."""
    kind = rng.randrange(12)
    if kind < 3:
        return rng.choice(_NUMBERS)
    if kind < 5:
        return rng.choice(_TEXTS)
    if kind == 5:
        return rng.choice(_BYTES)
    if kind == 6:
        return rng.choice(_ODD)
    if kind == 7:
        return Probe(rng.choice("pqr"), rng.choice((0, 1, 2.5)))
    if depth == 0:
        return rng.choice(_NUMBERS)
    size = rng.choice((0, 1, 2, 3, 5))
    if kind < 10:
        values = [any_value(rng, depth - 1) for _ in range(size)]
        return tuple(values) if kind == 9 else values
    if kind == 10:
        return [rng.choice(_NUMBERS) for _ in range(size)]
    return {rng.choice(_TEXTS): any_value(rng, depth - 1) for _ in range(size)}


_TEXT_NAMES = """
s string text str line lines path p name prefix head msg header value address addr url qs pat
pattern word key filename pathname date data spec fmt label comment scheme ip_str doc source sep
content param attr resp host domain uri query
"""
_NUMBER_NAMES = """
n i j k x y z num number year month day length size width c count digits r g b h l v m w d hour
minute second lo hi start end index ndigits
"""
_LIST_NAMES = """
iterable seq sequence items args a xs values heap list lst parts array fields argv names words
"""
_HINTS = {
    "text": _TEXT_NAMES.split(),
    "number": _NUMBER_NAMES.split(),
    "list": _LIST_NAMES.split(),
}


def _arguments(rng: random.Random, parameters: list[str]) -> tuple[object, ...]:
    return tuple(_argument(rng, p.strip("_").lower()) for p in parameters)


def _argument(rng: random.Random, name: str) -> object:
    if rng.random() < 0.7:
        if name in _HINTS["text"]:
            return rng.choice(_TEXTS)
        if name in _HINTS["number"]:
            return rng.choice(_NUMBERS)
        if name in _HINTS["list"]:
            size = rng.choice((0, 1, 2, 4, 6))
            pool = rng.choice((_NUMBERS[:8], _NUMBERS, _TEXTS))
            return [rng.choice(pool) for _ in range(size)]
    return any_value(rng)
