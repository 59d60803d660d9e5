"""What a program of the corpus is."""

from __future__ import annotations

from dataclasses import dataclass

TRITON = "triton"
TORCH = "torch"
JAX = "jax"
NUMPY = "numpy"
KINDS = (TRITON, TORCH, JAX, NUMPY)


@dataclass(frozen=True, slots=True)
class Program:
    """One file and how to call it. entry, inputs: as `semrep.verify.discover` takes them; None
    where the file says so itself. targets: the functions and classes that mutants are made of;
    empty means all. origin: where the text comes from. path: the file, where it is one as it
    stands. alternatives: hand-written versions, as Markdown text."""

    name: str
    kind: str
    source: str
    entry: str | None
    inputs: str | None
    origin: str
    targets: tuple[str, ...] = ()
    path: str | None = None
    alternatives: str = ""
