"""A problem's text as a module that can be called."""

from __future__ import annotations

import ast
import linecache
from typing import Any


def namespace(source: str, name: str = "problem") -> dict[str, Any]:
    """What the text defines. Raises what the text raises."""
    file = f"<{name}>"
    # Inductor and tracebacks ask for the lines of what they compile.
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    space: dict[str, Any] = {"__name__": name, "__file__": file}
    exec(compile(source, file, "exec", dont_inherit=True), space)
    return space


def model_of(space: dict[str, Any], seed: int = 0) -> Any:
    """A new Model whose weights the seed decides."""
    import torch

    torch.manual_seed(seed)
    init = space.get("get_init_inputs", list)()
    torch.manual_seed(seed)
    return space["Model"](**init) if isinstance(init, dict) else space["Model"](*init)


def inputs_of(space: dict[str, Any], seed: int = 0) -> list[Any]:
    """New inputs that the seed decides."""
    import torch

    torch.manual_seed(seed)
    return list(space["get_inputs"]())


def in_eval_mode(source: str) -> str:
    """The same problem with a Model that puts itself into eval mode. Raises SyntaxError, and
    ValueError without a class Model."""
    tree = ast.parse(source)
    model = next((n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Model"), None)
    if model is None:
        raise ValueError("no class Model")
    init = next(
        (n for n in model.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None
    )
    lines = source.splitlines()
    if init is None:
        at, indent = model.body[0].lineno - 1, " " * model.body[0].col_offset
        added = [
            f"{indent}def __init__(self):",
            f"{indent}    super().__init__()",
            f"{indent}    self.eval()",
            "",
        ]
    else:
        at = init.body[-1].end_lineno or 0
        added = [" " * init.body[-1].col_offset + "self.eval()"]
    return "\n".join([*lines[:at], *added, *lines[at:]]) + "\n"


def depends_on_mode(model: Any) -> bool:
    """Whether train and eval mode may differ for this model."""
    import torch.nn as nn

    kinds = (
        nn.modules.batchnorm._NormBase,
        nn.modules.dropout._DropoutNd,
        nn.MultiheadAttention,
        nn.TransformerEncoder,
    )
    if any(isinstance(m, kinds) for m in model.modules()):
        return True
    return any(isinstance(m, nn.RNNBase) and m.dropout for m in model.modules()) or any(
        "training" in getattr(type(m).forward, "__code__", depends_on_mode.__code__).co_names
        for m in model.modules()
        if not type(m).__module__.startswith("torch.")
    )


def tensors(value: Any) -> list[Any]:
    """All tensors in a result, in order."""
    import torch

    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [t for one in value for t in tensors(one)]
    return []


def copied(value: Any) -> Any:
    """The same value in other memory, tensors in lists and tuples included."""
    import torch

    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, (list, tuple)):
        return type(value)(copied(v) for v in value)
    return value


def doubled(value: Any) -> Any:
    """A copy in which floats are float64, tensors in lists and tuples included."""
    if isinstance(value, (list, tuple)):
        return type(value)(doubled(v) for v in value)
    return value.double() if is_float(value) else copied(value)


def wider(value: Any) -> Any:
    """Floats from [0, 1) spread over [-2, 2); anything else as it is."""
    return 4 * value - 2 if is_float(value) else value


def is_float(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor) and value.is_floating_point()
