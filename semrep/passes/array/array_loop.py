"""What the passes share that write a loop over elements as lines about whole arrays."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.array.array_pass import ArrayPass
from semrep.passes.array.counted import Counted, counted, replaced
from semrep.passes.array.facts import ArrayFacts
from semrep.passes.array.vectors import Vectors


@dataclass(frozen=True, slots=True)
class ArrayLoop(ArrayPass):
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

    def edits(self, arrays: ArrayFacts, node: Node) -> Sequence[Edit]:
        loop = counted(arrays, node)
        vectors = Vectors(loop)
        lines = self.lines(loop, vectors)
        return [replaced(loop, lines, guard=vectors.needs_guard and not loop.always_runs)]

    @abstractmethod
    def lines(self, loop: Counted, vectors: Vectors) -> list[str]:
        """The statements that do all iterations. Raises Unproven."""
