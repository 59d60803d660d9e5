"""Runs passes with one module of theirs replaced, in the process at hand: call it in a child.

Nothing is written: a finder that comes first gives the mutated text for the module's name.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType
from typing import Any

from bench.trust.pass_corpus import Subject
from bench.trust.pass_mutants import SHARED, path_of
from semrep.ir.effects import facts
from semrep.ir.module import Module
from semrep.ir.signature import Signature
from semrep.ir.unit import FUNCTION
from semrep.ir.values import value_graph
from semrep.passes import registry
from semrep.passes.manager import PassManager, step
from semrep.passes.pipeline import Pipeline

_SHARED = frozenset(f"semrep.passes.{name}" for name in SHARED)
_MOST_SITES = 12
_MOST_STEPS = 30


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.source = source

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != self.name:
            return None
        return importlib.util.spec_from_loader(name, self, origin=str(path_of(name)))

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.source, str(path_of(self.name)), "exec"), module.__dict__)


def install(module: str, source: str) -> None:
    """From here on, in this process, no pass is known, and the module is so replaced."""
    for name in [n for n in sys.modules if _is_mutable(n)]:
        del sys.modules[name]
    registry._passes.clear()
    registry.load.cache_clear()
    if source:
        sys.meta_path.insert(0, _Finder(module, source))


def _is_mutable(name: str) -> bool:
    return name in _SHARED or (name.startswith("semrep.passes.") and name.count(".") > 2)


@dataclass(frozen=True, slots=True)
class Task:
    """module, source: what is replaced, and by what; "" for nothing. homes: modules of the passes
    that are run. pairs: these passes, as in a pipeline, each with the number of a program among
    `modules`."""

    module: str
    source: str
    homes: frozenset[str]
    pairs: Sequence[tuple[str, int]]
    modules: Sequence[Module]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A subject parsed; what is found out about it is shared with forked children."""

    subject: Subject
    module: Module


def prepared(subject: Subject, signature: Signature | None = None) -> Prepared | None:
    module = Module.from_text(subject.source, "case.py")
    if subject.signature:
        from tests.passes.signature_text import parse_signature

        module = module.with_signature(parse_signature(subject.signature))
    elif signature is not None:
        module = module.with_signature(signature)
    if module.diagnostics:
        return None
    for placed in module.units:
        unit = placed.unit
        unit.root  # noqa: B018
        if unit.kind == FUNCTION:
            # Analyses are kept with the unit, and so found by every child.
            facts(module, unit, unit.root)
            if module.signature is not None:
                value_graph(module, unit)
    return Prepared(subject, module)


def homes(_: object = None) -> dict[str, str]:
    """Pass name → the module that registers it."""
    install("", "")
    found: dict[str, str] = {}
    original = registry._add

    def add(name: str, made: Any) -> None:
        at: Any = sys._getframe(1)
        while at is not None and not _is_home(at.f_globals.get("__name__", "")):
            at = at.f_back
        if at is not None:
            found[name] = at.f_globals["__name__"]
        original(name, made)

    registry._add = add
    registry.load()
    return found


def _is_home(name: str) -> bool:
    return name.count(".") == 3 and name.startswith("semrep.passes.")


def rewrites(task: Task) -> list[dict[str, Any]]:
    """What the passes make of the programs: every site alone, and each pass to its end. A pass
    that fails on a program makes nothing of it. Errors at import are told as one row."""
    install(task.module, task.source)
    try:
        for home in sorted(task.homes):
            importlib.import_module(home)
        registry.load = lambda: None  # type: ignore[assignment]
    except Exception as error:
        return [{"broken": f"{type(error).__name__}: {error}"[:200]}]
    found: list[dict[str, Any]] = []
    for spec, index in task.pairs:
        found += _of_pair(spec, index, task.modules[index])
    return found


def executed(task: Task) -> list[int]:
    """Lines of the task's module that run when its passes do their work."""
    wanted = str(path_of(task.module))
    lines: set[int] = set()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename != wanted:
            return None
        if event == "line":
            lines.add(frame.f_lineno)
        return trace

    sys.settrace(trace)
    try:
        rewrites(task)
    finally:
        sys.settrace(None)
    return sorted(lines)


def _of_pair(spec: str, index: int, module: Module) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []

    def add(text: bytes, contract: Any) -> None:
        if text != module.source:
            rows.append({
                "spec": spec, "subject": index, "text": text.decode("utf-8", "surrogateescape"),
                "numerics": contract.numerics.name, "assumes": sorted(contract.assumes),
                "preserves": sorted(contract.preserves),
            })  # fmt: skip

    try:
        (pass_,) = Pipeline.parse(spec).passes
        for site in list(pass_.sites(module))[:_MOST_SITES]:
            try:
                done = step(module, pass_, site)
            except Exception:
                try:
                    add(module.apply(pass_.rewrite(module, site)).source, pass_.contract)  # type: ignore[arg-type]
                except Exception:
                    continue
                continue
            if isinstance(done, tuple):
                add(done[0].source, done[1].contract)
        trace = PassManager(max_steps=_MOST_STEPS).run(module, [pass_])
        add(trace.after.source, trace.contract)
    except Exception:
        return rows
    return rows
