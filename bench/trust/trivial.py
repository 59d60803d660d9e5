"""Trivial candidates for every KernelBench problem: who takes them for the real thing.

    python -m bench.trust.trivial --root KernelBench/KernelBench

Each problem's sizes are made small, and its model is replaced by ones that compute nothing:
zeros, the output's own mean everywhere, the first input, the first output ever given. Where a
problem's output really does not depend on its inputs such a candidate is right, and is counted
apart. KernelBench's own check runs beside, on inputs drawn as the problem draws them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import journal
from bench.kernelbench.problems import problems, root_folder
from bench.kernelbench.shrink import TINY, shrink
from bench.records import Record
from semrep.passes.contract import WITHIN_TOLERANCE
from semrep.runtime import Done, Harness, discover
from semrep.verify import Equivalent, Verifier

SUITE = "trust"
TRIALS = 5
WORKERS = 2
_QUICK = 6
_SECONDS = 15.0

_FRAME = """

class ModelNew(Model):
    def forward(self, *arguments, **named):
        out = super().forward(*arguments, **named)
        if not isinstance(out, torch.Tensor):
            return out
        {body}
"""
BODIES = {
    "zeros": "return torch.zeros_like(out)",
    "constant": "return torch.full_like(out, float(out.float().mean()))",
    "first input": (
        "first = next((a for a in arguments if isinstance(a, torch.Tensor)), out)\n"
        "        return first.clone() if first.shape == out.shape else out * 0 + first.mean()"
    ),
    "first output": (
        "kept = self.__dict__.setdefault('kept', {})\n"
        "        return kept.setdefault(tuple(out.shape), out.detach()).clone()"
    ),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """accepted, kernelbench: by us and by KernelBench's check; right: there is no telling the
    candidate from the original; why: of a problem that did not run."""

    problem: str
    candidate: str = ""
    accepted: bool = False
    kernelbench: bool = False
    right: bool = False
    why: str = ""


def candidate(source: str, body: str) -> bytes:
    return (source + _FRAME.format(body=body)).encode()


def examine(path: Path) -> Iterator[Outcome]:
    """All trivial candidates of one problem."""
    name = _named(path)
    shrunk = shrink(path.read_text(encoding="utf-8"), TINY)
    if not shrunk.runs:
        yield Outcome(name, why=shrunk.why)
        return
    source = shrunk.source
    harness = discover(source.encode())
    if not isinstance(harness, Harness):
        yield Outcome(name, why=str(harness))
        return
    with Verifier(
        source.encode(), harness, timeout_s=_SECONDS, candidate_entry="ModelNew"
    ) as verifier:
        for kind, body in BODIES.items():
            text = candidate(source, body)
            # What screening refuses a whole check refuses as well.
            verdict = verifier.screen(text, WITHIN_TOLERANCE)
            if isinstance(verdict, Equivalent):
                verdict = verifier.check(text, WITHIN_TOLERANCE)
            if "no trustworthy baseline" in str(verdict):
                yield Outcome(name, why=str(verdict)[:300])
                return
            done = verifier.session.run(
                "bench.trust.trivial:compared", text.decode(), wall_s=_SECONDS
            )
            facts = done.value if isinstance(done, Done) else {"kernelbench": False, "right": False}
            yield Outcome(
                name, kind, isinstance(verdict, Equivalent), facts["kernelbench"], facts["right"]
            )


def compared(source: str) -> dict[str, Any]:
    """In a child: KernelBench's verdict, and whether anything tells the two models apart."""
    import torch

    from bench.kernelbench.subjects import copied, wider
    from bench.trust.anchors import accepts

    space: dict[str, Any] = {"__name__": "problem"}
    exec(compile(source, "<problem>", "exec"), space)
    models = []
    for kind in ("Model", "ModelNew"):
        torch.manual_seed(0)
        models.append(space[kind](*space.get("get_init_inputs", list)()))
    verdicts, same = [], []
    for trial in range(TRIALS):
        torch.manual_seed(trial)
        inputs = space["get_inputs"]()
        # Inputs that a problem does not draw: a constant output stays what it is on them too.
        wide = [wider(x) for x in inputs]
        for arguments, found in ((inputs, verdicts), (wide, same)):
            outs = []
            for model in models:
                torch.manual_seed(trial)
                with torch.no_grad():
                    outs.append(model(*(copied(x) for x in arguments)))
            found.append(accepts("kernelbench_rand", [outs[0]], [outs[1]]))
            if found is same and found[-1] and isinstance(outs[0], torch.Tensor):
                spread = (outs[0] - outs[1]).abs().max() if outs[0].numel() else torch.zeros(())
                found[-1] = bool(spread <= 2e-6 * (1 + outs[0].abs().max()))
    return {"kernelbench": all(verdicts), "right": all(same)}


