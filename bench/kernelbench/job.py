"""One problem from start to end, in a process that may be killed at any time.

Answers after each stage, so that whoever kills it keeps what was found before.
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.child import answer

_REFUSALS = 6


def main() -> int:
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    # Torch and what inductor compiles may bring a thread pool each; one that spins while the
    # other works would be what is measured. Read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return answer(stages)


def stages(job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Parts of a row as they become known. job: source, scale, cache, budget_s, timing_s,
    compile_s, seed, modes, perturbed (how many), timed."""
    from bench.kernelbench.shrink import SCALES, shrink

    cache = Path(job["cache"]) if job.get("cache") else None
    shrunk = shrink(job["source"], SCALES[job["scale"]], cache, apart=False)
    yield {
        "shrunk": {
            "changed": list(shrunk.changed), "modelled_s": shrunk.modelled_s,
            "measured_s": shrunk.measured_s, "fits": shrunk.fits,
        }
    }  # fmt: skip
    if not shrunk.runs:
        yield {"why": f"not shrunk: {shrunk.why}"}
        return
    from bench.kernelbench.degenerate import degenerate
    from bench.kernelbench.subjects import depends_on_mode, in_eval_mode, model_of, namespace

    try:
        yield {"degenerate": degenerate(shrunk.source, job["seed"])}
        modal = depends_on_mode(model_of(namespace(shrunk.source)))
    except Exception as error:
        yield {"why": f"does not run: {type(error).__name__}: {str(error)[:200]}"}
        return
    for mode in job["modes"]:
        if mode == "eval" and not modal:
            yield {"eval": {"same_as": "train"}}
            continue
        text = in_eval_mode(shrunk.source) if mode == "eval" else shrunk.source
        found: dict[str, Any] = {}
        for part in _of_mode(text, job, perturbed=job["perturbed"] if mode == "train" else 0):
            found = {**found, **part}
            yield {mode: found}


def _of_mode(source: str, job: dict[str, Any], perturbed: int) -> Iterator[dict[str, Any]]:
    import semrep

    started = time.monotonic()
    result = semrep.optimize(source, budget=f"{job['budget_s']:g}s", seed=job["seed"])
    yield {
        "optimise_s": time.monotonic() - started,
        "status": str(result.status),
        "note": result.note,
        "pipeline": result.pipeline,
        "rules": rules(result),
        "modelled_gain": modelled_gain(result),
        "verdict": str(result.verdict) if result.verdict is not None else "",
        "fired": result.changed,
        "stopped": result.stopped,
    }
    if not result.changed:
        yield {"refusals": refusals(result), "speedup": 1.0, "low": 1.0, "high": 1.0}
        return
    from bench.kernelbench.checking import check

    yield {"source": result.src, "check": check(source, result.src, job["seed"]).to_json()}
    if job["timed"]:
        from bench.kernelbench.timing import ORIGINAL, REWRITTEN, time_both

        timed = time_both(
            source, result.src, seconds=job["timing_s"], compile_s=job["compile_s"],
            seed=job["seed"],
        )  # fmt: skip
        speedup, eager = timed.speedup(seed=job["seed"]), timed.speedup("original eager")
        yield {
            "medians_s": {name: timed.median(name) for name in timed.seconds},
            "rounds": len(timed.seconds["original eager"]),
            "best": [timed.best(ORIGINAL), timed.best(REWRITTEN)],
            "speedup": speedup.value, "low": speedup.low, "high": speedup.high,
            "over_eager": eager.value,
            "compile_s": dict(timed.compile_s),
            "timing_notes": list(timed.notes),
        }  # fmt: skip
    if perturbed:
        variants = []
        for number in range(perturbed):
            variants.append(_of_variant(source, result, job, number))
            yield {"perturbed": variants}


def _of_variant(source: str, result: Any, job: dict[str, Any], number: int) -> dict[str, Any]:
    """Whether another spelling of the problem is optimised as the problem itself was."""
    import semrep
    from bench.kernelbench.perturb import perturb

    made = perturb(source, 1000 * job["seed"] + number)
    if not made.changed:
        return {"spellings": [], "why": made.why}
    again = semrep.optimize(made.source, budget=f"{job['budget_s']:g}s", seed=job["seed"])
    gain, before = modelled_gain(again), modelled_gain(result)
    same = set(rules(result)) <= set(rules(again))
    keeps = gain is not None and before is not None and gain >= 0.9 * before
    return {
        "spellings": list(made.changed), "source": made.source, "rules": rules(again),
        "modelled_gain": gain, "still_fires": again.changed and (same or keeps),
        "note": again.note, "refusals": [] if again.changed else refusals(again),
    }  # fmt: skip


def rules(result: Any) -> list[str]:
    """The names of the passes that acted, in order, each once."""
    return list(dict.fromkeys(s.site.pass_spec for s in result.trace.steps))


def modelled_gain(result: Any) -> float | None:
    """Modelled time of the original over that of the result."""
    from semrep.cost import modelled_seconds

    before = modelled_seconds(result.trace.before)
    after = modelled_seconds(result.trace.after)
    return before / after if before and after else None


def refusals(result: Any) -> list[str]:
    """What came nearest to a rewrite: candidates that were tried and not kept, then refusals of
    tensor passes, then of others; the commonest first."""
    tried = Counter(
        f"tried {a.passes}: {a.judgement.decision}: {a.judgement.reason[:120]}"
        for a in result.attempts
        if str(a.judgement.decision) != "accepted"
    )
    taken_back = Counter(f"taken back {r}"[:200] for r in result.rejected)
    refused: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for missed in result.missed:
        refused[is_tensor(missed.site.pass_spec)][
            f"{missed.site.pass_spec}: {missed.refusal.code}: {missed.refusal.message[:120]}"
        ] += 1
    ordered = [taken_back, tried, refused[True], refused[False]]
    listed = [line for counter in ordered for line, _ in counter.most_common()]
    return listed[:_REFUSALS]


def is_tensor(pass_spec: str) -> bool:
    from semrep.passes import registry

    try:
        return registry.find(re.split(r"[^\w.-]", pass_spec)[0]).family == "tensor"
    except LookupError:
        return False


if __name__ == "__main__":
    raise SystemExit(main())
