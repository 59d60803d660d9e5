"""Take the reciprocal square root in one operation.

Rewrite:     1 / tl.sqrt(x)   -->   tl.rsqrt(x)        y / tl.sqrt(x)   -->   y * tl.rsqrt(x)
Legal when:  the name is Triton's own. The precise root `tl.sqrt_rn` asks for its rounding, and
             keeps it.
Numerics:    within tolerance: the reciprocal root is approximate.
Refuses:     not-triton, layout.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.emit import PRODUCT, binding_strength, bracketed, encode, replace
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import TRITON, NodePass, Refusal, refuse
from semrep.passes.contract import WITHIN_TOLERANCE, Contract
from semrep.passes.registry import register
from semrep.passes.triton.kernels import is_kernel, language_name


@register
@dataclass(frozen=True, slots=True)
class UseRsqrt(NodePass):
    """Take the reciprocal square root in one operation."""

    name: ClassVar[str] = "use-rsqrt"
    dialects: ClassVar[frozenset[str]] = frozenset({TRITON})
    contract: ClassVar[Contract] = WITHIN_TOLERANCE
    anchors: ClassVar[frozenset[str]] = frozenset({"binary_operator"})
    is_independent: ClassVar[bool] = True

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        if node.operator != "/" or not is_kernel(module, unit):
            return False
        root = node["right"].unparenthesized
        function = root.child("function") if root.kind == "call" else None
        return (
            function is not None
            and function.text.rpartition(".")[2] == "sqrt"
            and len(root["arguments"].operands) == 1
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        root = node["right"].unparenthesized
        name = language_name(module, unit, root)
        if name not in ("sqrt", "math.sqrt"):
            return refuse("not-triton", "this is not Triton's own square root", root)
        if node.has_comment:
            return refuse("layout", "a comment stands between the two", node)
        prefix = root["function"].text.rpartition(".")[0]
        function = f"{prefix}.rsqrt" if prefix else None
        if function is None:
            return refuse("not-triton", "this name is imported by itself", root)
        taken = f"{function}{root['arguments'].text}"
        left = node["left"].unparenthesized
        if left.kind in ("integer", "float") and float(left.text) == 1.0:
            return [replace(node, taken)]
        over = bracketed(node["left"].text, binding_strength(node["left"]), PRODUCT)
        return [Edit(node.span, encode(f"{over} * {taken}"))]