def run(
    quick: bool,
    seed: int,
    say: Callable[[str], None],
    root: str | None = None,
    seconds: float | None = None,
    resume: Path | None = None,
) -> Iterator[Record]:
    """Records of all problems below root (or KERNELBENCH_ROOT); of six with quick; in a seeded
    order, of as many as fit into so many seconds. resume: a file of outcomes, read first and
    added to."""

    folder = root_folder(root)
    if folder is None:
        say("trivial candidates: left out; give --root, the folder with level1, level2, level3")
        return
    paths = [problem.path for problem in problems(folder)]
    paths = random.Random(seed).sample(paths, min(_QUICK, len(paths)) if quick else len(paths))
    found = [Outcome(**row) for row in journal.read(resume)]
    known = {o.problem for o in found}
    waiting = iter([path for path in paths if _named(path) not in known])
    deadline = time.monotonic() + (seconds or float("inf"))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(WORKERS, mp_context=context) as pool:
        running = {
            pool.submit(_outcomes, path): path for path in itertools.islice(waiting, WORKERS)
        }
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                path = running.pop(future)
                outcomes = future.result()
                found += outcomes
                journal.add(resume, *(asdict(o) for o in outcomes))
                told = "; ".join(
                    o.why or f"{o.candidate} accepted" for o in outcomes if o.why or o.accepted
                )
                count = len({o.problem for o in found})
                say(f"[{count}/{len(paths)}] {_named(path)} {told}")
                following = next(waiting, None) if time.monotonic() < deadline else None
                if following is not None:
                    running[pool.submit(_outcomes, following)] = following
    tried = len({o.problem for o in found})
    if tried < len(paths):
        say(f"stopped after {tried} of {len(paths)} problems")
    yield from records(found)


def _named(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _outcomes(path: Path) -> list[Outcome]:
    return list(examine(path))


def records(found: list[Outcome]) -> Iterator[Record]:
    tried = [o for o in found if o.candidate]
    wrong = [o for o in tried if not o.right]
    accepted = [o for o in wrong if o.accepted]
    theirs = [o for o in wrong if o.kernelbench]
    kinds = Counter(o.candidate for o in theirs)
    listed = "; ".join(f"{o.problem}: {o.candidate}" for o in accepted) or "none"
    yield Record(
        SUITE, "trivial_accepted", len(accepted), "candidates", len(wrong),
        peers={"KernelBench's check": len(theirs)},
        note=f"{listed}. Accepted by KernelBench's check: {dict(kinds)}",
    )  # fmt: skip
    right = [o for o in tried if o.right]
    yield Record(
        SUITE, "trivial_and_right", len(right), "candidates", len(tried),
        note="outputs that do not depend on the inputs: " + "; ".join(
            sorted({o.problem for o in right})
        ),
    )  # fmt: skip
    failed = [o for o in found if o.why]
    yield Record(
        SUITE, "trivial_problems_not_run", len(failed), "problems", len({o.problem for o in found}),
        note="; ".join(f"{o.problem}: {o.why[:120]}" for o in failed),
    )  # fmt: skip


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.trust.trivial", description=__doc__)
    parser.add_argument("--root", help="KernelBench's folder with level1, level2, level3")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, help="stop after so many")
    parser.add_argument("--json", metavar="FILE", help="write the records there")
    parser.add_argument("--resume", type=Path, metavar="FILE", help="outcomes: read, and added to")
    options = parser.parse_args()
    made = list(
        run(options.quick, options.seed, _say, options.root, options.seconds, options.resume)
    )
    for record in made:
        print(record, record.note)
    if options.json:
        Path(options.json).write_text(json.dumps([r.to_json() for r in made]), encoding="utf-8")


if __name__ == "__main__":
    main()
