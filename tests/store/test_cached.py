"""A cached verifier answers as the verifier did, and runs nothing for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from semrep.passes.contract import REASSOCIATES
from semrep.runtime import Harness, discover
from semrep.store import CachedVerifier, Store, VerdictChanged
from semrep.store.cached import verdict_of
from semrep.verify import Different, Equivalent, Inconclusive

SOURCE = b"import numpy as np\n\n\ndef f(x):\n    return np.tanh(x) * 2\n"
SAME = SOURCE.replace(b"* 2", b"+ np.tanh(x)")
WRONG = SOURCE.replace(b"* 2", b"* 3")
BROKEN = SOURCE.replace(b"np.tanh(x)", b"np.fold(x)")


def verifier(store: Store, seed: int = 0) -> CachedVerifier:
    harness = discover(SOURCE, entry="f", inputs="(f32(8, 8),)")
    assert isinstance(harness, Harness)
    return CachedVerifier(store, SOURCE, harness, seed=seed)


def test_the_second_time_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(tmp_path, seed=0) as store, verifier(store) as first:
        same, wrong = first.check(SAME), first.check(WRONG)
        assert isinstance(same, Equivalent) and isinstance(wrong, Different)
        assert first.hits == 0
    with Store(tmp_path, seed=0) as store, verifier(store) as second:
        monkeypatch.setattr(second.session, "run", None)
        assert second.check(SAME) == same
        assert str(second.check(WRONG)) == str(wrong)
        assert second.hits == 2


def test_other_questions_are_other_verdicts(tmp_path: Path) -> None:
    with Store(tmp_path, seed=0) as store:
        with verifier(store) as one:
            one.check(SAME)
            one.check(SAME, REASSOCIATES)
            one.confirm(SAME)
        with verifier(store, seed=1) as two:
            two.check(SAME)
            assert one.hits == two.hits == 0


def test_what_may_go_otherwise_next_time_is_not_kept(tmp_path: Path) -> None:
    with Store(tmp_path) as store, verifier(store) as one:
        unparsable = one.check(b"def f(")
        assert isinstance(unparsable, Different) and store.summary().different == 0
        untrusted = CachedVerifier(store, BROKEN, one.harness)
        assert isinstance(untrusted.check(SAME), Inconclusive)
        untrusted.close()
        assert store.summary().equivalent == 0


def test_a_hit_that_is_drawn_is_checked_and_a_change_is_loud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(tmp_path, seed=0) as store, verifier(store) as one:
        right = one.check(SAME)
        monkeypatch.setattr(store._random, "random", lambda: 0.0)
        assert one.check(SAME) == right and one.hits == 0
        lie = one.check(WRONG)
        assert isinstance(lie, Different)
        monkeypatch.setattr("semrep.verify.Verifier.check", lambda *_: lie)
        with pytest.warns(VerdictChanged):
            one.check(SAME)


def test_verdicts_survive_json(tmp_path: Path) -> None:
    with Store(tmp_path) as store, verifier(store) as one:
        for found in (one.check(SAME), one.check(WRONG)):
            assert verdict_of(json.loads(json.dumps(found.to_json()))) == found
    with pytest.raises(ValueError, match="inconclusive"):
        verdict_of({"verdict": "inconclusive"})
