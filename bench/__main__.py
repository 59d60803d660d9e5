"""`python -m bench`: arguments, printing, storing."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from pathlib import Path

from bench import environment, report
from bench.records import Record, Run, table

SUITES = {
    "frontend": ("bench.frontend", "round trips of real files, throughput, latency, soundness"),
    "trust": ("bench.trust.suite", "faults caught, rewrites refused, cheats, containment"),
    "main": ("bench.main_job", "the search on every file of examples/, verified and timed"),
    "kernelbench": ("bench.kernelbench.suite", "its problems made small: speedups, wrong rewrites"),
    "npbench": ("bench.npbench.suite", "its kernels against NumPy, Numba and jax.jit"),
    "functions": ("bench.functions.suite", "JAX and NumPy functions of installed packages"),
}

_OPTIONS = {
    "trust": ("root", "cache", "resume"),
    "kernelbench": ("root", "cache", "resume", "levels", "scale", "seconds", "only", "timed"),
    "npbench": ("root", "resume", "only"),
    "functions": ("resume", "only"),
}

EPILOG = """\
suites:
{suites}
  report       write docs/benchmarks.md from the stored results; measures nothing

examples:
  python -m bench frontend --quick           a seeded sample, under a minute
  python -m bench frontend --quick --json -  the records alone, as one JSON list
  python -m bench frontend                   everything; kept in bench/results/frontend.json
  python -m bench report                     the page that shows what is kept
  python -m bench kernelbench --root KernelBench/KernelBench --resume rows.jsonl
                                             hours; Ctrl-C loses nothing: the same command goes on
  python -m bench kernelbench --root KernelBench/KernelBench --only L2-14 --only Softmax --json -
                                             a few problems, which are not stored
  python -m bench functions --resume rows.jsonl
                                             over an hour; optax, jaxopt, dm-pix, transforms3d,
                                             filterpy, trimesh and mir_eval join in if installed

Needs `pip install -e '.[bench,jax]'`. Full runs take minutes; leave the machine alone meanwhile.
"""


def main(arguments: list[str] | None = None) -> int:
    listed = "\n".join(f"  {name:11}  {what}" for name, (_, what) in SUITES.items())
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure semrep, its peers beside it.",
        epilog=EPILOG.format(suites=listed),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("suite", choices=[*SUITES, "report"], help="what to measure")
    parser.add_argument(
        "--quick", action="store_true", help="the same figures on a seeded sample; not stored"
    )
    parser.add_argument("--json", metavar="FILE", help="write the records there; - prints them")
    parser.add_argument(
        "--part", metavar="NAME", help="trust: only this part; the others' stored figures stay"
    )
    parser.add_argument(
        "--root",
        metavar="DIR",
        help="KernelBench's folder with level1, level2, level3 (default $KERNELBENCH_ROOT); "
        "npbench: a checkout of it (default $NPBENCH_ROOT)",
    )
    parser.add_argument(
        "--cache",
        metavar="DIR",
        help="trust: folder with checkouts named gpuemu and tutorials; kernelbench: folder that "
        "keeps shrunk problems",
    )
    parser.add_argument(
        "--resume",
        metavar="FILE",
        help="trust, kernelbench, npbench, functions: JSON lines, one a fault or a problem, read "
        "first and added to",
    )
    parser.add_argument(
        "--levels", metavar="N", nargs="+", type=int, help="kernelbench: of 1 2 3 (default all)"
    )
    parser.add_argument(
        "--scale",
        choices=("cpu", "tiny"),
        help="kernelbench: a forward takes 1 to 200 ms on two cores (cpu), or under 20 (tiny)",
    )
    parser.add_argument("--seconds", type=float, help="kernelbench: begin no problem after so many")
    parser.add_argument(
        "--only",
        metavar="NAME",
        action="append",
        help="kernelbench, npbench, functions: these problems, by L2-14 or a part of the name; "
        "repeatable",
    )
    parser.add_argument(
        "--untimed",
        dest="timed",
        action="store_const",
        const=False,
        help="kernelbench: optimise and check, measure nothing",
    )
    parser.add_argument("--seed", type=int, default=0, help="decides every sample (default 0)")
    options = parser.parse_args(arguments)
    # Figures come from runs, not from what earlier ones left behind.
    os.environ["SEMREP_STORE"] = ":memory:"
    if options.suite == "report":
        print(report.write())
        return 0
    described = environment.describe()
    suite = importlib.import_module(SUITES[options.suite][0])
    given = {name: getattr(options, name) for name in _OPTIONS.get(options.suite, ())}
    given = {name: value for name, value in given.items() if value is not None}
    if options.part:
        if options.part not in getattr(suite, "PARTS", ()):
            parser.error(f"{options.suite} has no part {options.part!r}")
        given["parts"] = (options.part,)
    records: list[Record] = list(suite.run(options.quick, options.seed, _say, **given))
    data = json.dumps([r.to_json() for r in records], indent=1, ensure_ascii=False)
    if options.json == "-":
        print(data)
        return 0
    if options.json:
        Path(options.json).write_text(data + "\n", encoding="utf-8")
    print(table(records))
    if not options.quick and getattr(suite, "is_whole", lambda *_: True)(given, records):
        command = f"python -m bench {options.suite}"
        command += f" --seed {options.seed}" if options.seed else ""
        run = Run(options.suite, command, described, records)
        (run.beside_stored() if options.part else run).save()
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
