"""What the passes share that write a loop over elements as lines about whole arrays."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.array.contexts import agreed
from semrep.passes.array.counted import Counted, Unproven, counted, replaced
from semrep.passes.array.facts import ArrayFacts
from semrep.passes.array.vectors import Vectors
from semrep.passes.base import NodePass, Refusal

ASSUMPTIONS = (
    "arrays have the ranks and element types of the observed call",
    "indices stay within their arrays as in the observed call, also where a branch or an inner "
    "loop does not run",
    "arguments that are written do not share memory with others",
    "functions that the observed one calls are called as it calls them",
)


@dataclass(frozen=True, slots=True)
class ArrayLoop(NodePass):
    """A pass that puts lines in the place of an innermost loop with one counter."""

    anchors: ClassVar[frozenset[str]] = frozenset({"for_statement"})

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        """Whether the loop has one counter, and a body with subscripts but no loop in it."""
        right = node["right"].unparenthesized
        return (
            unit.kind == FUNCTION
            and node["left"].kind == "identifier"
            and right.kind == "call"
            and right["function"].text == "range"
            and next(node["body"].find("subscript"), None) is not None
            and next(node["body"].find("for_statement", "while_statement"), None) is None
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        def edits(arrays: ArrayFacts) -> list[Edit]:
            loop = counted(module, arrays, node)
            vectors = Vectors(loop)
            lines = self.lines(loop, vectors)
            guard = vectors.needs_guard and not loop.always_runs
            return [replaced(loop, lines, guard=guard)]

        try:
            return agreed(module, unit, self.facts(module, unit, node), node, edits)
        except Unproven as error:
            return error.refusal

    @abstractmethod
    def lines(self, loop: Counted, vectors: Vectors) -> list[str]:
        """The statements that do all iterations. Raises Unproven."""
