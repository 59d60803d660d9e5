"""Does a file come through unharmed: as it is, and after each canonical pass?

`check` looks at one file in this process; `check_all` at many, in killable workers.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import signal
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import FrameType

from bench.corpus import File
from semrep.ir.module import Module
from semrep.ir.text import EditSet
from semrep.passes import registry
from semrep.passes.base import Pass, Refusal, Site
from semrep.passes.manager import PassManager

_FILE_LIMIT_S = 240
_SHARE_OF_FRESH_PARSES = 20
_FIXED_POINT_STEPS = 400


@dataclass(frozen=True, slots=True)
class Failure:
    """pass_name: "" where the file failed as it is."""

    file: str
    pass_name: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}: {self.pass_name or 'as it is'}: {self.what}"


@dataclass(slots=True)
class FileReport:
    size: int = 0
    accepted: bool = False
    """Python compiled the original."""
    rewritable: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    """By stage (`parse`, `units`) and by pass."""
    sites: Counter[str] = field(default_factory=Counter)
    edits: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)


def canonical_passes() -> tuple[Pass, ...]:
    """Those left out of wildcards, too."""
    return tuple(p for p in registry.all_passes() if p.family == "canonical")


def check(file: File, fixed_point: bool = False) -> FileReport:
    """Everything but a timeout. fixed_point: run each pass to its end instead of one sweep."""
    report = FileReport()
    source = file.read()
    report.size = len(source)
    report.accepted = accepts(source)
    fail = _Reporter(file.label, report)
    started = time.process_time()
    module = Module.from_text(source, file.label)
    module.tree  # noqa: B018
    parsed = time.process_time()
    units = module.units
    for placed in units:
        placed.unit.root  # noqa: B018
    report.seconds["parse"] = parsed - started
    report.seconds["units"] = time.process_time() - parsed
    report.rewritable = module.is_rewritable
    for what in _broken_bytes(module, source):
        fail("", what)
    module.environment  # noqa: B018
    for pass_ in canonical_passes():
        try:
            if fixed_point:
                _check_fixed_point(module, pass_, report, fail)
            else:
                _check_sweep(module, pass_, report, fail)
        except _OutOfTime:
            raise
        except Exception as error:
            fail(pass_.name, f"{type(error).__name__}: {error}")
    return report


def accepts(source: bytes) -> bool:
    """Whether CPython compiles a text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(source, "<text>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
            return False
    return True


def _broken_bytes(module: Module, source: bytes) -> Iterator[str]:
    if module.source != source:
        yield "the module's bytes are not the file's"
    if module.text.encode("utf-8", "surrogateescape") != source:
        yield "the module's text does not encode to the file's bytes"
    for placed in module.units:
        unit = placed.unit
        if source[placed.start : placed.span.end] != unit.source:
            yield f"the bytes of {unit} are not the file's"
        if (unit.root.start, unit.root.end) != (0, len(unit.source)):
            yield f"the tree of {unit} does not cover it"


class _Reporter:
    def __init__(self, label: str, report: FileReport) -> None:
        self.label = label
        self.report = report

    def __call__(self, pass_name: str, what: str) -> None:
        self.report.failures.append(Failure(self.label, pass_name, what[:400]))


def _check_sweep(
    module: Module, pass_: Pass, report: FileReport, fail: Callable[[str, str], None]
) -> None:
    """Act at as many sites as do not touch, all at once."""
    started = time.process_time()
    chosen: list[tuple[Site, EditSet]] = []
    for site in pass_.sites(module):
        report.sites[pass_.name] += 1
        try:
            result = pass_.rewrite(module, site)
        except RecursionError:
            continue  # the manager makes this a refusal, too
        if not isinstance(result, Refusal) and result:
            chosen.append((site, result))
    report.seconds[pass_.name] = time.process_time() - started
    kept = disjoint(chosen)
    report.edits[pass_.name] += len(kept)
    if not kept:
        return
    edits = EditSet(e for _, one in kept for e in one)
    wrong = _wrong(module, edits, report.accepted, f"{module.path}{pass_.name}")
    if wrong is None:
        return
    for site, one in kept:
        alone = _wrong(module, one, report.accepted, "")
        if alone is not None:
            line = module.location(site.span).line
            fail(pass_.name, f"line {line}: {alone} after {one}")
            return
    # Sites of one pass may build on each other: then only its own order of work counts.
    _check_fixed_point(module, pass_, report, fail)


def _check_fixed_point(
    module: Module, pass_: Pass, report: FileReport, fail: Callable[[str, str], None]
) -> None:
    started = time.process_time()
    trace = PassManager(max_steps=_FIXED_POINT_STEPS).run(module, [pass_])
    report.seconds[f"fixed point of {pass_.name}"] = time.process_time() - started
    report.edits[f"fixed point of {pass_.name}"] += len(trace.steps)
    if report.accepted and trace.changed and not accepts(trace.after.source):
        current = module
        for done in trace.steps:
            following = Module.from_text(done.edits.apply(current.source), module.path)
            if not accepts(following.source):
                line = current.location(done.site.span).line
                fail(pass_.name, f"step at line {line}: Python rejects it after {done.edits}")
                return
            current = following


def _wrong(module: Module, edits: EditSet, accepted: bool, key: str) -> str | None:
    """What is wrong with the module after edits. key: decides whether an incremental parse is
    compared with a fresh one."""
    after = module.apply(edits)
    if edits.inverse(module.source).apply(after.source) != module.source:
        return "bytes outside the edits changed"
    if after.tree.root_node.has_error and not module.tree.root_node.has_error:
        return "new syntax error"
    if accepted and not accepts(after.source):
        return "Python rejects the text"
    if key and zlib.crc32(key.encode()) % _SHARE_OF_FRESH_PARSES == 0:
        fresh = Module(after.source, after.language, after.path)
        if str(fresh.tree.root_node) != str(after.tree.root_node):
            return "the incremental parse differs from a fresh one"
    return None


def disjoint(chosen: Sequence[tuple[Site, EditSet]]) -> list[tuple[Site, EditSet]]:
    """The first of every two whose edits touch; in source order."""
    kept: list[tuple[Site, EditSet]] = []
    end = -1
    for site, edits in sorted(chosen, key=lambda c: c[1].edits[0].span.start):
        if edits.edits[0].span.start > end:
            kept.append((site, edits))
            end = edits.edits[-1].span.end
    return kept


# -- many files -----------------------------------------------------------------------------


class _OutOfTime(BaseException):
    """Not an Exception: a pass must not swallow it."""


def _raise(signum: int, frame: FrameType | None) -> None:
    raise _OutOfTime


def _check_in_time(file: File, fixed_point: bool) -> FileReport:
    signal.signal(signal.SIGALRM, _raise)
    signal.alarm(_FILE_LIMIT_S)
    try:
        return check(file, fixed_point)
    except _OutOfTime:
        return FileReport(failures=[Failure(file.label, "", f"not done in {_FILE_LIMIT_S} s")])
    finally:
        signal.alarm(0)


def check_all(
    files: Sequence[File],
    fixed_point: bool = False,
    processes: int = 2,
    deadline: float = float("inf"),
    progress: Callable[[int, int], None] = lambda done, all_: None,
) -> dict[str, FileReport]:
    """Reports by label. A file that kills its worker is a failure of that file. Files that are
    not begun before `deadline` (of time.monotonic) are left out."""
    reports: dict[str, FileReport] = {}
    # Large files first, so that no worker is left alone with one at the end.
    waiting = sorted(files, key=lambda f: -f.path.stat().st_size)
    suspects: list[File] = []
    while waiting:
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(processes, mp_context=context) as pool:
            running: dict[concurrent.futures.Future[FileReport], File] = {}
            broken = False
            while (waiting or running) and not broken:
                while waiting and len(running) < 2 * processes and time.monotonic() < deadline:
                    file = waiting.pop(0)
                    running[pool.submit(_check_in_time, file, fixed_point)] = file
                if not running:
                    waiting = []
                    break
                done, _ = concurrent.futures.wait(
                    running, return_when=concurrent.futures.FIRST_COMPLETED
                )
                for future in done:
                    file = running.pop(future)
                    try:
                        reports[file.label] = future.result()
                    except concurrent.futures.process.BrokenProcessPool:
                        broken = True
                        suspects.append(file)
                        continue
                    progress(len(reports), len(files))
            suspects.extend(running.values())
        if broken and processes == 1 and suspects:
            culprit = suspects.pop(0)
            what = "killed its worker process"
            reports[culprit.label] = FileReport(failures=[Failure(culprit.label, "", what)])
        if broken:
            # One at a time from here on tells which file it was.
            processes = 1
            waiting = suspects + waiting
            suspects = []
    return reports
