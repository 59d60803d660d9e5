"""All passes by name: those in this package's folders, and those of other packages.

A pass registers itself when its file is imported. Files are found by scanning the family
folders; other distributions name modules in the entry-point group `semrep.passes`.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from importlib.metadata import entry_points
from typing import TypeVar

from semrep.passes.base import Pass

FAMILIES = ("canonical", "scalar", "loop", "array", "tensor", "triton", "cuda")
ENTRY_POINT_GROUP = "semrep.passes"

_passes: dict[str, Pass | type[Pass]] = {}

P = TypeVar("P", bound=type[Pass])


class UnknownPass(LookupError):
    """No pass of that name is registered; the message suggests the nearest ones."""


def register(cls: P) -> P:
    """Class decorator: makes a pass known under its `name`. Raises ValueError on a second
    pass of the same name, or one without a family (set from the folder) or summary."""
    if not cls.family:
        package = cls.__module__.split(".")
        cls.family = package[2] if package[:2] == ["semrep", "passes"] else package[0]
    if not getattr(cls, "summary", ""):
        cls.summary = (cls.__doc__ or "").strip().split("\n")[0]
    _add(cls.name, cls)
    return cls


def register_instance(instance: Pass) -> Pass:
    """Makes one pass object known under its `name`: for rules, which share one class."""
    _add(instance.name, instance)
    return instance


def _add(name: str, found: Pass | type[Pass]) -> None:
    known = _passes.get(name)
    if known is not None and known is not found:
        raise ValueError(f"two passes are named {name!r}")
    _passes[name] = found


@functools.cache
def load() -> None:
    """Import every family folder and every plug-in, once."""
    package = importlib.import_module("semrep.passes")
    for family in FAMILIES:
        try:
            folder = importlib.import_module(f"{package.__name__}.{family}")
        except ModuleNotFoundError as error:
            if error.name == f"{package.__name__}.{family}":
                continue
            raise
        for info in sorted(pkgutil.iter_modules(folder.__path__), key=lambda i: i.name):
            importlib.import_module(f"{folder.__name__}.{info.name}")
    for point in entry_points(group=ENTRY_POINT_GROUP):
        point.load()


def all_passes() -> tuple[Pass, ...]:
    """Every pass with its default options, ordered by family, then name."""
    load()
    made = [p if isinstance(p, Pass) else p() for p in _passes.values()]
    order = {family: n for n, family in enumerate(FAMILIES)}
    return tuple(sorted(made, key=lambda p: (order.get(p.family, len(order)), p.family, p.name)))


def find(name: str) -> Pass | type[Pass]:
    """The pass of a name: a class (which takes options) or an instance (which has none).
    Raises UnknownPass."""
    load()
    if name not in _passes:
        import difflib

        near = difflib.get_close_matches(name, _passes, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else "; see --list-passes"
        raise UnknownPass(f"no pass is named {name!r}{hint}")
    return _passes[name]
