"""Derivatives of a call's results: vector-Jacobian products with fixed random cotangents."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from semrep.runtime import arrays
from semrep.runtime.specs import Arguments
from semrep.runtime.values import kind_of
from semrep.verify.cases import Case


def gradients_of(
    function: Callable[..., Any],
    arguments: Arguments,
    value: Any,
    leaves: list[tuple[str, Any]],
    instance: Any,
    case: Case,
) -> dict[str, Any]:
    """By input name; {} where nothing can be differentiated, {"raised": ...} where that fails.

    value: what function(*arguments) returned; leaves: its array arguments by path.
    """
    try:
        results = [leaf for _, leaf in arrays.array_leaves(value)]
        if any(arrays.framework_of(leaf) == "jax" for leaf in results):
            return _of_jax(function, arguments, case)
        return _of_torch(results, leaves, instance, case)
    except Exception as error:
        return {"raised": {"type": kind_of(error), "message": str(error)[:2000]}}


def _of_torch(
    results: list[Any], leaves: list[tuple[str, Any]], instance: Any, case: Case
) -> dict[str, Any]:
    torch = sys.modules.get("torch")
    if torch is None:
        return {}
    outputs = [
        leaf
        for leaf in results
        if isinstance(leaf, torch.Tensor) and leaf.requires_grad and leaf.is_floating_point()
    ]
    inputs = {
        f"argument {path}": leaf
        for path, leaf in leaves
        if isinstance(leaf, torch.Tensor) and leaf.requires_grad
    }
    if isinstance(instance, torch.nn.Module):
        inputs.update(
            {f"parameter {n}": p for n, p in instance.named_parameters() if p.requires_grad}
        )
    if not inputs or not outputs:
        return {}
    generator = np.random.default_rng(case.seed)
    cotangents = [
        torch.from_numpy(np.asarray(generator.standard_normal(tuple(o.shape)))).to(o)
        for o in outputs
    ]
    gradients = torch.autograd.grad(outputs, list(inputs.values()), cotangents, allow_unused=True)
    return {
        name: None if gradient is None else arrays.capture_array(gradient)
        for name, gradient in zip(inputs, gradients, strict=True)
    }


def _of_jax(function: Callable[..., Any], arguments: Arguments, case: Case) -> dict[str, Any]:
    import jax

    tree = (arguments.positional, dict(arguments.named))
    inputs = {
        path: leaf
        for path, leaf in arrays.array_leaves(tree)
        if arrays.framework_of(leaf) == "jax" and arrays.dtype_of(leaf) in arrays.FLOATING
    }

    def call(given: dict[str, Any]) -> list[Any]:
        positional, named = arrays.map_arrays(tree, lambda value, path: given.get(path, value))
        value = function(*positional, **named)
        return [
            leaf
            for _, leaf in arrays.array_leaves(value)
            if arrays.framework_of(leaf) == "jax" and arrays.dtype_of(leaf) in arrays.FLOATING
        ]

    outputs, pull = jax.vjp(call, inputs)
    if not outputs or not inputs:
        return {}
    generator = np.random.default_rng(case.seed)
    cotangents = [
        jax.numpy.asarray(generator.standard_normal(o.shape), dtype=o.dtype) for o in outputs
    ]
    (gradients,) = pull(cotangents)
    return {
        f"argument {path}": arrays.capture_array(gradient) for path, gradient in gradients.items()
    }
