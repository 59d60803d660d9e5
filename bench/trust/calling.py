"""Texts as modules, and one call of what they hold."""

from __future__ import annotations

import copy
import importlib.util
import itertools
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from bench.trust.program import Program

_count = itertools.count()
_folder: list[Path] = []


def load(source: str) -> ModuleType:
    """The text as a module of its own. Raises what the text raises."""
    if not _folder:
        _folder.append(Path(tempfile.mkdtemp(prefix="trust-")))
    name = f"trust_program_{next(_count)}"
    path = _folder[0] / f"{name}.py"
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def entry_of(program: Program, module: ModuleType, seed: int = 0) -> Callable[..., Any]:
    """What to call. A class `Model` is made with its get_init_inputs(), seeded."""
    name = program.entry or _entry_name(program, module)
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part)
    if isinstance(found, type) and issubclass(found, torch.nn.Module):
        torch.manual_seed(seed)
        given = module.get_init_inputs() if hasattr(module, "get_init_inputs") else []
        torch.manual_seed(seed)
        return found(*given)
    return found


def _entry_name(program: Program, module: ModuleType) -> str:
    if hasattr(module, "Model"):
        return "Model"
    import ast

    names = [n.name for n in ast.parse(program.source).body if isinstance(n, ast.FunctionDef)]
    return [n for n in names if n != "semrep_inputs"][-1]


def call(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any], seed: int) -> Any:
    """The result, random state being set first. Gradients are off as in KernelBench, unless an
    argument asks for them."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    wanted = any(isinstance(a, torch.Tensor) and a.requires_grad for a in args)
    with torch.set_grad_enabled(wanted), np.errstate(all="ignore"):
        return function(*args, **kwargs)


def copied(value: Any) -> Any:
    """Arguments of their own, element for element; tensors keep their strides."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone(memory_format=torch.preserve_format)
    if isinstance(value, np.ndarray):
        return value.copy(order="K")
    if isinstance(value, (list, tuple)):
        return type(value)(copied(v) for v in value)
    if isinstance(value, dict):
        return {k: copied(v) for k, v in value.items()}
    if type(value).__module__.startswith("jax"):
        return value
    return copy.deepcopy(value)


def flat(value: Any) -> list[Any]:
    """Leaves of a result: arrays as CPU tensors, everything else as it is."""
    if isinstance(value, torch.Tensor):
        return [value.detach()]
    if isinstance(value, (list, tuple)):
        return [leaf for v in value for leaf in flat(v)]
    if isinstance(value, dict):
        return [leaf for k in sorted(value, key=str) for leaf in [str(k), *flat(value[k])]]
    if isinstance(value, (np.ndarray, np.generic)) or _is_jax(value):
        array = np.asarray(value)
        if array.dtype.name == "bfloat16":
            return [torch.from_numpy(array.astype(np.float32)).to(torch.bfloat16)]
        if array.dtype.kind in "fiubc":
            return [torch.from_numpy(np.array(array))]
        return [array.tolist()]
    if isinstance(value, (int, float, complex)) and not isinstance(value, bool):
        return [torch.tensor(value)]
    return [value]


def _is_jax(value: Any) -> bool:
    return type(value).__module__.startswith("jax") and hasattr(value, "dtype")
