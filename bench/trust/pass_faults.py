"""Faults planted in semrep's own passes: what they make of programs must not be accepted.

    python -m bench.trust.pass_faults --help

Each mutant of a module of `semrep/passes` is put in place of the true one in a forked child; what
its passes then write, and the true ones do not, is given to the verifier with the contract that
the pass claims. What the verifier accepts is judged by an oracle of its own: `arbiter.py` for
arrays, many calls of both versions for plain Python.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.records import Record, table
from bench.trust.pass_mutants import has_generic

SUITE = "trust"
PROCESSES = 2
_ROOT = Path(__file__).parent.parent.parent
_FULL_S, _QUICK_S = 1020.0, 8.0
_QUICK_MUTANTS = 12
# Of the modules that are quick to run.
_QUICK_MODULES = (
    "canonical.order_operands", "canonical.negate_comparison", "canonical.order_comparison",
    "loop.fuse_loops", "loop.split_loop", "scalar.reduce_strength", "scalar.fold_constants",
)  # fmt: skip

Row = dict[str, Any]


def run(
    quick: bool,
    seed: int,
    say: Callable[[str], None],
    seconds: float | None = None,
    keep: Path | None = None,
) -> Iterator[Record]:
    """quick: a few mutants of two modules. seconds: for how long mutants are tried. keep: what
    findings are added to, a line of JSON each."""
    if not has_generic():
        say("left out: the operators of cosmic-ray, which is not installed")
    modules = "all"
    if quick:
        chosen = random.Random(seed).sample(_QUICK_MODULES, 2)
        modules = ",".join(f"semrep.passes.{name}" for name in chosen)
    words = [str(seconds or (_QUICK_S if quick else _FULL_S))]
    words += [str(_QUICK_MUTANTS if quick else 10**9), modules]
    rows: list[Row] = []
    with ThreadPoolExecutor(PROCESSES) as pool:
        shards = [
            pool.submit(_shard, seed, shard, words, lambda row: _tell(row, rows, say, keep))
            for shard in range(PROCESSES)
        ]
        for shard in shards:
            shard.result()
    yield from records(rows)


def _shard(seed: int, shard: int, words: list[str], told: Callable[[Row], None]) -> None:
    command = [sys.executable, "-m", "bench.trust.pass_fault_worker"]
    command += [str(seed), str(shard), str(PROCESSES), *words]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=_ROOT
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            told(json.loads(line))
    if process.returncode:
        raise RuntimeError(f"a process that tries mutants ended with {process.returncode}")


def _tell(row: Row, rows: list[Row], say: Callable[[str], None], keep: Path | None) -> None:
    before = len({r["mutant"] for r in rows})
    rows.append(row)
    if keep is not None:
        with keep.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
    if row["what"] == "accepted, wrong":
        say(f"ESCAPED {row['mutant']}\n  {row['subject']}: {row['why']}")
    made = before + (row["mutant"] not in {r["mutant"] for r in rows[:-1]})
    if made > before and made % 25 == 0:
        say(f"{made} mutants; {_counted(rows)}")


def records(rows: Sequence[Row]) -> Iterator[Record]:
    made = {r["mutant"] for r in rows}
    effective = {r["mutant"] for r in rows if r["what"] not in ("changes nothing", "broken")}
    judged = [r for r in rows if r["subject"] and r["what"] not in ("seen before", "not runnable")]
    escaped = [r for r in judged if r["what"] == "accepted, wrong"]
    kinds = Counter(r["kind"] for r in escaped)
    note = "; ".join(f"{r['mutant']} on {r['subject']}: {r['why']}" for r in escaped[:20])
    if escaped:
        note = f"{', '.join(f'{n} {k}' for k, n in kinds.most_common())} programs; {note}"
    yield Record(
        SUITE, "pass_faults_escaped", len(escaped), "rewrites", len(judged), note=note or "none"
    )  # fmt: skip
    broken = len({r["mutant"] for r in rows if r["what"] == "broken"})
    operators = Counter(_operator_of(m) for m in effective)
    note = ", ".join(f"{name} {n}" for name, n in operators.most_common())
    yield Record(
        SUITE, "pass_mutants", len(made), "mutants", len(made),
        note=f"{broken} cannot be imported or do not come back",
    )  # fmt: skip
    yield Record(SUITE, "pass_mutants_effective", len(effective), "mutants", len(made), note=note)
    for name, what in (
        ("different", "different"), ("inconclusive", "inconclusive"),
        ("unparsable", "unparsable"), ("crashed_the_verifier", "crash"),
    ):  # fmt: skip
        of_kind = [r for r in judged if r["what"] == what]
        note = "; ".join(f"{r['mutant']}: {r['why']}" for r in of_kind[:5]) * (what == "crash")
        yield Record(
            SUITE, f"pass_faults_{name}", len(of_kind), "rewrites", len(judged), note=note
        )  # fmt: skip
    right = [r for r in judged if r["what"].startswith("accepted, right")]
    other = sum(r["what"] == "accepted, right for these types" for r in right)
    yield Record(
        SUITE, "pass_faults_accepted_right", len(right), "rewrites", len(judged),
        note=f"another but equivalent text; {other} of them differ for arguments of types that "
        "the program's examples do not have",
    )  # fmt: skip


def _operator_of(mutant: str) -> str:
    """The operator's name in a mutant's description; all of cosmic-ray's are one."""
    return mutant.partition(" ")[2].partition(":")[0].split(" ")[0]


def _counted(rows: Sequence[Row]) -> str:
    return ", ".join(f"{n} {what}" for what, n in Counter(r["what"] for r in rows).most_common())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.trust.pass_faults",
        description="Plant faults in semrep's own passes, and count wrong rewrites accepted.",
        epilog="Without --quick: about 20 minutes on two cores.",
    )
    parser.add_argument("--quick", action="store_true", help="a few mutants of two modules")
    parser.add_argument("--seed", type=int, default=0, help="decides every mutant (default 0)")
    parser.add_argument("--seconds", type=float, help="try mutants for so long")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="add each finding there")
    given = parser.parse_args(arguments)
    found = list(run(given.quick, given.seed, _say, given.seconds, given.keep))
    print(table(found))
    for record in found:
        if record.note:
            print(f"{record.name}: {record.note}")
    return int(found[0].value > 0)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
