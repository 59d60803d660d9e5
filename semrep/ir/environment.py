"""Names at module level: what they stand for, and whether that can change.

A name is *stable* when the module binds it once, at top level and unconditionally, and no
function rebinds it through `global`. What other modules do to this module's globals is not
visible here: semrep assumes that nobody patches them from outside.
"""

from __future__ import annotations

import builtins
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from semrep.ir.scopes import scopes
from semrep.ir.tree import Node, collector_paused
from semrep.ir.unit import FUNCTION, STATEMENT, Unit

if TYPE_CHECKING:
    from semrep.ir.module import Module

BUILTINS = frozenset(dir(builtins))


@dataclass(frozen=True, slots=True)
class Global:
    """path: the dotted path that an import gives the name, or None.
    kind: `import`, `function`, `class` or `value`."""

    name: str
    kind: str
    path: str | None
    is_stable: bool


@dataclass(frozen=True, slots=True)
class _Summary:
    """What one unit does to the module's names."""

    bound: tuple[tuple[str, str, str | None, bool], ...]  # name, kind, path, unconditional
    rebound: frozenset[str]
    has_star_import: bool
    is_dynamic: bool


class Environment:
    """names: every name bound at module level. libraries: the packages that they come from.
    key: changes exactly when a fact here does."""

    __slots__ = ("has_star_import", "is_dynamic", "key", "libraries", "names")

    def __init__(self, names: dict[str, Global], has_star_import: bool, is_dynamic: bool) -> None:
        self.names = names
        self.has_star_import = has_star_import
        self.is_dynamic = is_dynamic
        self.libraries = frozenset(g.path.partition(".")[0] for g in names.values() if g.path)
        facts = "|".join(
            f"{g.name},{g.kind},{g.path},{g.is_stable}" for g in sorted(names.values(), key=_name)
        )
        self.key = hashlib.sha256(
            f"{facts}|{has_star_import}|{is_dynamic}".encode("utf-8", "surrogateescape")
        ).hexdigest()

    @classmethod
    def of(cls, module: Module) -> Environment:
        bound: dict[str, list[tuple[str, str | None, bool]]] = {}
        rebound: set[str] = set()
        star = dynamic = False
        with collector_paused():
            summaries = [_summary(placed.unit) for placed in module.units]
        for summary in summaries:
            for name, kind, path, unconditional in summary.bound:
                bound.setdefault(name, []).append((kind, path, unconditional))
            rebound |= summary.rebound
            star = star or summary.has_star_import
            dynamic = dynamic or summary.is_dynamic
        names: dict[str, Global] = {}
        for name, ways in bound.items():
            kind, path, unconditional = ways[0]
            same = all(way == ways[0] for way in ways) and (kind == "import" or len(ways) == 1)
            stable = same and unconditional and name not in rebound and not dynamic
            names[name] = Global(name, kind, path if same else None, stable)
        for name in rebound - names.keys():
            names[name] = Global(name, "value", None, False)
        return cls(names, star, dynamic)

    def is_builtin(self, name: str) -> bool:
        """True where a global load of `name` can only mean Python's own."""
        return (
            name in BUILTINS
            and name not in self.names
            and not self.has_star_import
            and not self.is_dynamic
        )

    def is_defined(self, name: str) -> bool:
        """True where loading the global cannot raise NameError once the module is imported."""
        found = self.names.get(name)
        return self.is_builtin(name) or (found is not None and found.is_stable)

    def path_of(self, unit: Unit, node: Node) -> str | None:
        """The dotted path that a name or attribute chain stands for (`np.linalg.norm` →
        "numpy.linalg.norm", `len` → "builtins.len"); None where it is no stable import or
        builtin."""
        attributes: list[str] = []
        node = node.unparenthesized
        while node.kind == "attribute":
            attributes.append(node["attribute"].text)
            node = node["object"].unparenthesized
        if node.kind != "identifier":
            return None
        binding = scopes(unit).binding(node)
        if binding is None:
            return None
        base: str | None
        if binding.is_global:
            found = self.names.get(binding.name)
            if found is not None:
                base = found.path if found.is_stable else None
            else:
                base = f"builtins.{binding.name}" if self.is_builtin(binding.name) else None
        else:
            base = binding.imports
        if base is None:
            return None
        return ".".join([base, *reversed(attributes)])

    def is_builtin_call(self, unit: Unit, call: Node, *names: str) -> bool:
        """True where a `call` node calls one of Python's own functions."""
        function = call.child("function")
        if function is None or function.kind != "identifier" or function.text not in names:
            return False
        return self.path_of(unit, function) == f"builtins.{function.text}"


def _name(g: Global) -> str:
    return g.name


_KINDS = {"function_definition": "function", "class_definition": "class"}


# Without one of these, a definition does nothing to the module's names but bind its own.
_REACHES_OUT = re.compile(rb"global|exec|eval|__builtins__|:=|import\s*\*")


def _summary(unit: Unit) -> _Summary:
    return unit.fact("module-names", lambda: _of_definition(unit) or _summarise(unit))


def _of_definition(unit: Unit) -> _Summary | None:
    """The summary of a function or class that can be told from its text alone."""
    if unit.kind == STATEMENT or not unit.name or unit.is_broken:
        return None
    if _REACHES_OUT.search(unit.source):
        return None
    kind = "function" if unit.kind == FUNCTION else "class"
    bound = () if unit.classes else ((unit.name, kind, None, True),)
    return _Summary(bound, frozenset(), False, False)


def _summarise(unit: Unit) -> _Summary:
    tree = scopes(unit)
    bound: list[tuple[str, str, str | None, bool]] = []
    rebound: set[str] = set()
    for name, binding in tree.globals.items():
        for store in binding.stores:
            at_top = tree.function_of(store) is None and not _in_class(store)
            if not at_top:
                rebound.add(name)
                continue
            kind = _KINDS.get(store.parent.kind if store.parent else "", "value")
            if binding.imports is not None:
                kind = "import"
            bound.append((name, kind, binding.imports, _is_unconditional(unit, store)))
        if binding.deletes:
            rebound.add(name)
    dynamic = any(
        name in tree.globals and tree.globals[name].loads
        for name in ("exec", "globals", "__builtins__", "eval")
    )
    return _Summary(tuple(bound), frozenset(rebound), tree.has_star_import, dynamic)


def _in_class(store: Node) -> bool:
    holder = store.enclosing("class_definition")
    return holder is not None and store is not holder.child("name")


def _is_unconditional(unit: Unit, store: Node) -> bool:
    if unit.kind != STATEMENT:
        return True
    return unit.root.kind in (
        "import_statement", "import_from_statement", "expression_statement",
    )  # fmt: skip
