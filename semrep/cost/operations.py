"""Modelled time of an entry from its value graph: counts operations and bytes, runs nothing."""

from __future__ import annotations

from semrep.ir.dialects.cost import seconds
from semrep.ir.module import Module
from semrep.ir.values import value_graph


def modelled_seconds(module: Module) -> float | None:
    """Time of the catalogue operations in the function that the module's signature is about and
    in those that it was seen to call, each once a call (loops are not multiplied out). None
    without a signature, or where no type of a result is known. For ordering alternatives, not
    for claims."""
    if module.signature is None:
        return None
    total, known = 0.0, False
    for signature in (module.signature, *module.signature.inner):
        placed = module.function(signature.entry)
        if placed is None or placed.unit.has_error:
            continue
        for value in value_graph(module, placed.unit, signature):
            if value.op is None or value.type is None:
                continue
            known = True
            operands = tuple(a.type for a in value.arguments.values())
            total += signature.calls * seconds(value.op, operands, value.type)
    return total if known else None
