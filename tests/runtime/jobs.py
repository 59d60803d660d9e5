"""Jobs that tests run inside the worker."""

from __future__ import annotations

from typing import Any

from semrep.runtime.capture import Capture
from semrep.runtime.harness import Harness
from semrep.runtime.subject import Subject, prepare


def call(source: bytes, harness: Harness) -> Any:
    """One call on the harness's first example, its result as a value tree."""
    prepare(harness, source)
    subject = Subject.load(source, harness, "original", 0)
    example = subject.examples(0)[0]
    return Capture()(subject.bind(None)(*example.positional, **example.named))
