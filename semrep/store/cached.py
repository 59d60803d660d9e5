"""A verifier that looks into the store first, and puts there what it finds out."""

from __future__ import annotations

import dataclasses
import json
import time
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from semrep.passes.contract import BITWISE, Contract
from semrep.runtime.harness import Harness
from semrep.store.evidence import Evidence
from semrep.store.key import Key
from semrep.store.store import Store
from semrep.verify.verdict import Different, Equivalent, Verdict
from semrep.verify.verifier import Verifier


class CachedVerifier(Verifier):
    """A `Verifier` whose verdicts come from the store where they were found before.

    Takes what `Verifier` takes after the store. A hit costs no run, not even of the original.
    Kept are Equivalent, and Different where a counterexample shows it: a candidate that died or
    ran out of time may do better on an idle machine.
    """

    def __init__(
        self, store: Store, source: bytes, harness: Harness, *, pipeline: str = "", **options: Any
    ) -> None:
        super().__init__(source, harness, **options)
        self.store = store
        self.pipeline = pipeline
        self.hits = 0

    def screen(self, candidate: bytes, contract: Contract = BITWISE) -> Verdict:
        return self._cached("screen", candidate, contract, super().screen)

    def check(self, candidate: bytes, contract: Contract = BITWISE) -> Verdict:
        return self._cached("check", candidate, contract, super().check)

    def confirm(self, candidate: bytes, contract: Contract = BITWISE) -> Verdict:
        return self._cached("confirm", candidate, contract, super().confirm)

    def key(self, question: str, candidate: bytes, contract: Contract) -> Key:
        """What a verdict on this candidate depends on."""
        harness = dataclasses.asdict(self.harness)
        return Key.of(
            self.source,
            candidate,
            contract=contract_json(contract),
            harness={
                **harness,
                "candidate_entry": self.candidate_harness.entry,
                "own_parameters": self.own_parameters,
                "requires_coverage": self.requires_coverage,
            },
            question=question,
            seed=self.seed,
            effort=self.effort,
            bounds=dataclasses.asdict(self.session.limits),
            pipeline=self.pipeline,
            threads=self.session.limits.threads,
        )

    def _cached(
        self,
        question: str,
        candidate: bytes,
        contract: Contract,
        find: Callable[[bytes, Contract], Verdict],
    ) -> Verdict:
        key = self.key(question, candidate, contract)
        hit = self.store.get(key)
        if hit is not None and not hit.must_verify:
            self.hits += 1
            return verdict_of(hit.evidence.verdict)
        started = time.perf_counter()
        verdict = find(candidate, contract)
        shown = isinstance(verdict, Different) and verdict.counterexample is not None
        # A failure without a counterexample is no evidence, but it does dispute some.
        disputes = isinstance(verdict, Different) and hit is not None
        if isinstance(verdict, Equivalent) or shown or disputes:
            # Through JSON text and back, so that a hit gives the same as a miss.
            plain = json.loads(json.dumps(verdict.to_json(), default=str))
            evidence = Evidence.of(plain, seconds=time.perf_counter() - started)
            texts = {"original": self.source, "candidate": candidate}
            self.store.put(key, evidence, texts)
        return verdict


def contract_json(contract: Contract) -> dict[str, Any]:
    return {
        "numerics": str(contract.numerics),
        "assumes": sorted(contract.assumes),
        "preserves": sorted(contract.preserves),
    }


def verdict_of(data: Mapping[str, Any]) -> Equivalent | Different:
    """A kept verdict from its JSON. Raises ValueError for another kind."""
    kinds: dict[str, type[Equivalent] | type[Different]] = {
        "equivalent": Equivalent,
        "different": Different,
    }
    kind = kinds.get(str(data.get("verdict")))
    if kind is None:
        raise ValueError(f"not a kept verdict: {data.get('verdict')!r}")
    made: Equivalent | Different = _record(kind, data)
    return made


def _record(kind: Any, data: Mapping[str, Any]) -> Any:
    hints = typing.get_type_hints(kind)
    names = {f.name for f in dataclasses.fields(kind)}
    return kind(**{n: _as(hints[n], value) for n, value in data.items() if n in names})


def _as(hint: Any, value: Any) -> Any:
    """A JSON value as its field's type: records, and tuples that JSON made lists."""
    options = typing.get_args(hint) if typing.get_origin(hint) in _UNIONS else (hint,)
    if isinstance(value, dict):
        record = next((o for o in options if dataclasses.is_dataclass(o)), None)
        return value if record is None else _record(record, value)
    if isinstance(value, list):
        for option in options:
            if typing.get_origin(option) is tuple:
                inner = typing.get_args(option)
                if len(inner) == 2 and inner[1] is Ellipsis:
                    inner = inner[:1] * len(value)
                return tuple(map(_as, inner, value))
    return value


_UNIONS = (typing.Union, types.UnionType)
