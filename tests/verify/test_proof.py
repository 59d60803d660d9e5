from __future__ import annotations

import random
import subprocess
import sys

import pytest

from semrep.verify.proof import Proof, Unproved, is_available, prove
from tests.verify import proof_random
from tests.verify.proof_pairs import PROVABLE, WRONG, Pair, function, kernel

pytestmark = pytest.mark.skipif(not is_available(), reason="z3 is not installed (extra `smt`)")

_BIG = [0, 1, -1, 2, 3, 5, 7, -8, 1000, -1001, 2**30, 2**31 - 1, -(2**31), 2**31 - 5]


@pytest.mark.parametrize("pair", PROVABLE, ids=lambda p: p[0])
def test_is_proved(pair: Pair) -> None:
    _, original, candidate = pair
    found = prove(original, candidate, total_s=60.0)
    assert isinstance(found, Proof), str(found)
    assert found.theory


@pytest.mark.parametrize("pair", WRONG, ids=lambda p: p[0])
@pytest.mark.parametrize("backwards", [False, True], ids=["", "backwards"])
def test_is_not_proved(pair: Pair, backwards: bool) -> None:
    _, original, candidate = pair
    if backwards:
        original, candidate = candidate, original
    found = prove(original, candidate, query_s=0.2, total_s=20.0)
    assert isinstance(found, Unproved), str(found)
    assert found.reason


def test_there_are_enough_pairs() -> None:
    assert len(PROVABLE) >= 40 and len(WRONG) >= 40
    assert all(a != b for _, a, b in [*PROVABLE, *WRONG])


def test_comments_and_layout_mean_nothing() -> None:
    found = prove(b"def f(a):\n    return a\n", b"def f(a):  # why\n    return (a)\n")
    assert found == Proof("syntax (the trees are the same)", ())


def test_a_counterexample_has_values() -> None:
    pair = next(p for p in WRONG if p[0] == "offs < n -> offs <= n")
    found = prove(*pair[1:])
    assert isinstance(found, Unproved) and "n = " in found.counterexample


@pytest.mark.parametrize(
    "original, candidate",
    [
        (b"def f(a:\n", b"def f(a):\n    return 1\n"),
        (b"x = 1\n", b"x = 2\n"),
        (b"def f(a):\n    return 1\n", b"def g(a):\n    return 1\n"),
        (b"def f(a):\n    return 1 + 1\n", b"def f(a, b=2):\n    return 2\n"),
        (b"@g\ndef f(a):\n    return 1 + 1\n", b"@g\ndef f(a):\n    return 2\n"),
        (
            b"import numba\ndef f(a):\n    return len(a) + 1\nh = numba.njit(f)\n",
            b"import numba\ndef f(a):\n    return 1 + len(a)\nh = numba.njit(f)\n",
        ),
        (b"def f():\n    x = 2\n    g(locals())\n", b"def f():\n    y = 2\n    g(locals())\n"),
    ],
    ids=["syntax", "globals", "names", "signature", "decorator", "compiler", "reflection"],
)  # fmt: skip
def test_other_differences_are_unproved(original: bytes, candidate: bytes) -> None:
    assert isinstance(prove(original, candidate), Unproved)


def _outcome(expression: str, names: dict[str, object]) -> object:
    try:
        value = eval(expression, {"bool": bool}, names)
    except ZeroDivisionError as error:
        return type(error)
    return type(value), value


def _pairs(seed: int, count: int, names: list[str], tests: bool):  # type: ignore[no-untyped-def]
    rng = random.Random(seed)
    for _ in range(count):
        make = proof_random.condition if tests else proof_random.number
        one = make(rng, names, rng.randint(1, 2))
        two = one
        while two == one:
            for _ in range(rng.randint(1, 2)):
                two = proof_random.rewritten(rng, two)
        yield proof_random.text(one), proof_random.text(two)


@pytest.mark.parametrize("tests", [False, True], ids=["numbers", "tests"])
def test_random_python_agrees_with_running_it(tests: bool) -> None:
    body = "i = int(a)\nj = int(b)\nreturn {}"
    values = [*range(-9, 10), 2**40 + 3, -(2**40)]
    proved = 0
    for one, two in _pairs(11, 60, ["i", "j"], tests):
        pair = function(body.format(one)), function(body.format(two))
        if not isinstance(prove(*pair, query_s=0.1, total_s=2.0), Proof):
            continue
        proved += 1
        for i in values:
            for j in values:
                names = {"i": i, "j": j}
                assert _outcome(one, names) == _outcome(two, names), (one, two, names)
    assert proved >= 10


def test_random_triton_agrees_with_running_it() -> None:
    body = "pid = tl.program_id(0)\nids = tl.arange(0, 16)\ntl.store(y_ptr + n // 1 + ({}), 1.0)"
    proved = 0
    rng = random.Random(5)
    for one, two in _pairs(23, 60, ["pid", "ids", "n"], False):
        pair = kernel(body.format(one)), kernel(body.format(two))
        if not isinstance(prove(*pair, query_s=0.1, total_s=2.0), Proof):
            continue
        proved += 1
        for _ in range(400):
            value = rng.choice(_BIG)
            n = rng.choice([proof_random.Word(value), proof_random.Word(value << 20, 64), 1])
            pid = proof_random.Word(rng.choice([v for v in _BIG if v >= 0]))
            names = {"pid": pid, "ids": proof_random.Word(rng.randrange(16)), "n": n}
            assert _outcome(one, names) == _outcome(two, names), (one, two, names)
    assert proved >= 10


def test_without_z3_the_error_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['z3'] = None\n"
        "from semrep.verify.proof import prove\n"
        "try: prove(b'x = 1', b'x = 1')\n"
        "except ImportError as e: print(e)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "semrep[smt]" in done.stdout, done.stderr
