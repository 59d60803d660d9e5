"""Runs autotuned kernels under a chosen configuration, for there is nothing to time here.

    with configuration(0) as tuned: call()
    for k in range(1, tuned.count):
        with configuration(k): call()

Pruning, keys, `reset_to_zero`, `restore_value`, heuristics and pre-hooks work as they do with
a device, except that configurations are not tried out before one is chosen: a kernel that
adds to an argument which nothing resets is run once, not once for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from semrep.runtime.triton.regions import KernelFault


class StaticAssertion(KernelFault, AssertionError):
    """tl.static_assert does not hold. An autotuner leaves such a configuration out."""


@dataclass(slots=True)
class Tuned:
    """What ran: for each autotuned kernel how many configurations it has after pruning, the
    most where that differs between its calls, and the one that was chosen last."""

    index: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    chosen: dict[str, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many indices differ from one another for some kernel that ran; at least 1."""
        return max(self.counts.values(), default=1)


_tuned = Tuned()
_generation = 0


@contextmanager
def configuration(index: int) -> Iterator[Tuned]:
    """Every autotuner uses its configuration number `index`, modulo how many it has.

    0, the first after pruning, is what runs outside of this.
    """
    global _tuned, _generation
    before = _tuned
    _tuned = Tuned(index)
    _generation += 1
    try:
        yield _tuned
    finally:
        _tuned = before
        _generation += 1


def install(autotuner: type[Any]) -> None:
    """Replaces the autotuner's timing by the choice."""
    run, prune = autotuner.run, autotuner.prune_configs
    autotuner._semrep_shift = 0

    def choosing_run(self: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(self, "_semrep_generation", 0) != _generation:
            self._semrep_generation = _generation
            self.cache.clear()
        if len(self.configs) == 1:
            _note(self, self.configs)
        for shift in range(len(self.configs)):
            self._semrep_shift = shift
            try:
                return run(self, *args, **kwargs)
            except StaticAssertion:
                # To the compiler this configuration does not exist.
                if shift + 1 == len(self.configs):
                    raise
                self.cache.clear()
        return None

    def prune_configs(self: Any, kwargs: Any) -> list[Any]:
        """The chosen configuration first, which the timing below then takes."""
        configs = list(prune(self, kwargs))
        _note(self, configs, self._semrep_shift)
        first = (_tuned.index + self._semrep_shift) % len(configs)
        self._semrep_timed = 0
        return configs[first:] + configs[:first]

    def do_bench(self: Any, kernel_call: Any, quantiles: Any = None) -> list[float]:
        self._semrep_timed = getattr(self, "_semrep_timed", 0) + 1
        return [float(self._semrep_timed)] * 3

    autotuner.run, autotuner.prune_configs, autotuner.do_bench = (
        choosing_run,
        prune_configs,
        do_bench,
    )


def _note(autotuner: Any, configs: list[Any], shift: int = 0) -> None:
    name = autotuner.base_fn.__name__
    _tuned.counts[name] = max(_tuned.counts.get(name, 1), len(configs))
    _tuned.chosen[name] = str(configs[(_tuned.index + shift) % len(configs)])


def static_assert(condition: Any, message: Any = "") -> None:
    if not condition:
        raise StaticAssertion(str(message))
