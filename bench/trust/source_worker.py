"""Checks hostile sources in a process of its own, so that its hash seed can be chosen.

    python -m bench.trust.source_worker SEED COUNT SMALL

One answer a line, in order: what `source_check.check` found, or how the source ended it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from bench.trust.forked import Ended, call, each
from bench.trust.source_check import Source, check
from bench.trust.source_generator import Pool, generate

LIMIT_S = 10.0
MEMORY_BYTES = 2 << 30


def verdict(source: Source, limit_s: float = LIMIT_S) -> dict[str, Any]:
    """What is found about one source in a child of its own."""
    return _told(call(check, source, limit_s, MEMORY_BYTES))


def _told(answer: Any) -> dict[str, Any]:
    if isinstance(answer, Ended):
        return {"wrong": answer.why, "digest": "", "accepted": False, "steps": 0}
    found: dict[str, Any] = answer
    return found


def main(arguments: list[str]) -> None:
    seed, count, small = int(arguments[0]), int(arguments[1]), arguments[2] == "small"
    import semrep
    from semrep.passes.registry import load

    load()
    semrep.apply_passes("x = (1)\n", verify=False)
    pool = Pool(small)
    step = 200
    for start in range(0, count, step):
        sources = [generate(seed, i, pool) for i in range(start, min(count, start + step))]
        for _, answer in each(check, sources, LIMIT_S, MEMORY_BYTES):
            print(json.dumps(_told(answer)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
