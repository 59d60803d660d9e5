"""What names and attributes stand for while a function is walked, and what mutation does to it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from semrep.ir.values import OPAQUE, Binding, Definition, Environment, Value

EXTERNAL = 0
"""The storage of everything that comes from outside: arguments may alias each other, and
attributes, so they share one."""


@dataclass(slots=True)
class State:
    """names: bindings. attributes: loaded attribute paths; the dictionary is shared between
    snapshots until something may have changed an attribute. leaked: storages that unknown code
    can reach. terminated: control never gets here."""

    names: dict[str, Binding] = field(default_factory=dict)
    attributes: dict[str, Value] = field(default_factory=dict)
    leaked: frozenset[int] = frozenset({EXTERNAL})
    terminated: bool = False
    stale: bool = False
    """The settings of layers may no longer be those of the signature (`self.eval()`)."""

    def copy(self) -> State:
        return State(dict(self.names), self.attributes, self.leaked, self.terminated, self.stale)

    def snapshot(self) -> Environment:
        return Environment(dict(self.names), self.attributes)

    def assign(self, name: str, value: Value, definition: Definition | None) -> None:
        definitions = frozenset({definition}) if definition is not None else frozenset()
        self.names[name] = Binding(value, definitions, self.names.get(name))
        if any(path.startswith(name + ".") for path in self.attributes):
            kept = {p: v for p, v in self.attributes.items() if not p.startswith(name + ".")}
            self.attributes = kept

    def mutate(self, storages: frozenset[int], fresh: Fresh, keep: str | None = None) -> list[str]:
        """Everything that may share one of these storages now holds something else. keep: the
        name whose binding the caller sets itself. Returns the names and paths that changed."""
        changed: list[str] = []
        renewed: dict[int, Value] = {}

        def renew(value: Value) -> Value:
            if not value.storage & storages:
                return value
            if id(value) not in renewed:
                renewed[id(value)] = fresh(value)
            return renewed[id(value)]

        def renew_binding(binding: Binding) -> Binding:
            previous = binding.previous
            if previous is not None:
                previous = renew_binding(previous)
                if previous.value is not binding.previous.value:  # type: ignore[union-attr]
                    previous = None  # what the name meant before is gone for good
            value = renew(binding.value)
            if value is binding.value and previous is binding.previous:
                return binding
            return replace(binding, value=value, previous=previous)

        for name, binding in list(self.names.items()):
            new = renew_binding(binding)
            if new is not binding:
                self.names[name] = new
                if new.value is not binding.value and name != keep:
                    changed.append(name)
        hit = [p for p, v in self.attributes.items() if v.storage & storages]
        if hit:
            self.attributes = {p: renew(v) for p, v in self.attributes.items()}
            changed.extend(hit)
        return changed

    def forget_attributes(self, last: str | None = None) -> None:
        """Attribute loads give something new from here on: all, or those that end in a name."""
        if last is None:
            self.attributes = {}
        else:
            self.attributes = {
                p: v for p, v in self.attributes.items() if last not in p.split(".")[1:]
            }


class Fresh:
    """Makes the value that stands for another one after a mutation."""

    def __init__(self, keep_type: bool, label: str) -> None:
        self.keep_type = keep_type
        self.label = label

    def __call__(self, old: Value) -> Value:
        return Value(
            OPAQUE,
            type=old.type if self.keep_type else None,
            storage=old.storage,
            framework=old.framework,
            label=self.label,
            is_array=old.is_array and self.keep_type,
        )


def join(states: list[State]) -> State:
    """The state where several paths meet: what they agree on stays, the rest is opaque."""
    alive = [s for s in states if not s.terminated]
    if not alive:
        result = (states[0] if states else State()).copy()
        result.terminated = True
        return result
    result = alive[0].copy()
    for other in alive[1:]:
        result.leaked |= other.leaked
        result.stale = result.stale or other.stale
        for name in list(result.names.keys() | other.names.keys()):
            ours, theirs = result.names.get(name), other.names.get(name)
            if ours is theirs:
                continue
            result.names[name] = _merge(ours, theirs)
        if result.attributes is not other.attributes:
            result.attributes = {
                p: v for p, v in result.attributes.items() if other.attributes.get(p) is v
            }
    return result


def _merge(a: Binding | None, b: Binding | None) -> Binding:
    definitions: frozenset[Definition] = frozenset()
    storage: frozenset[int] = frozenset()
    values = [x.value for x in (a, b) if x is not None]
    for binding in (a, b):
        if binding is not None:
            definitions |= binding.definitions
            storage |= binding.value.storage
    if len(values) == 2 and values[0] is values[1]:
        return Binding(values[0], definitions)
    same_type = len(values) == 2 and values[0].type == values[1].type
    first = values[0]
    merged = Value(
        OPAQUE,
        type=first.type if same_type else None,
        storage=storage,
        framework=first.framework if same_type else None,
        label="depends on the path taken",
        is_array=same_type and first.is_array,
    )
    return Binding(merged, definitions)
