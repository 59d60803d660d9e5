"""What a loop or comprehension takes, in each iteration, of the first dimension of jax arrays.

`for i in range(x.shape[0])` with `x[i]`, `for row in x`, `for a, b in zip(x, y)`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from semrep.ir.emit import fresh_name
from semrep.ir.scopes import Binding
from semrep.ir.tree import Node
from semrep.passes.array.counted import Unproven
from semrep.passes.array.traced_types import Traced
from semrep.passes.array.tracing import Tracing
from semrep.passes.rule_rewrite import name_of_path


@dataclass(slots=True)
class Rows:
    """arrays: their names, in the order of the rows' names. taken: the rows of each that are
    gone through, as one array. replaced: the text of nodes that
    take a row, where the row has no name of its own. bindings: the variables of the header."""

    tracing: Tracing
    count: int
    arrays: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    types: list[Traced] = field(default_factory=list)
    replaced: dict[Node, str] = field(default_factory=dict)
    bindings: list[Binding] = field(default_factory=list)

    def text(self, node: Node) -> str:
        """An expression's or statement's text with the rows by their names."""
        return substituted(node, self.replaced)


def substituted(node: Node, texts: dict[Node, str]) -> str:
    """A node's text with other texts in the places of nodes in it."""
    source, at, parts = node.source, node.start, []
    for inner in sorted((n for n in texts if n.is_inside(node)), key=lambda n: n.start):
        parts += [source[at : inner.start].decode("utf-8", "surrogateescape"), texts[inner]]
        at = inner.end
    return "".join([*parts, source[at : node.end].decode("utf-8", "surrogateescape")])


def rows(
    tracing: Tracing, holder: Node, clause: Node, parts: Sequence[Node],
    stored: frozenset[str] = frozenset(),
) -> Rows:  # fmt: skip
    """What `for … in …` takes for the nodes that are evaluated in each iteration.

    holder: the loop or comprehension of a clause. tracing: learns the types of the header's
    variables. stored: names that an iteration stores. Raises Unproven.
    """
    left, right = clause["left"], clause["right"].unparenthesized
    if right.kind == "call" and tracing.facts.path_of(right["function"]) == "builtins.range":
        return _indexed(tracing, holder, clause, parts, stored)
    arrays = [right]
    if right.kind == "call" and tracing.facts.path_of(right["function"]) == "builtins.zip":
        arrays = right["arguments"].operands
    targets = [left] if arrays == [right] else left.operands
    if left.kind not in ("identifier", "pattern_list", "tuple_pattern") or (
        len(targets) != len(arrays) or any(t.kind != "identifier" for t in targets)
    ):
        raise Unproven("unknown-range", "what this goes through is not known", right)
    found = Rows(tracing, 0)
    if len(arrays) > 2:
        raise Unproven("unknown-range", "this goes through more than two arrays", right)
    for target, array in zip(targets, arrays, strict=True):
        type_ = _array(tracing, array, stored)
        if found.arrays and type_.shape[0] != found.count:
            raise Unproven("unknown-range", "one array has more rows than another", array)
        found.count = type_.shape[0]
        binding = _own(tracing, holder, target, stored)
        if target.text in found.names:
            raise Unproven("unknown-range", "one name is given twice", target)
        _add(found, array.text, target.text, type_)
        # `zip` ends with the shorter one.
        others = [f"[:{a.text}.shape[0]]" for a in arrays if a is not array]
        found.taken.append(array.text + "".join(others))
        found.bindings.append(binding)
        tracing.known[binding] = found.types[-1]
    return found


def _add(found: Rows, array: str, name: str, type_: Traced) -> None:
    found.arrays.append(array)
    found.names.append(name)
    found.types.append(replace(type_, shape=type_.shape[1:]))


def _as_indexed(tracing: Tracing, array: str, whole: str) -> str:
    """The rows of an array at the indices of another one's: jax takes the last one where there
    is no such row."""
    if array == whole:
        return array
    environment, unit = tracing.module.environment, tracing.unit
    take = name_of_path(environment, unit, "jax.numpy.take")
    arange = name_of_path(environment, unit, "jax.numpy.arange")
    if take is None or arange is None:
        raise Unproven("no-name", "no name in scope leads to jax.numpy.take")
    return f'{take}({array}, {arange}({whole}.shape[0]), axis=0, mode="clip")'


def _own(tracing: Tracing, holder: Node, target: Node, stored: frozenset[str]) -> Binding:
    """The variable of a header, which nothing else sets or sees. Raises Unproven."""
    binding = tracing.facts.scopes.binding(target)
    if binding is None or target.text in stored or binding.scope is None or binding.deletes:
        raise Unproven("not-local", "other code can see or change this variable", target)
    if binding.scope.is_dynamic:
        raise Unproven("not-local", "other code can see or change this variable", target)
    outside = [load for load in binding.loads if not load.is_inside(holder)]
    if outside:
        flow = tracing.facts.flow
        is_alone = all(store is target for store in binding.stores)
        if not binding.is_local or binding.scope.node is not tracing.facts.function:
            raise Unproven("not-local", "other code can see or change this variable", target)
        if is_alone or any(use in outside for use in flow.uses(target)):
            raise Unproven("live", "this variable is used after the loop", target)
    return binding


