"""A source loaded with the original's examples and constructor arguments: ready for cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from semrep.runtime.harness import Harness
from semrep.runtime.packing import unpack
from semrep.runtime.specs import Arguments
from semrep.runtime.subject import Subject
from semrep.runtime.values import ContainerValue


@dataclass(frozen=True, slots=True)
class Staged:
    """bases: the harness's examples. instance: what `function` is bound to, or None."""

    subject: Subject
    bases: tuple[Arguments, ...]
    instance: Any
    function: Callable[..., Any]


def stage(
    source: bytes,
    label: str,
    harness: Harness,
    examples: Sequence[ContainerValue | None],
    seed: int,
    init: ContainerValue | None,
) -> Staged:
    """Loads the source, after `prepare`. Examples that could not be packed (None) are the
    source's own. Raises what loading it raises."""
    # Arguments exist before any line of the subject runs.
    given = [None if packed is None else unpack(packed, harness.device) for packed in examples]
    subject = Subject.load(source, harness, label, seed)
    own = subject.examples(seed) if None in given else []
    bases = tuple(own[i] if base is None else base for i, base in enumerate(given))
    made_with = None if init is None else unpack(init, harness.device)
    instance = subject.instance(seed, made_with)
    return Staged(subject, bases, instance, subject.bind(instance))
