"""Multiply instead of calling the general power function.

Rewrite:     libdevice.pow(x, 2.0)   -->   x * x        pow(x, 3) * y   -->   x * x * x * y
Legal when:  the exponent is the literal 2 or 3 and the base a variable, so that nothing is
             computed twice.
Numerics:    within tolerance: a product rounds otherwise than the power function.
Refuses:     not-a-name, other-exponent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.emit import PRODUCT, replace
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import TRITON, NodePass, Refusal, refuse
from semrep.passes.contract import WITHIN_TOLERANCE, Contract
from semrep.passes.registry import register
from semrep.passes.triton.kernels import is_kernel, language_name

_POWERS = frozenset({"extra.libdevice.pow", "extra.cuda.libdevice.pow", "math.pow"})


@register
@dataclass(frozen=True, slots=True)
class SquarePower(NodePass):
    """Multiply instead of calling the general power function."""

    name: ClassVar[str] = "square-power"
    dialects: ClassVar[frozenset[str]] = frozenset({TRITON})
    contract: ClassVar[Contract] = WITHIN_TOLERANCE
    anchors: ClassVar[frozenset[str]] = frozenset({"call"})
    is_independent: ClassVar[bool] = True

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        given = node["arguments"].operands
        return (
            len(given) == 2
            and language_name(module, unit, node) in _POWERS
            and is_kernel(module, unit)
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        base, exponent = node["arguments"].operands
        power = exponent.unparenthesized
        if power.kind not in ("integer", "float") or float(power.text) not in (2.0, 3.0):
            return refuse("other-exponent", "only squares and cubes are products", exponent)
        if base.kind != "identifier":
            return refuse("not-a-name", "this would be computed more than once", base)
        return [replace(node, " * ".join([base.text] * int(float(power.text))), PRODUCT)]
