"""A loaded source joined with its harness: ready to be called. Runs inside a worker's child."""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
import os
import random
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from semrep.runtime import arrays
from semrep.runtime.harness import Framework, Harness
from semrep.runtime.loading import load
from semrep.runtime.specs import CONSTRUCTORS, Arguments, Spec, arguments, example

_LIBRARIES = {"torch": "torch", "np": "numpy", "numpy": "numpy", "jax": "jax", "jnp": "jax.numpy"}


class HarnessError(Exception):
    """The harness does not fit the source: no such entry, or inputs of the wrong form."""


def seed_everything(seed: int) -> None:
    """Sets the global generators of Python, numpy and torch (where it is loaded)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch = sys.modules.get("torch")
    if torch is None:
        return
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        # With all devices hidden there is one generator; asking each backend takes a millisecond.
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


def prepare(harness: Harness, source: bytes) -> None:
    """Makes this process fit for the harness's file; before it is loaded."""
    if harness.triton and harness.device == "cpu":
        from semrep.runtime.triton.bridge import install

        install()
    if harness.framework == "torch" and harness.device == "cpu" and b"cuda" in source:
        from semrep.runtime.cuda_on_cpu import install as install_cuda

        install_cuda()


@dataclass(frozen=True, slots=True)
class Subject:
    """A source as a module. Use `Subject.load`."""

    module: types.ModuleType
    harness: Harness

    @classmethod
    def load(cls, source: bytes, harness: Harness, label: str, seed: int) -> Subject:
        """Executes the source after setting all seeds. What it raises goes through."""
        seed_everything(seed)
        return cls(load(source, harness.path, label), harness)

    def examples(self, seed: int) -> list[Arguments]:
        """The harness's own cases, specs turned into arrays. The same seed, the same values.

        Raises HarnessError where the expression gives no argument list, and whatever the
        expression itself raises.
        """
        seed_everything(seed)
        generator = np.random.default_rng(seed)
        value = self._evaluate(self.harness.inputs, generator)
        cases = _as_cases(value, several=self.harness.convention != "kernelbench")
        return [self._materialise(case, generator) for case in cases]

    def init_arguments(self, seed: int) -> Arguments | None:
        """The constructor's arguments as the harness gives them; None where it gives none."""
        if self.harness.init is None:
            return None
        seed_everything(seed)
        generator = np.random.default_rng(seed)
        cases = _as_cases(self._evaluate(self.harness.init, generator), several=False)
        return self._materialise(cases[0], generator)

    def instance(self, seed: int, init: Arguments | None = None) -> Any | None:
        """The object that the entry belongs to, made with `init` or as the harness says; None
        where the entry needs none."""
        owner, rest = self._owner()
        if not rest and _is_torch_module(owner):
            return owner
        if not inspect.isclass(owner) or not self._needs_instance(owner, rest):
            return None
        case = init or self.init_arguments(seed) or Arguments()
        seed_everything(seed)
        made = owner(*case.positional, **case.named)
        if _is_torch_module(made):
            made = made.to(self.harness.device)  # type: ignore[attr-defined]
        return made

    def bind(self, instance: Any | None) -> Callable[..., Any]:
        """The callable to measure and compare, on this instance."""
        owner, rest = self._owner()
        if instance is not None:
            if rest == ["forward"] and _is_torch_module(instance):
                # Calling the module runs forward with its hooks, as its users do.
                rest = []
            target = instance
        else:
            target = owner
        for name in rest:
            target = getattr(target, name)
        if not callable(target):
            raise HarnessError(f"{self.harness.entry} is not callable")
        return target  # type: ignore[no-any-return]

    def _owner(self) -> tuple[Any, list[str]]:
        first, *rest = self.harness.entry.split(".")
        if not hasattr(self.module, first):
            raise HarnessError(f"the source defines no {first!r}")
        return getattr(self.module, first), rest

    def _needs_instance(self, owner: type, rest: list[str]) -> bool:
        torch = sys.modules.get("torch")
        if torch is not None and issubclass(owner, torch.nn.Module):
            return True
        if self.harness.init is not None:
            return True
        return bool(rest) and isinstance(
            inspect.getattr_static(owner, rest[0], None), types.FunctionType
        )

    def _evaluate(self, expression: str, generator: np.random.Generator) -> Any:
        offered = _inputs_namespace(expression, self.harness, generator)
        inside: Mapping[str, Any] = self.module.__dict__
        # Text that the author wrote inside the file sees the file's names first.
        if self.harness.convention in ("given", "annotations"):
            namespace = {**inside, **offered}
        else:
            namespace = {**offered, **inside, "arguments": arguments}
        return eval(expression, namespace)

    def _materialise(self, case: Arguments, generator: np.random.Generator) -> Arguments:
        framework: Framework = self.harness.framework

        def walk(value: Any) -> Any:
            if isinstance(value, Spec):
                drawn = arrays.draw(value, generator)
                return arrays.from_numpy(drawn, framework, value.dtype, self.harness.device)
            if type(value) in (list, tuple):
                return type(value)(walk(item) for item in value)
            if type(value) is dict:
                return {key: walk(item) for key, item in value.items()}
            if arrays.framework_of(value) == "torch" and self.harness.device != "cpu":
                return value.to(self.harness.device)
            return value

        named = {key: walk(value) for key, value in case.named.items()}
        return Arguments(tuple(walk(value) for value in case.positional), named)


def _inputs_namespace(
    expression: str, harness: Harness, generator: np.random.Generator
) -> dict[str, Any]:
    def made(values: Any) -> Any:
        return arrays.from_numpy(values, harness.framework, "float32", harness.device)

    offered: dict[str, Any] = {
        **CONSTRUCTORS,
        "arguments": arguments,
        "example": example,
        "randn": lambda *shape: made(generator.standard_normal(shape)),
        "rand": lambda *shape: made(generator.random(shape)),
    }
    names = {n.id for n in ast.walk(ast.parse(expression, mode="eval")) if isinstance(n, ast.Name)}
    for name, library in _LIBRARIES.items():
        if name in names:
            offered[name] = importlib.import_module(library)
    return offered


def _as_cases(value: Any, *, several: bool) -> list[Arguments]:
    if isinstance(value, Arguments):
        return [value]
    if isinstance(value, tuple):
        return [Arguments(value)]
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            raise HarnessError("a dict of arguments is keyed by their names")
        return [Arguments((), value)]
    if isinstance(value, list):
        if several and value and all(isinstance(item, (tuple, dict, Arguments)) for item in value):
            return [case for item in value for case in _as_cases(item, several=False)]
        # KernelBench returns one case as a list of its arguments.
        return [Arguments(tuple(value))]
    return [Arguments((value,))]


def _is_torch_module(value: object) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


def fresh(case: Arguments) -> Arguments:
    """A copy whose arrays and objects the call may change freely."""

    def copied(array: Any, path: str) -> Any:
        kind = arrays.framework_of(array)
        if kind == "torch":
            again = array.detach().clone(memory_format=sys.modules["torch"].preserve_format)
            return again.requires_grad_(array.requires_grad)
        return array.copy() if kind == "numpy" else array

    tree = arrays.map_arrays((case.positional, dict(case.named)), copied)
    positional, named = tree
    return Arguments(
        tuple(_copied(value) for value in positional),
        {name: _copied(value) for name, value in named.items()},
    )


def _copied(value: Any) -> Any:
    if arrays.array_leaves(value) or value is None:
        return value
    try:
        return copy.deepcopy(value)
    except (TypeError, NotImplementedError):
        # Locks, generators, modules: the call gets the object itself, both times the same.
        return value
