"""What one call was seen to do, as a flat list of named values that can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from semrep.runtime.values import ArrayValue, leaves


def flattened(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """All leaves of an observed call by name: results, changed arguments and state, gradients."""
    for path, leaf in leaves(record["result"], "result"):
        yield path, leaf
    for path, array in record["arguments"].items():
        yield f"argument {path} afterwards", array
    for name, array in record["state"].items():
        yield f"{name} afterwards", array
    for name, array in record["gradients"].items():
        if name != "raised":
            yield f"gradient of {name}", array


def size_of(record: Mapping[str, Any]) -> int:
    """Bytes of all its arrays."""
    return sum(len(leaf.data) for _, leaf in flattened(record) if isinstance(leaf, ArrayValue))


def without_parameters(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record without a module's own state and the derivatives by its parameters."""
    gradients = {n: g for n, g in record["gradients"].items() if not n.startswith("parameter ")}
    return {**record, "state": {}, "gradients": gradients}
