"""What one call says of a function of the module: the types of its parameters and its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from semrep.ir.arguments import by_parameter
from semrep.ir.tree import Node
from semrep.passes.array.affine import Affine, Atom

if TYPE_CHECKING:
    from semrep.passes.array.facts import Array, ArrayFacts


def is_plain(function: Node) -> bool:
    """Whether calling it runs its body, once, there and then."""
    holder = function.parent
    return (
        function.text.startswith("def")
        and (holder is None or holder.kind != "decorated_definition")
        and next(function["body"].find("yield"), None) is None
    )


def arguments(function: Node, call: Node, arrays: ArrayFacts) -> Mapping[str, Array | None] | None:
    """The types of a function's parameters in one call; None where it is no plain call of a
    plain function."""
    names: list[str] = []
    defaults: dict[str, Node] = {}
    for parameter in function["parameters"].operands:
        if parameter.kind == "default_parameter":
            defaults[parameter["name"].text] = parameter["value"]
            names.append(parameter["name"].text)
        elif parameter.kind == "identifier":
            names.append(parameter.text)
        else:
            return None
    given = by_parameter(call, names)
    if given is None:
        return None
    found: dict[str, Array | None] = {}
    for name in names:
        if name in given:
            found[name] = arrays.of(given[name])
        elif name in defaults and defaults[name].kind in ("integer", "float"):
            found[name] = arrays.of(defaults[name])
        elif name in defaults:
            found[name] = None
        else:
            return None
    return {name: _received(function, name, found) for name in names}


def _received(function: Node, name: str, types: Mapping[str, Array | None]) -> Array | None:
    """An argument as the function that is called sees it."""
    array = types[name]
    if array is None or not array.rank:
        return array
    shape = tuple(
        Affine([(_size(function, name, place, size.seen if size is not None else None), 1)])
        for place, size in enumerate(array.shape)
    )
    others = [t for n, t in types.items() if n != name and (t is None or t.rank)]
    is_apart = array.roots is not None and all(
        t is not None and t.roots is not None and not t.roots & array.roots for t in others
    )
    roots = frozenset({("argument", name)}) if is_apart else None
    return replace(array, shape=shape, roots=roots, is_whole=is_apart)


def _size(function: Node, name: str, place: int, seen: int | None) -> Atom:
    return Atom(("shape", id(function), name, place), f"{name}.shape[{place}]", 0, seen)


def returned(function: Node, arrays: ArrayFacts) -> Array | None:
    """The type of what a function returns, whose memory is a new array's; None where unknown."""
    found: list[Array] = []
    for statement in function["body"].find("return_statement"):
        if statement.enclosing("function_definition", "lambda") is not function:
            continue
        value = arrays.of(statement.operands[0]) if statement.operands else None
        if value is None or value.roots is None:
            return None
        if any(isinstance(root, tuple) and root[0] == "argument" for root in value.roots):
            return None
        shape = tuple(s if s is not None and s.is_constant else None for s in value.shape)
        found.append(replace(value, shape=shape, roots=frozenset(), is_whole=False))
    is_one = len({(f.framework, f.dtype, f.shape, f.weak) for f in found}) == 1
    if not is_one:
        return None
    last = function["body"].operands[-1]
    return found[0] if last.kind == "return_statement" else None
