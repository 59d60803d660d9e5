"""What statements read and write of arrays, as boxes of affine bounds, and whether two of them can
meet in any iterations that satisfy given inequalities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from semrep.ir.tree import Node
from semrep.passes.array.affine import Affine, Atom
from semrep.passes.array.counted import Unproven, header
from semrep.passes.array.facts import Array, ArrayFacts
from semrep.passes.array.references import reference
from semrep.passes.array.systems import is_impossible

_SHAPES = ("shape", "size", "ndim", "dtype")
_TRANSPARENT = frozenset(
    {"block", "expression_statement", "assignment", "augmented_assignment", "if_statement",
     "else_clause", "elif_clause", "pass_statement", "binary_operator", "unary_operator",
     "comparison_operator", "boolean_operator", "not_operator", "parenthesized_expression",
     "slice", "integer", "float", "true", "false", "none", "conditional_expression"}
)  # fmt: skip
_FUNCTIONS = frozenset(
    {"numpy.dot", "numpy.matmul", "numpy.sqrt", "numpy.exp", "numpy.log", "numpy.abs", "numpy.sum",
     "math.sqrt", "math.exp", "math.log", "builtins.abs", "builtins.range", "builtins.len"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Access:
    """One touch of an array. bounds: first and last of each dimension, None where unknown.
    where: inequalities (>= 0) of the counters of loops between the statements and this place."""

    node: Node
    array: Array
    bounds: tuple[tuple[Affine | None, Affine | None], ...]
    is_write: bool
    where: tuple[Affine, ...]

    def at(self, renamed: Mapping[Atom, Affine]) -> Access:
        """The same in another iteration."""
        bounds = tuple((_renamed(a, renamed), _renamed(b, renamed)) for a, b in self.bounds)
        where = tuple(w for w in (_renamed(w, renamed) for w in self.where) if w is not None)
        return Access(self.node, self.array, bounds, self.is_write, where)


def _renamed(value: Affine | None, names: Mapping[Atom, Affine]) -> Affine | None:
    if value is None:
        return None
    # All at once: the new names may be among the old ones.
    found = Affine((), value.constant)
    for atom, factor in value.terms.items():
        found = found + names.get(atom, Affine([(atom, 1)])).scaled(factor)
    return found


def accesses(arrays: ArrayFacts, statements: Iterable[Node]) -> list[Access]:
    """All that statements touch of arrays. Raises Unproven where that is not known."""
    return [a for s in statements for a in _of(arrays, s, ())]


def _of(arrays: ArrayFacts, node: Node, where: tuple[Affine, ...]) -> Iterator[Access]:
    if node.kind == "call":
        path = arrays.facts.path_of(node["function"])
        if path not in _FUNCTIONS or any(
            a.kind in ("keyword_argument", "list_splat", "dictionary_splat")
            for a in node["arguments"].operands
        ):
            raise Unproven("unknown-operation", "this may touch any array", node)
        for argument in node["arguments"].operands:
            yield from _of(arrays, argument, where)
        return
    if node.kind == "attribute":
        if node["attribute"].text in _SHAPES or arrays.facts.path_of(node) is not None:
            return
        raise Unproven("unknown-operation", "this may touch any array", node)
    if node.kind == "for_statement":
        found = header(arrays, node)
        if found is None or found[2] != 1:
            raise Unproven("unknown-range", "what the loop goes through is not known", node)
        counter = Affine([(arrays.counter(node), 1)])
        where = (*where, counter - found[3], found[4] - counter - 1)
        for child in (node["right"], node["body"]):
            yield from _of(arrays, child, where)
        return
    if node.kind == "identifier":
        if node.parent is not None and node.parent.kind == "for_statement" and node.field == "left":
            return
        found_array = arrays.of(node)
        if found_array is None:
            binding = arrays.scopes.binding(node)
            is_store = binding is not None and any(s is node for s in binding.stores)
            if not is_store:
                raise Unproven("unknown-type", "the type of this is not known", node)
        elif found_array.rank:
            yield _access(arrays, node, where)
        return
    if node.kind == "subscript":
        base = arrays.of(node["value"]) if node["value"].kind == "identifier" else None
        if base is not None and base.rank and not base.weak:
            yield _access(arrays, node, where)
            for subscript in node.fields("subscript"):
                yield from _of(arrays, subscript, where)
            return
        if node["value"].kind == "attribute" and node["value"]["attribute"].text == "shape":
            return
        raise Unproven("unknown-type", "the type of this is not known", node)
    if node.kind not in _TRANSPARENT:
        raise Unproven("unknown-statement", "what this touches is not known", node)
    for child in node.operands:
        yield from _of(arrays, child, where)


def _access(arrays: ArrayFacts, node: Node, where: tuple[Affine, ...]) -> Access:
    ref = reference(arrays, node)
    if ref is None:
        raise Unproven("unknown-subscript", "what this takes is not known", node)
    parent = node.parent
    is_write = (
        parent is not None
        and parent.kind in ("assignment", "augmented_assignment")
        and node.field == "left"
    )
    bounds = tuple((i.first, i.last) for i in ref.indices)
    return Access(node, ref.array, bounds, is_write, where)


def may_meet(first: Access, second: Access, where: Iterable[Affine]) -> bool:
    """Whether two touches, of which one writes, can be of the same memory; where: inequalities
    between the iterations in which they are made."""
    a, b = first.array.roots, second.array.roots
    if not first.is_write and not second.is_write:
        return False
    if a is None or b is None or not a or not b:
        return True
    if not a & b:
        return False
    if not (first.array.is_whole and second.array.is_whole and a == b and len(a) == 1):
        return True
    rows = [*where, *first.where, *second.where]
    for (low, high), (other_low, other_high) in zip(first.bounds, second.bounds, strict=True):
        if low is not None and other_high is not None:
            rows.append(other_high - low)
        if high is not None and other_low is not None:
            rows.append(high - other_low)
    return not is_impossible([*rows, *_known(rows)])


def counts_from_end(access: Access, where: Iterable[Affine]) -> bool:
    """Whether a subscript may be negative, so that it stands for another one."""
    rows = [*where, *access.where]
    for low, high in access.bounds:
        if low is None or high is None:
            return True
        for least in (low, high + 1):
            negative = [*rows, least.scaled(-1) - 1]
            if not is_impossible([*negative, *_known(negative)]):
                return True
    return False


def _known(rows: Iterable[Affine]) -> list[Affine]:
    """What holds for the integers in some inequalities at any time."""
    atoms = {atom for row in rows for atom in row.terms}
    return [Affine([(a, 1)], -a.least) for a in atoms if a.least is not None]
