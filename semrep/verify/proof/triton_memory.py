"""Loads and stores of kernels, for `semrep.verify.proof.triton_expressions`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from semrep.verify.proof import triton_integers as integers
from semrep.verify.proof.result import Refused
from semrep.verify.proof.solver import z3
from semrep.verify.proof.trace import Event, Value

if TYPE_CHECKING:
    from semrep.verify.proof.triton import TritonExecutor

MASKED = {"load": ("pointer", "mask", "other"), "store": ("pointer", "value", "mask")}
_NUMBERS = (*integers.RUNTIME, *integers.STATIC, "float", "maybe float")


def access(
    run: TritonExecutor, name: str, values: list[Value], named: dict[str, Value], node: ast.Call
) -> Value | None:
    """A load or store. What is at an index where the mask is false does not matter."""
    order = MASKED[name]
    if len(values) > len(order):
        return None
    given = {**dict(zip(order, values, strict=False)), **named}
    pointer = given.pop("pointer", None)
    if pointer is None:
        return None
    if pointer.kind in _NUMBERS:
        raise run.error("an access through no pointer")
    mask, other, value = given.pop("mask", None), given.pop("other", None), given.pop("value", None)
    none = run.none().term
    if mask is not None and mask.kind == "any" and mask.term.eq(none):
        mask = None
    if other is not None and other.kind == "any" and other.term.eq(none):
        other = None
    if pointer.kind != "ptr" or (mask is not None and mask.kind != "i1") or given:
        # Options, and what the mask means, are then the same on both sides.
        here = {"mask": mask, "other": other, "value": value, **given}
        there = {k: v for k, v in here.items() if v is not None}
        op = f"{name}({','.join(there)})"
        return _last(run, op, (pointer, *there.values()), node)
    if mask is None and other is not None:
        raise Refused("a load with `other` and no mask")
    condition = Value("i1", z3().BoolVal(True)) if mask is None else mask
    shape = run.broadcast(pointer.shape, condition.shape)
    args, roles = [condition, pointer], ["mask", "masked"]
    for extra, role in ((other, "unmasked"), (value, "masked")):
        if extra is not None:
            args.append(extra)
            roles.append(role)
    op = f"{name} {shape} {'other' if other is not None else ''}"
    return _last(run, op, tuple(args), node, tuple(roles))


def _last(
    run: TritonExecutor, op: str, args: tuple[Value, ...], node: ast.Call, roles: Any = ()
) -> Value:
    result = Value("any", run.fresh("any").term)
    run.trace.append(Event(op, args, (result,), node, roles))
    return result
