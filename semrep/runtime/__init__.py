"""How source text is run: harness, specs, loading, and the killable worker."""

from semrep.runtime.discovery import discover
from semrep.runtime.harness import Harness, NoHarness
from semrep.runtime.limits import Limits
from semrep.runtime.specs import (
    Arguments,
    Spec,
    arguments,
    bf16,
    boolean,
    example,
    f16,
    f32,
    f64,
    i32,
    i64,
    ints,
)
from semrep.runtime.worker import Done, Failed, Worker

__all__ = [
    "Arguments",
    "Done",
    "Failed",
    "Harness",
    "Limits",
    "NoHarness",
    "Spec",
    "Worker",
    "arguments",
    "bf16",
    "boolean",
    "discover",
    "example",
    "f16",
    "f32",
    "f64",
    "i32",
    "i64",
    "ints",
]
