"""How long a person waits: all sites of all passes on a long file, at first and after an edit.

The clock counts the time that this process had the processor: on an idle machine the two are
the same, for nothing here waits or runs in parallel.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.corpus import File
from semrep.ir.module import Module
from semrep.passes import registry
from semrep.passes.base import Refusal
from semrep.passes.manager import BrokenEdit, step

LINES = 10_000
_SHORTEST_UNIT = 3


@dataclass(slots=True)
class Latency:
    lines: int
    sites: int = 0
    cold_s: list[float] = field(default_factory=list)
    step_s: list[float] = field(default_factory=list)
    """Of one edit each: apply it, and list all sites of all passes again."""
    by_pass_s: dict[str, float] = field(default_factory=dict)
    """Of the first cold listing, in the order of the passes: an early pass pays for what the
    later ones find done."""


def long_file(files: Sequence[File], seed: int, header: bytes, lines: int = LINES) -> bytes:
    """Top-level functions and classes of real files, in random order, under one header."""
    rng = random.Random(seed)
    order = rng.sample(list(files), len(files))
    parts: list[bytes] = [header]
    count = header.count(b"\n")
    for file in order:
        source = file.read()
        module = Module.from_text(source)
        if not module.is_rewritable or module.tree.root_node.has_error or b"\r" in source:
            continue
        for node in module.tree.root_node.named_children:
            text = source[node.start_byte : node.end_byte]
            kinds = ("function_definition", "class_definition", "decorated_definition")
            if node.type not in kinds or text.count(b"\n") < _SHORTEST_UNIT:
                continue
            parts.append(text + b"\n\n\n")
            count += text.count(b"\n") + 3
            if count >= lines:
                return b"".join(parts)
    return b"".join(parts)


HEADER = b"import math\nimport os\nimport re\nimport sys\n\n\n"
TORCH_HEADER = (
    b"import math\nimport torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n\n"
)


def measure(source: bytes, seed: int, cold: int, edits: int, warm_up: int = 2) -> Latency:
    """cold: how many times the file is read anew. edits: random legal steps, one on another."""
    passes = registry.all_passes()
    found = Latency(source.count(b"\n"))
    for index in range(cold):
        started = time.process_time()
        module = Module(source)
        found.sites = 0
        for pass_ in passes:
            before = time.process_time()
            found.sites += sum(1 for _ in pass_.sites(module))
            if index == 0:
                found.by_pass_s[str(pass_)] = time.process_time() - before
        found.cold_s.append(time.process_time() - started)
    rng = random.Random(seed)
    tried = 0
    while len(found.step_s) < edits + warm_up and tried < 100 * edits:
        tried += 1
        pass_ = rng.choice(passes)
        sites = list(pass_.sites(module))
        if not sites:
            continue
        site = rng.choice(sites)
        try:
            result = step(module, pass_, site)
        except BrokenEdit:
            continue
        if isinstance(result, Refusal):
            continue
        edit_set = result[1].edits
        started = time.process_time()
        after = module.apply(edit_set)
        for each in passes:
            for _ in each.sites(after):
                pass
        found.step_s.append(time.process_time() - started)
        module = after
    del found.step_s[:warm_up]
    return found