def _array(tracing: Tracing, node: Node, stored: frozenset[str]) -> Traced:
    if node.kind != "identifier":
        raise Unproven("unknown-range", "what this goes through has no name", node)
    if node.text in stored:
        raise Unproven("carried", "an iteration changes what it goes through", node)
    found = tracing.array(node)
    if not found.rank:
        raise Unproven("unknown-range", "this has no dimensions", node)
    return found


def _indexed(
    tracing: Tracing, holder: Node, clause: Node, parts: Sequence[Node], stored: frozenset[str]
) -> Rows:
    left, right = clause["left"], clause["right"].unparenthesized
    if left.kind != "identifier":
        raise Unproven("unknown-range", "what this goes through is not known", right)
    counter = _own(tracing, holder, left, stored)
    counted = _counted(tracing, right)
    if counted is None:
        raise Unproven("unknown-range", "this is not the whole first dimension of an array", right)
    whole, at = counted
    found = Rows(tracing, 0, bindings=[counter])
    tracing.counters = frozenset({counter})
    taken: dict[str, str] = {}
    for use in _uses(tracing, parts, counter):
        subscript = use.parent
        if subscript is None or subscript.kind != "subscript" or use.field != "subscript":
            raise Unproven("counter-value", "the counter is used as a value here", use)
        indices, base = subscript.fields("subscript"), subscript["value"]
        if indices[0] is not use or base.kind != "identifier":
            raise Unproven("not-rows", "this is no row of an array with a name", subscript)
        type_ = _array(tracing, base, stored)
        binding = tracing.facts.scopes.binding(base)
        if binding is not None and binding in found.bindings:
            raise Unproven("not-rows", "this is no row of an array with a name", subscript)
        name = taken.get(base.text)
        if name is None:
            name = fresh_name(tracing.unit, f"{base.text}_{left.text}")
            taken[base.text] = name
            _add(found, base.text, name, type_)
        if base.text == whole.name and not _is_same(tracing, whole, at, use):
            raise Unproven("unknown-range", "the array may be another one by now", base)
        rest = [i.text for i in indices[1:]]
        found.replaced[subscript] = f"{name}[{', '.join(rest)}]" if rest else name
        found.count = type_.shape[0]
    if not found.arrays:
        raise Unproven("invariant", "no row of an array is taken", right)
    if whole.name not in found.arrays:
        raise Unproven("unknown-range", "the rows are those of other arrays", right)
    for array in found.arrays:
        node = next(n for n in found.replaced if n["value"].text == array)["value"]
        if tracing.array(node).shape[0] != tracing.array(at).shape[0]:
            raise Unproven("unknown-range", "one array has more rows than another", node)
    found.taken = [_as_indexed(tracing, array, whole.name) for array in found.arrays]
    return found


def _uses(tracing: Tracing, parts: Iterable[Node], binding: Binding) -> Iterator[Node]:
    for part in parts:
        for node in part.find("identifier"):
            if tracing.facts.scopes.binding(node) is binding:
                yield node


def _counted(tracing: Tracing, right: Node) -> tuple[Binding, Node] | None:
    """The array whose rows a `range(…)` counts, and a place where its name is loaded."""
    given = right["arguments"].operands
    if len(given) == 2 and given[0].text == "0":
        given = given[1:]
    if len(given) != 1:
        return None
    node: Node | None = given[0].unparenthesized
    if node is not None and node.kind == "identifier":
        node = _made(tracing, node)
    if node is None:
        return None
    if node.kind == "call" and tracing.facts.path_of(node["function"]) == "builtins.len":
        arguments = node["arguments"].operands
        node = arguments[0] if len(arguments) == 1 else None
    elif node.kind == "subscript":
        shape, indices = node["value"], [i.text for i in node.fields("subscript")]
        is_first = shape.kind == "attribute" and shape["attribute"].text == "shape"
        node = shape["object"] if is_first and indices == ["0"] else None
    elif node.kind == "attribute" and node["attribute"].text == "shape":
        node = node["object"]  # the first name of what it is taken apart into
    else:
        return None
    if node is None or node.kind != "identifier":
        return None
    binding = tracing.facts.scopes.binding(node)
    return (binding, node) if binding is not None and not binding.is_global else None


def _made(tracing: Tracing, name: Node) -> Node | None:
    """What the one definition of a number's name makes it of."""
    binding = tracing.facts.scopes.binding(name)
    if binding is None or binding.is_global or len(binding.stores) != 1 or binding.deletes:
        return None
    store = binding.stores[0]
    parent = store.parent
    if parent is not None and parent.kind == "assignment" and store.field == "left":
        right = parent.child("right")
        is_size = right is not None and right.unparenthesized.kind in ("subscript", "call")
        return right.unparenthesized if right is not None and is_size else None
    if parent is not None and parent.kind == "pattern_list" and parent.operands[0] is store:
        holder = parent.parent
        if holder is not None and holder.kind == "assignment":
            right = holder["right"].unparenthesized
            return right if right.kind == "attribute" else None
    return None


def _is_same(tracing: Tracing, array: Binding, at: Node, use: Node) -> bool:
    """Whether a name stands for one array where its rows are counted and where one is taken."""
    is_once = len(array.stores) == 1 and not array.deletes
    if is_once and array.stores[0].enclosing("for_statement", "while_statement") is None:
        return True
    if array.is_captured:
        return False
    flow = tracing.facts.flow
    return flow.point_of(at) is flow.point_of(use) or flow.is_unchanged(at, use, array)
