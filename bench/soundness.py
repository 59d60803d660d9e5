"""Hunts for rewrites that change what a program does.

Takes functions of the installed standard library, NumPy functions and random programs; rewrites
their modules by random pipelines of all registered passes that promise bitwise results; runs
both versions on odd inputs; and traces each difference back to the step that made it.

    python -m bench.soundness --pipelines 2000 --functions 200 --seed 0
"""

from __future__ import annotations

import argparse
import collections
import difflib
import itertools
import os
import random
import tempfile
import time
import types
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from bench.array_functions import SOURCE as ARRAY_SOURCE
from bench.library_functions import Subject, any_value, library_subjects
from bench.outcomes import Outcome, Probe, observe
from bench.random_programs import random_program
from semrep.ir.module import Module
from semrep.passes import registry
from semrep.passes.base import Pass, Refusal, Site
from semrep.passes.contract import Numerics
from semrep.passes.manager import BrokenEdit, step
from semrep.passes.pipeline import parse_pass

_INPUTS = 10
_VARIANTS = (
    "unroll-loop{limit=6 max-lines=60}", "unroll-loop{factor=2}",
    "eliminate-common-subexpressions{min-operations=1}",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """subject, function: what was run. step: the first step after which it differs.
    before, after: text of the module around that step."""

    subject: str
    function: str
    step: str
    arguments: str
    expected: str
    found: str
    before: str
    after: str

    @property
    def pass_name(self) -> str:
        return self.step.partition("@")[0].partition("{")[0]

    def __str__(self) -> str:
        changed = "\n".join(
            difflib.unified_diff(
                self.before.splitlines(), self.after.splitlines(), lineterm="", n=4
            )
        )
        return (
            f"{self.subject}.{self.function}: {self.step}\n  arguments {self.arguments[:300]}\n"
            f"  expected {self.expected[:400]}\n  found    {self.found[:400]}\n{changed}"
        )


@dataclass(slots=True)
class Report:
    functions: int = 0
    executable: int = 0
    """Functions of which at least one call came back with a value."""
    pipelines: int = 0
    steps: int = 0
    refused: int = 0
    calls: int = 0
    by_pass: collections.Counter[str] = field(default_factory=collections.Counter)
    differences: list[Difference] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        lines = [
            f"{self.functions} functions ({self.executable} of them gave values), "
            f"{self.pipelines} pipelines, {self.steps} steps, {self.refused} refusals, "
            f"{self.calls} calls, {len(self.differences)} differences, {self.seconds:.0f} s"
        ]
        lines += [f"  {n:6} {name}" for name, n in self.by_pass.most_common()]
        lines += [f"\n{d}" for d in self.differences]
        return "\n".join(lines)


def bitwise_passes() -> tuple[Pass, ...]:
    """Every registered pass that promises the same bits, and some with other options."""
    found = [p for p in registry.all_passes() if p.contract.numerics is Numerics.BITWISE]
    names = {p.name for p in found}
    for spec in _VARIANTS:
        name, _, options = spec.partition("{")
        if name in names:
            found.append(parse_pass(name, options.removesuffix("}")))
    return tuple(found)


def subjects(seed: int, functions: int) -> list[Subject]:
    """Half of the functions from the library, the others random programs and NumPy code."""
    rng = random.Random(seed)
    found = library_subjects(rng, max(functions // 2, 1), _INPUTS)
    found.append(_array_subject(rng))
    missing = functions - sum(len(s.functions) for s in found)
    for index in range(max(missing, functions // 3)):
        arguments = tuple(_program_arguments(rng) for _ in range(_INPUTS))
        source = random_program(seed * 100_000 + index)
        found.append(Subject(f"random{index}", source, ("f",), {"f": arguments}))
    return found


def _array_subject(rng: random.Random) -> Subject:
    import numpy

    names = [
        line.partition("(")[0].removeprefix("def ")
        for line in ARRAY_SOURCE.splitlines()
        if line.startswith("def ") and "(a, b)" in line
    ]

    def array() -> object:
        size = rng.choice((1, 2, 3, 5))
        pool = (0.0, -0.0, 1.0, -2.5, 3.0, 1e300, float("nan"), float("inf"), 1e-300)
        values = [rng.choice(pool[: rng.choice((5, 9))]) for _ in range(size)]
        if rng.random() < 0.3:
            return numpy.array([int(v) if abs(v) < 9 else 0 for v in values])
        return numpy.array(values, dtype=rng.choice(("float64", "float32")))

    arguments: dict[str, tuple[tuple[object, ...], ...]] = {
        n: tuple((array(), array()) for _ in range(_INPUTS)) for n in names
    }
    return Subject("arrays", ARRAY_SOURCE, tuple(names), arguments)


def _program_arguments(rng: random.Random) -> tuple[object, ...]:
    numbers = (0, 1, 2, 3, -1, 0.5, -0.0, True, float("nan"), float("inf"), 10**400)
    if rng.random() < 0.5:
        a, b = rng.choice(numbers), rng.choice(numbers)
        return a, b, [rng.choice(numbers[:8]) for _ in range(rng.choice((0, 1, 2, 3, 5)))]
    if rng.random() < 0.5:
        return Probe("a", 1), Probe("b", 0), [Probe("x", 2)] * rng.choice((0, 1, 3))
    return any_value(rng), any_value(rng), [any_value(rng) for _ in range(rng.choice((0, 2, 4)))]


class Runner:
    """Runs the functions of one subject, in any version of its text."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.calls = 0
        self.expected: dict[str, list[Outcome]] = {}
        original = self.load(subject.source)
        again = self.load(subject.source)
        for name in subject.functions:
            function, other = getattr(original, name, None), getattr(again, name, None)
            if not callable(function) or not callable(other):
                continue
            first = list(self._outcomes(function, name))
            # What does not agree with itself (addresses, time, state) proves nothing.
            second = list(self._outcomes(other, name))
            self.expected[name] = [
                a if a == b else Outcome("timeout", None, None, "", ())
                for a, b in zip(first, second, strict=True)
            ]

    def load(self, source: str) -> types.ModuleType:
        """The text as a module of its own, apart from the imported one."""
        module = types.ModuleType(self.subject.name)
        module.__file__ = f"<{self.subject.name}>"
        module.__package__ = self.subject.package
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(source, module.__file__, "exec"), module.__dict__)
        return module

    def _outcomes(self, function: Callable[..., object], name: str) -> Iterator[Outcome]:
        for arguments in self.subject.arguments[name]:
            self.calls += 1
            yield observe(function, arguments)

    def difference(self, source: str, names: Iterable[str]) -> tuple[str, str, str, str] | None:
        """(function, arguments, expected, found) of the first call that comes out otherwise."""
        try:
            module = self.load(source)
        except Exception as error:
            return "<module>", "", "a module", f"{type(error).__name__}: {error}"
        for name in names:
            function = getattr(module, name, None)
            if name not in self.expected:
                continue
            if not callable(function):
                return name, "", "a function", repr(function)
            for arguments, expected in zip(
                self.subject.arguments[name], self.expected[name], strict=True
            ):
                if expected.kind == "timeout":
                    continue
                self.calls += 1
                found = observe(function, arguments)
                if found.kind == "timeout":
                    found = observe(function, arguments, 5.0)
                if found != expected:
                    return name, repr(arguments), str(expected), str(found)
        return None


def rewrite_at_random(
    module: Module,
    passes: tuple[Pass, ...],
    names: tuple[str, ...],
    rng: random.Random,
    steps: int,
    report: Report,
) -> Iterator[tuple[Site, Module]]:
    """Random legal steps, mostly in the functions that will be run. Yields each site with the
    module it led to; a step that breaks the syntax yields it, too."""
    for _ in range(steps * 4):
        if not steps:
            return
        pass_ = rng.choice(passes)
        sites = list(pass_.sites(module))
        if not sites:
            continue
        spans = [p.span for n in names if (p := module.function(n)) is not None]
        inside = [s for s in sites if any(span.contains(s.span) for span in spans)]
        pool = inside if inside and rng.random() < 0.85 else sites
        for site in rng.sample(pool, min(3, len(pool))):
            try:
                result = step(module, pass_, site)
            except BrokenEdit:
                yield site, module.apply(pass_.rewrite(module, site))  # type: ignore[arg-type]
                return
            if isinstance(result, Refusal):
                report.refused += 1
                continue
            module = result[0]
            report.steps += 1
            report.by_pass[pass_.name] += 1
            steps -= 1
            yield site, module
            break


def run(pipelines: int = 2000, functions: int = 200, seed: int = 0, seconds: float = 1e9) -> Report:
    """Rewrite and compare. Stops early after `seconds`. The same seed gives the same report."""
    started = time.monotonic()
    report = Report()
    rng = random.Random(seed)
    passes = bitwise_passes()
    where = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            runners = [Runner(s) for s in subjects(seed, functions)]
            report.functions = sum(len(r.expected) for r in runners)
            report.executable = sum(
                any(o.kind == "value" for o in found)
                for r in runners
                for found in r.expected.values()
            )
            modules = [Module.from_text(r.subject.source, f"{r.subject.name}.py") for r in runners]
            for index in range(pipelines):
                if time.monotonic() - started > seconds:
                    break
                report.pipelines += 1
                at = rng.randrange(len(runners))
                own = random.Random(f"{seed}/{index}")
                found = _hunt(runners[at], modules[at], passes, own, report)
                if found is not None:
                    report.differences.append(found)
        finally:
            os.chdir(where)
    report.calls = sum(r.calls for r in runners)
    report.seconds = time.monotonic() - started
    return report


def _hunt(
    runner: Runner, module: Module, passes: tuple[Pass, ...], rng: random.Random, report: Report
) -> Difference | None:
    """One pipeline on one module; the first step that made a difference, if one did."""
    names = tuple(rng.sample(sorted(runner.expected), min(6, len(runner.expected))))
    history: list[tuple[str, Module]] = [("", module)]
    for site, after in rewrite_at_random(module, passes, names, rng, rng.randint(4, 16), report):
        history.append((f"{site.pass_spec}@{site.span}", after))
    changed = _changed_functions(module, history[-1][1], runner)
    if len(history) == 1 or runner.difference(history[-1][1].text, changed) is None:
        return None
    for (_, before), (label, after) in itertools.pairwise(history):
        found = runner.difference(after.text, changed)
        if found is not None:
            function, arguments, expected, got = found
            return Difference(
                runner.subject.name, function, label, arguments, expected, got,
                before.text, after.text,
            )  # fmt: skip
    raise AssertionError("a difference that went away again")


def _changed_functions(before: Module, after: Module, runner: Runner) -> tuple[str, ...]:
    """Functions whose text changed; all, where helpers, classes or statements changed."""
    old = {p.unit.qualified_name: p.unit.source for p in before.units if p.unit.name}
    new = {p.unit.qualified_name: p.unit.source for p in after.units if p.unit.name}
    names = {n for n in new if old.get(n) != new[n]}
    known = [n for n in sorted(runner.expected) if n in names]
    others = len(names) > len(known) or len(before.units) != len(after.units)
    return tuple(sorted(runner.expected)) if others else tuple(known)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pipelines", type=int, default=2000)
    parser.add_argument("--functions", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=1e9)
    arguments = parser.parse_args()
    report = run(arguments.pipelines, arguments.functions, arguments.seed, arguments.seconds)
    print(report)
    return 1 if report.differences else 0


if __name__ == "__main__":
    raise SystemExit(main())
