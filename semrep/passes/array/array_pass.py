"""What the passes share that go by the types of the observed call and those that it leads to."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from semrep.ir.effects import Facts
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.array.contexts import agreed, contexts, unknown_types
from semrep.passes.array.counted import Unproven
from semrep.passes.array.facts import ArrayFacts
from semrep.passes.base import NodePass, Refusal

ASSUMPTIONS = (
    "arrays have the ranks and element types of the observed call",
    "indices stay within their arrays as in the observed call, also where a branch or an inner "
    "loop does not run",
    "arguments that are written do not share memory with others",
    "functions that the observed one calls are called as it calls them",
)


@dataclass(frozen=True, slots=True)
class ArrayPass(NodePass):
    """A pass whose edits must be the same for all calls that lead to a function."""

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        try:
            return self.agreed(module, unit, self.facts(module, unit, node), node)
        except Unproven as error:
            return error.refusal

    def agreed(self, module: Module, unit: Unit, known: Facts, node: Node) -> Sequence[Edit]:
        """Raises Unproven."""
        found = contexts(module, unit, known)
        if not found:
            raise unknown_types(node)
        return agreed([self.edits(arrays, node) for arrays in found], node)

    @abstractmethod
    def edits(self, arrays: ArrayFacts, node: Node) -> Sequence[Edit]:
        """The edits with the types of one call. Raises Unproven."""
