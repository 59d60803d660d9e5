"""The same rewrites written for three tools, each from a file's bytes to its new bytes.

`merge`: `not a in b` → `a not in b`, `not a is b` → `a is not b`; `split` is the inverse. All
leave alone comparisons that hold a comment, and chains.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from semrep.ir.module import Module
from semrep.ir.text import EditSet
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import NodePass, Refusal
from semrep.passes.canonical.negate_comparison import (
    NegateComparison,
    SplitNegatedComparison,
    comparison,
)

Rewriter = Callable[[bytes], bytes]
MERGE, SPLIT = "merge", "split"

_NEGATED = {"in": "not in", "is": "is not"}


@dataclass(frozen=True, slots=True)
class NegateMembership(NegateComparison):
    """The registered pass, for `in` and `is` alone: the others need types."""

    name: ClassVar[str] = "negate-membership"

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        found = comparison(node["argument"].unparenthesized)
        return found is not None and found[1] in _NEGATED and not node.has_comment


def with_semrep(rewrite: str, screen: bool = True) -> Rewriter:
    """screen: leave out files and functions whose text lacks the tokens of the pass's anchors,
    as `NodePass.sites` does; without, every tree is copied whole."""
    pass_: NodePass = NegateMembership() if rewrite == MERGE else SplitNegatedComparison()

    def run(source: bytes) -> bytes:
        module = Module(source)
        if not screen:
            for placed in module.units:
                placed.unit.root  # noqa: B018
        found = [pass_.rewrite(module, site) for site in pass_.sites(module)]
        edits = EditSet(e for one in found if not isinstance(one, Refusal) for e in one)
        return module.apply(edits).source if edits else source

    return run


def with_libcst(rewrite: str) -> Rewriter:
    """A transformer, as LibCST's documentation shows for codemods. Comments need no check: the
    tree keeps them."""
    import libcst as cst

    def merged(node: cst.UnaryOperation) -> cst.BaseExpression:
        inner = node.expression
        if not isinstance(node.operator, cst.Not) or not isinstance(inner, cst.Comparison):
            return node
        if len(inner.comparisons) != 1:
            return node
        target = inner.comparisons[0]
        old = target.operator
        new: cst.BaseCompOp
        if isinstance(old, cst.In):
            new = cst.NotIn(
                whitespace_before=old.whitespace_before, whitespace_after=old.whitespace_after
            )
        elif isinstance(old, cst.Is):
            new = cst.IsNot(
                whitespace_before=old.whitespace_before, whitespace_after=old.whitespace_after
            )
        else:
            return node
        return inner.with_changes(
            comparisons=[target.with_changes(operator=new)], lpar=node.lpar, rpar=node.rpar
        )

    def divided(node: cst.Comparison) -> cst.BaseExpression:
        if len(node.comparisons) != 1:
            return node
        target = node.comparisons[0]
        old = target.operator
        new: cst.BaseCompOp
        if isinstance(old, cst.NotIn):
            new = cst.In(
                whitespace_before=old.whitespace_before, whitespace_after=old.whitespace_after
            )
        elif isinstance(old, cst.IsNot):
            new = cst.Is(
                whitespace_before=old.whitespace_before, whitespace_after=old.whitespace_after
            )
        else:
            return node
        inner = node.with_changes(comparisons=[target.with_changes(operator=new)], lpar=[], rpar=[])
        return cst.UnaryOperation(cst.Not(), inner, lpar=node.lpar, rpar=node.rpar)

    class Merge(cst.CSTTransformer):
        def leave_UnaryOperation(
            self, original_node: cst.UnaryOperation, updated_node: cst.UnaryOperation
        ) -> cst.BaseExpression:
            return merged(updated_node)

    class Split(cst.CSTTransformer):
        def leave_Comparison(
            self, original_node: cst.Comparison, updated_node: cst.Comparison
        ) -> cst.BaseExpression:
            return divided(updated_node)

    transformer = Merge if rewrite == MERGE else Split

    def run(source: bytes) -> bytes:
        return cst.parse_module(source).visit(transformer()).bytes

    return run


_PATTERNS = {
    MERGE: [
        (f"not {left}$A {old} $B{right}", new)
        for old, new in _NEGATED.items()
        for left, right in (("", ""), ("(", ")"))
    ],
    SPLIT: [(f"$A {new} $B", old) for old, new in _NEGATED.items()],
}


def with_ast_grep(rewrite: str) -> Rewriter:
    """One rule of several patterns through the Python binding."""
    from ast_grep_py import SgRoot

    patterns = _PATTERNS[rewrite]
    prefix = "" if rewrite == MERGE else "not "
    rule: Any = {"any": [{"pattern": pattern} for pattern, _ in patterns]}
    operator_of = {"in": "not in", "is": "is not", "not in": "in", "is not": "is"}

    def run(source: bytes) -> bytes:
        root = SgRoot(source.decode(), "python").root()
        edits = []
        for node in root.find_all({"rule": rule}):
            text = node.text()
            if "#" in text:
                continue
            left, right = node["A"], node["B"]
            start = node.range().start.index
            between = text[left.range().end.index - start : right.range().start.index - start]
            new = f"{left.text()} {operator_of[' '.join(between.split())]} {right.text()}"
            edits.append(node.replace(prefix + new))
        return root.commit_edits(edits).encode() if edits else source

    return run
