"""Tries mutated passes, in one process of several, and tells each finding on a line.

    python -m bench.trust.pass_fault_worker SEED SHARD SHARDS SECONDS MUTANTS MODULES

MODULES: names of pass modules joined by commas, or "all".
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass

os.environ["SEMREP_STORE"] = ":memory:"
os.environ.setdefault("TRITON_INTERPRET", "1")

from bench.trust.executor import Executor
from bench.trust.forked import Ended, call
from bench.trust.pass_corpus import PYTHON, TENSOR, TRITON, Subject, subjects
from bench.trust.pass_install import Prepared, Task, executed, homes, prepared, rewrites
from bench.trust.pass_mutants import Mutant, importers, mutants
from bench.trust.pass_oracle import Judgement, judge
from semrep.ir.signature import Signature
from semrep.passes.contract import Contract, Numerics
from semrep.runtime import Harness, discover
from semrep.verify import Baseline, Different, Equivalent, Verifier

NOTHING, BROKEN, UNPARSABLE = "changes nothing", "broken", "unparsable"
DIFFERENT, INCONCLUSIVE, CRASH = "different", "inconclusive", "crash"
RIGHT, ESCAPED, KNOWN = "accepted, right", "accepted, wrong", "seen before"
UNRUNNABLE, ELSEWHERE = "not runnable", "accepted, right for these types"
_OTHERS = 40
_PASSES = 6
_OBSERVED = 4
_CANDIDATES = 4
_CANDIDATE_KERNELS = 2
_REWRITE_S = 40.0
_CHECK_S = 30.0
_KINDS = {"tensor": (TENSOR,), "triton": (TRITON,)}


@dataclass(frozen=True, slots=True)
class Finding:
    """One rewrite of one mutant (or, for NOTHING and BROKEN, none). what: one of the words
    above. why: the verdict, or what the oracle found."""

    mutant: str
    what: str
    subject: str = ""
    kind: str = ""
    spec: str = ""
    contract: str = ""
    why: str = ""
    source: str = ""
    text: str = ""
    seconds: float = 0.0


class Bench:
    """Programs, what the true passes make of them, and a verifier for each that was needed."""

    def __init__(self, seed: int, only: Collection[str] | None = None) -> None:
        self.seed = seed
        self.homes: dict[str, str] = _answer(call(homes, None, 60.0))
        wanted = None
        if only is not None:
            wanted = {n for n, home in self.homes.items() if home in only}
        found = [(s, prepared(s)) for s in subjects(seed, wanted)]
        self.programs: list[Prepared] = [p for _, p in found if p is not None]
        self.pairs: dict[str, list[tuple[str, int]]] = {}
        self.true: dict[str, set[tuple[int, str]]] = {}
        self.verifiers: dict[int, tuple[Verifier, str | None] | None] = {}
        self.seen: set[tuple[int, str]] = set()
        self.lines: dict[str, frozenset[int]] = {}
        self.executor = Executor()

    def close(self) -> None:
        self.executor.__exit__()
        for made in self.verifiers.values():
            if made is not None:
                made[0].close()

    def pairs_of(self, name: str) -> list[tuple[str, int]]:
        """A pass on its own cases, and on others of a kind."""
        if name not in self.pairs:
            family = self.homes[name].split(".")[2]
            kinds = _KINDS.get(family, (PYTHON,))
            own = [(p.subject.spec, i) for i, p in enumerate(self.programs)
                   if p.subject.pass_name == name]  # fmt: skip
            plain = family not in _KINDS
            rest = [
                i
                for i, p in enumerate(self.programs)
                if p.subject.pass_name != name
                and (p.subject.kind in kinds or (plain and not p.subject.spec))
            ]
            rng = random.Random(f"{self.seed} {name}")
            if family == "tensor":
                # Observing types takes a run of the program: of few, and always the same.
                untyped = [i for i in rest if not self.programs[i].subject.spec]
                for index in untyped[:: len(untyped) // _OBSERVED + 1]:
                    self._observe(index)
                    own.append((name, index))
                rest = [i for i in rest if self.programs[i].subject.spec]
            others = rng.sample(rest, min(_OTHERS, len(rest)))
            self.pairs[name] = [*own, *((name, i) for i in others)]
        return self.pairs[name]

    def _observe(self, index: int) -> None:
        """Gives a program the types that it is seen to be called with, where none are said."""
        program = self.programs[index]
        if program.module.signature is None:
            made = self._verifier(index)
            signature = made[0].signature() if made is not None else None
            if isinstance(signature, Signature):
                again = prepared(program.subject, signature)
                self.programs[index] = again or program

    def truth(self, name: str) -> set[tuple[int, str]]:
        """What the true pass makes, by program."""
        if name not in self.true:
            rows = self._rewrites("", "", self.pairs_of(name))
            self.true[name] = {(r["subject"], r["text"]) for r in rows if "text" in r}
        return self.true[name]

    def executed(self, module: str) -> frozenset[int]:
        """Lines of a module that its passes run on these programs."""
        if module not in self.lines:
            pairs = [pair for name in self._reached(module) for pair in self.pairs_of(name)]
            found = call(executed, self._task(module, "", pairs), 2 * _REWRITE_S)
            self.lines[module] = frozenset(() if isinstance(found, Ended) else found)
        return self.lines[module]

    def _reached(self, module: str) -> list[str]:
        """Passes that a fault in a module may change, or some of them where they are many."""
        names = sorted(n for n, home in self.homes.items() if home in importers(module))
        rng = random.Random(f"{self.seed} {module}")
        return rng.sample(names, _PASSES) if len(names) > _PASSES else names

    def _rewrites(self, module: str, source: str, pairs: list[tuple[str, int]]) -> list[dict]:  # type: ignore[type-arg]
        task = self._task(module, source, pairs)
        found = call(rewrites, task, _REWRITE_S)
        return [{"broken": found.why}] if isinstance(found, Ended) else found

    def _task(self, module: str, source: str, pairs: list[tuple[str, int]]) -> Task:
        needed = frozenset(self.homes[spec.partition("{")[0]] for spec, _ in pairs)
        return Task(module, source, needed, pairs, [p.module for p in self.programs])

    def findings(self, mutant: Mutant) -> Iterator[Finding]:
        shown = str(mutant)
        started = time.monotonic()
        names = self._reached(mutant.module)
        rng = random.Random(f"{self.seed} {mutant.module} {mutant.source}")
        true = set().union(*(self.truth(n) for n in names)) if names else set()
        pairs = [pair for n in names for pair in self.pairs_of(n)]
        rows = self._rewrites(mutant.module, mutant.source, pairs)
        if rows and "broken" in rows[0]:
            yield Finding(shown, BROKEN, why=rows[0]["broken"])
            return
        new = {(r["subject"], r["text"]): r for r in rows}
        fresh = [r for key, r in new.items() if key not in true]
        if not fresh:
            yield Finding(shown, NOTHING, seconds=time.monotonic() - started)
            return
        tried = 0
        for row in rng.sample(fresh, len(fresh)):
            key = row["subject"], row["text"]
            program = self.programs[row["subject"]].subject
            if key in self.seen:
                yield Finding(shown, KNOWN, program.name, program.kind, row["spec"])
                continue
            if tried >= (_CANDIDATE_KERNELS if program.kind == TRITON else _CANDIDATES):
                return
            self.seen.add(key)
            found = self._judged(shown, program, row)
            tried += found.what != UNRUNNABLE
            yield found

    def _judged(self, shown: str, program: Subject, row: dict) -> Finding:  # type: ignore[type-arg]
        started = time.monotonic()
        contract = Contract(
            Numerics[row["numerics"]], frozenset(row["assumes"]), frozenset(row["preserves"])
        )

        def finding(what: str, why: str = "") -> Finding:
            spent = time.monotonic() - started
            kept = what in (ESCAPED, RIGHT, ELSEWHERE, CRASH)
            return Finding(
                shown, what, program.name, program.kind, row["spec"], str(contract), why[:500],
                program.source if kept else "", row["text"] if kept else "", spent,
            )  # fmt: skip

        text = row["text"].encode("utf-8", "surrogateescape")
        try:
            compile(text, "<text>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            return finding(UNPARSABLE, str(error))
        made = self._verifier(row["subject"])
        if made is None:
            return finding(UNRUNNABLE)
        verifier, inputs = made
        try:
            verdict = verifier.check(text, contract)
        except Exception as error:
            return finding(CRASH, f"{type(error).__name__}: {error}")
        if isinstance(verdict, Different):
            return finding(DIFFERENT, str(verdict))
        if not isinstance(verdict, Equivalent):
            return finding(INCONCLUSIVE, str(verdict))
        judged = judge(program, row["text"], inputs, self.executor)
        if judged.difference and not self._says_so_of_the_truth(row, inputs, judged):
            return finding(ESCAPED, f"{verdict}; {judged.difference}")
        if judged.elsewhere:
            return finding(ELSEWHERE, f"{verdict}; {judged.elsewhere}")
        return finding(RIGHT, str(verdict))

    def _says_so_of_the_truth(self, row: dict, inputs: str | None, judged: Judgement) -> bool:  # type: ignore[type-arg]
        """Whether the judge finds the same in what the true pass makes: then it cannot run it."""
        name = row["spec"].partition("{")[0]
        program = self.programs[row["subject"]].subject
        return any(
            judge(program, text, inputs, self.executor).difference == judged.difference
            for index, text in sorted(self.truth(name))
            if index == row["subject"]
        )

    def _verifier(self, index: int) -> tuple[Verifier, str | None] | None:
        """A verifier whose original runs, with the inputs that it runs on."""
        if index not in self.verifiers:
            self.verifiers[index] = self._made(self.programs[index].subject)
        return self.verifiers[index]

    def _made(self, subject: Subject) -> tuple[Verifier, str | None] | None:
        source = subject.source.encode()
        for inputs in subject.inputs:
            harness = discover(source, None, subject.entry if inputs else None, inputs)
            if isinstance(harness, Harness):
                verifier = Verifier(source, harness, seed=self.seed, timeout_s=_CHECK_S)
                if isinstance(verifier.baseline(), Baseline):
                    return verifier, inputs
                verifier.close()
        return None


def _answer(found: object) -> dict[str, str]:
    if not isinstance(found, dict):
        raise RuntimeError(f"passes cannot be loaded: {found}")
    return found


def main(arguments: list[str]) -> None:
    seed, shard, shards, count = (int(arguments[i]) for i in (0, 1, 2, 4))
    deadline = time.monotonic() + float(arguments[3])
    only = None if arguments[5] == "all" else tuple(arguments[5].split(","))
    bench = Bench(seed, only)
    try:
        for number, mutant in enumerate(mutants(seed, only, bench.executed)):
            if number == count or time.monotonic() > deadline:
                break
            if number % shards == shard:
                for found in bench.findings(mutant):
                    print(json.dumps(asdict(found)), flush=True)
    finally:
        bench.close()


if __name__ == "__main__":
    main(sys.argv[1:])
