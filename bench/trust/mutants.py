"""Faults that must be caught and rewrites that must be accepted, by semrep and by the checkers
that others use.

python -m bench.trust.mutants --quick
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from bench import journal
from bench.records import Record, table
from bench.trust import equivalents, operators, outcome
from bench.trust.corpus import corpus
from bench.trust.examination import Options, Row, examine
from bench.trust.program import KINDS, TRITON, Program
from bench.trust.source_text import SourceText

SUITE = "trust"
_WORKERS = 2
# Mutants and equivalents of a program; kernels are fewer and hold more.
_FULL = {TRITON: (14, 7)}
_FULL_OTHERS = (6, 3)
_QUICK = (4, 2)
_QUICK_PROGRAMS = 9  # of each kind

Say = Callable[[str], None]


def run(
    quick: bool,
    seed: int,
    say: Say,
    *,
    only: str | None = None,
    root: str | None = None,
    cache: str | None = None,
    resume: str | None = None,
    detail: bool = False,
    workers: int = _WORKERS,
) -> Iterator[Record]:
    """only: programs whose names begin so. root: KernelBench's folder of levels. cache: the
    folder with gpuemu's corpus and Triton's tutorials. resume: a file of rows that is read first
    and added to. detail: say every accepted mutant and rejected equivalent. workers: processes."""
    programs = corpus(say, root, cache)
    if only:
        programs = [p for p in programs if p.name.startswith(tuple(only.split(",")))]
    elif quick:
        programs = _sampled(programs, seed)
    rows = _rows(programs, quick, seed, say, Path(resume) if resume else None, workers)
    if detail:
        for line in outcome.details(rows):
            say(line)
    yield from outcome.records(SUITE, rows, len(programs))


def _sampled(programs: Sequence[Program], seed: int) -> list[Program]:
    rng = random.Random(seed)
    found: list[Program] = []
    for kind in KINDS:
        of_kind = [p for p in programs if p.kind == kind]
        found += rng.sample(of_kind, min(_QUICK_PROGRAMS, len(of_kind)))
    return found


def _rows(
    programs: Sequence[Program], quick: bool, seed: int, say: Say, file: Path | None, workers: int
) -> list[Row]:
    known = [Row(**row) for row in journal.read(file)]
    done = {r.key for r in known}
    names = {p.name for p in programs}
    rows = [r for r in known if r.program in names]
    rarity = _rarity(programs)
    # A run that is cut short is then a sample of all kinds; one that goes on begins where the
    # last one ended, for even a program with nothing left to do takes seconds.
    waiting = random.Random(seed).sample(list(programs), len(programs))
    begun = {r.program for r in known}
    waiting.sort(key=lambda p: p.name in begun)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        futures = {
            pool.submit(_examine, p, _options(p, quick, seed, rarity), done, file): p
            for p in waiting
        }
        for i, future in enumerate(as_completed(futures), 1):
            program = futures[future]
            try:
                found = future.result()
            except Exception as e:
                say(f"{i}/{len(waiting)} {program.name}: {type(e).__name__}: {e}")
                continue
            rows += found
            say(f"{i}/{len(waiting)} {program.name}: {outcome.brief(found)}")
    return rows


def _options(program: Program, quick: bool, seed: int, rarity: dict[str, float]) -> Options:
    counts = _QUICK if quick else _FULL.get(program.kind, _FULL_OTHERS)
    return Options(seed, counts[0], counts[1], rarity)


def _rarity(programs: Sequence[Program]) -> dict[str, float]:
    """For each operator and transformation: one over the programs that it applies to."""
    found: Counter[str] = Counter()
    for program in programs:
        text = SourceText(program.source, program.targets)
        found.update(operators.places(program, text).keys())
        found.update(equivalents.places(program, text).keys())
    return {name: 1.0 / count for name, count in found.items()}


def _examine(program: Program, options: Options, done: set[str], file: Path | None) -> list[Row]:
    os.environ.setdefault("TRITON_INTERPRET", "1")
    rows: list[Row] = []
    for row in examine(program, options, done):
        rows.append(row)
        journal.add(file, row.to_json())
    return rows


_EPILOG = """\
programs: bench/trust/programs, functions of torch, jax, numpy and scipy and kernels of
liger-kernel as installed; with --root KernelBench, and with --cache gpuemu's corpus and Triton's
tutorials, as checkouts in CACHE/gpuemu and CACHE/tutorials. Nothing is fetched.

examples:
  python -m bench.trust.mutants --quick
  python -m bench.trust.mutants --only numpy_,torch_ --quick --detail
  python -m bench.trust.mutants --full --resume rows.jsonl --root KernelBench/KernelBench
"""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.trust.mutants",
        description="Run semrep's verifier and other checkers on seeded faults and on rewrites "
        "that change nothing, and count what each catches and refuses.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="a seeded sample, about ten minutes")
    size.add_argument("--full", action="store_true", help="everything, some hours (default)")
    parser.add_argument("--only", metavar="NAME", help="programs whose names begin so (a,b,...)")
    parser.add_argument("--list-operators", action="store_true", help="print the table of faults")
    parser.add_argument("--list-programs", action="store_true", help="print names and origins")
    parser.add_argument("--root", metavar="DIR", help="KernelBench's folder with level1, level2")
    parser.add_argument("--cache", metavar="DIR", help="folder with gpuemu and tutorials")
    parser.add_argument("--resume", metavar="FILE", help="JSON lines: read first, then added to")
    parser.add_argument("--detail", action="store_true", help="show what was accepted or refused")
    parser.add_argument("--seed", type=int, default=0, help="decides every sample (default 0)")
    parser.add_argument("--workers", type=int, default=_WORKERS, help="processes (default 2)")
    parser.add_argument("--json", metavar="FILE", help="write the records there")
    given = parser.parse_args(arguments)
    if given.list_operators:
        print(outcome.operator_table())
        return 0
    if given.list_programs:
        for p in corpus(_say, given.root, given.cache):
            print(f"{p.kind:7} {p.name:32} {p.origin}")
        return 0
    records = list(
        run(
            given.quick, given.seed, _say, only=given.only, root=given.root, cache=given.cache,
            resume=given.resume, detail=given.detail, workers=given.workers,
        )
    )  # fmt: skip
    if given.json:
        text = json.dumps([r.to_json() for r in records], indent=1, ensure_ascii=False)
        Path(given.json).write_text(text + "\n", encoding="utf-8")
    print(table(records))
    for record in records:
        if record.note:
            print(f"\n{record.name}: {record.note}")
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
