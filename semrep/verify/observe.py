"""Observes the signatures of an entry and of the functions that it calls: one run in a child,
plain data back, records in the parent."""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from semrep.ir.signature import (
    ConfigValue,
    LayerType,
    OtherType,
    ScalarType,
    Signature,
    TensorType,
    ValueType,
)
from semrep.runtime import arrays
from semrep.runtime.harness import Harness
from semrep.runtime.loading import file_name
from semrep.runtime.subject import Subject, fresh, prepare, seed_everything
from semrep.runtime.values import kind_of
from semrep.verify.calls import Calls

_SCALARS = (bool, int, float, complex, str, bytes, type(None))
_LONGEST_VALUE = 80


def observe(source: bytes, harness: Harness, seed: int) -> dict[str, Any]:
    """Runs in a child: the entry's argument, attribute and result types as plain data."""
    from semrep.verify.jobs import raised_record

    prepare(harness, source)
    try:
        subject = Subject.load(source, harness, "original", seed)
        example = subject.examples(seed)[0]
        instance = subject.instance(seed)
        function = subject.bind(instance)
        arguments = fresh(example)
        named = _bound_names(function, instance, arguments.positional, arguments.named)
        before = [[name, _type(value)] for name, value in named]
        tied = _tied(instance)
        attributes = [] if instance is None else attributes_of(instance, tied)
        calls = Calls(file_name(harness.path, "original"), _Describer(tied), _result)
        seed_everything(seed)
        with calls.recording():
            result = function(*arguments.positional, **arguments.named)
    except Exception as error:
        return {"error": raised_record(error)}
    body = _body(function)
    return {
        "body": body,
        "arguments": before,
        "attributes": attributes,
        "results": _results(result),
        "inner": [
            {**call.record, "entry": name, "results": call.results or [], "calls": call.count}
            for name, call in calls.known()
            if name != body
        ],
    }


def read_signature(entry: str, data: Mapping[str, Any]) -> Signature:
    """The signature from what `observe` sent."""
    inner = (replace(_facts(one["entry"], one), calls=one["calls"]) for one in data["inner"])
    return replace(_facts(data["body"] or entry, data), inner=tuple(inner))


def _facts(entry: str, data: Mapping[str, Any]) -> Signature:
    return Signature(
        entry=entry,
        arguments=tuple((name, _read(value)) for name, value in data["arguments"]),
        attributes=tuple((name, _read(value)) for name, value in data["attributes"]),
        results=tuple(_read(value) for value in data["results"]),
    )


def _read(data: Mapping[str, Any]) -> ValueType:
    kind = data["is"]
    fields = {name: value for name, value in data.items() if name != "is"}
    if kind == "tensor":
        return TensorType(**fields)
    if kind == "scalar":
        return ScalarType(**fields)
    if kind == "layer":
        for group in ("parameters", "buffers"):
            fields[group] = tuple((name, _read(value)) for name, value in fields[group])
        fields["config"] = tuple((name, value) for name, value in fields["config"])
        return LayerType(**fields)
    return OtherType(**fields)


class _Describer:
    """Makes plain data of a function's arguments by name. A module that is the first argument
    is known by what hangs on it, described once for each instance."""

    def __init__(self, tied: frozenset[int]) -> None:
        self.tied = tied
        self.modules: dict[int, tuple[Any, list[list[Any]]]] = {}

    def __call__(self, arguments: dict[str, Any]) -> dict[str, Any]:
        torch = sys.modules.get("torch")
        attributes: list[list[Any]] = []
        if torch is not None and isinstance(arguments.get("self"), torch.nn.Module):
            module = arguments.pop("self")
            if id(module) not in self.modules:
                self.modules[id(module)] = (module, attributes_of(module, self.tied))
            attributes = self.modules[id(module)][1]
        return {
            "arguments": [[name, _type(value)] for name, value in arguments.items()],
            "attributes": attributes,
        }


def _results(result: Any) -> list[dict[str, Any]]:
    values = result if isinstance(result, (tuple, list)) else (result,)
    return [_type(value) for value in values]


def _result(result: Any) -> list[dict[str, Any]]:
    """Of a function whose caller is looked at, too, to which a tuple of one is no array."""
    return [] if isinstance(result, (tuple, list)) else [_type(result)]


def _body(function: Callable[..., Any]) -> str | None:
    """Qualified name of the function whose body runs: "Model.forward" for a model; None where
    the callable does not tell."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(function, torch.nn.Module):
        function = function.forward
    elif torch is not None and getattr(function, "__name__", "") == "apply":
        owner = getattr(function, "__self__", None)
        if isinstance(owner, type) and issubclass(owner, torch.autograd.Function):
            function = getattr(owner, "forward")  # noqa: B009
    elif not inspect.isroutine(function):
        function = type(function).__call__
    name = getattr(inspect.unwrap(function), "__qualname__", None)
    return name if name and "<locals>" not in name else None


def _bound_names(
    function: Callable[..., Any], instance: Any, positional: tuple[Any, ...], named: Any
) -> list[tuple[str, Any]]:
    """Argument names as the body knows them; "[0]" where the callable does not tell."""
    target = function
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(function, torch.nn.Module):
        target = function.forward
    elif torch is not None and getattr(function, "__name__", "") == "apply":
        owner = getattr(function, "__self__", None)
        if isinstance(owner, type) and issubclass(owner, torch.autograd.Function):
            # apply(*args) becomes forward(ctx, *args).
            forward = inspect.getattr_static(owner, "forward")
            forward = getattr(forward, "__func__", forward)
            with_context = [None, *positional]
            try:
                bound = inspect.signature(forward).bind(*with_context, **named)
                return list(bound.arguments.items())[1:]
            except (TypeError, ValueError):
                return [(f"[{i}]", value) for i, value in enumerate(positional)]
    try:
        bound = inspect.signature(target).bind(*positional, **named)
    except (TypeError, ValueError):
        return [*((f"[{i}]", v) for i, v in enumerate(positional)), *named.items()]
    bound.apply_defaults()
    return list(bound.arguments.items())


def _type(value: Any) -> dict[str, Any]:
    framework = arrays.framework_of(value)
    if framework is not None:
        record = {
            "is": "tensor",
            "dtype": arrays.dtype_of(value),
            "shape": tuple(int(n) for n in value.shape),
            "strides": None,
            "device": "cpu",
            "framework": framework,
            "requires_grad": False,
        }
        if framework == "torch":
            record["strides"] = tuple(value.stride()) if value.layout is _strided() else None
            record["device"] = value.device.type
            record["requires_grad"] = bool(value.requires_grad)
        elif framework == "numpy":
            size = max(1, value.itemsize)
            record["strides"] = tuple(step // size for step in value.strides)
        return record
    if type(value) in _SCALARS:
        text = repr(value)
        return {
            "is": "scalar",
            "name": type(value).__name__,
            "value": text if len(text) <= _LONGEST_VALUE else None,
        }
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.nn.Module):
        return _layer(value, frozenset())
    return {"is": "other", "name": kind_of(value)}


def _strided() -> Any:
    return sys.modules["torch"].strided


def attributes_of(instance: Any, tied: frozenset[int] | None = None) -> list[list[Any]]:
    """Every module under the instance and every tensor or plain value set on it, dotted. tied:
    of the model that it is a part of."""
    tied = _tied(instance) if tied is None else tied
    torch = sys.modules.get("torch")
    found: list[list[Any]] = []
    if torch is None or not isinstance(instance, torch.nn.Module):
        for name, value in vars(instance).items():
            found.append([f"self.{name}", _type(value)])
        return found
    for path, module in instance.named_modules():
        prefix = f"self.{path}" if path else "self"
        if path:
            found.append([prefix, _layer(module, tied)])
        for name, value in [
            *module.named_parameters(recurse=False),
            *module.named_buffers(recurse=False),
        ]:
            found.append([f"{prefix}.{name}", _type(value)])
        for name, value in vars(module).items():
            if name.startswith("_") or name == "training":
                continue
            known = arrays.framework_of(value) is not None or type(value) in (*_SCALARS, tuple)
            if known:
                found.append([f"{prefix}.{name}", _type(value)])
    found.insert(0, ["self", _layer(instance, tied)])
    return found


def _tied(root: Any) -> frozenset[int]:
    """Addresses of storages that several parameters of the model share."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(root, torch.nn.Module):
        return frozenset()
    owners = Counter(_storage(p) for _, p in root.named_parameters(remove_duplicate=False))
    return frozenset(storage for storage, count in owners.items() if count > 1)


def _storage(tensor: Any) -> int:
    return int(tensor.untyped_storage().data_ptr())


def _layer(module: Any, tied: frozenset[int]) -> dict[str, Any]:
    config: list[tuple[str, ConfigValue]] = []
    for name, value in vars(module).items():
        if name.startswith("_") or name == "training":
            continue
        if type(value) in (bool, int, float, str, type(None)):
            config.append((name, value))
        elif isinstance(value, tuple) and all(type(v) in (int, str) for v in value):
            config.append((name, tuple(value)))
    own = dict(module.named_parameters(recurse=False))
    if "bias" in vars(module).get("_parameters", {}):
        config.append(("bias", "bias" in own))
    hooks = any(
        vars(module).get(kind)
        for kind in (
            "_forward_hooks",
            "_forward_pre_hooks",
            "_backward_hooks",
            "_backward_pre_hooks",
        )
    )
    if hooks:
        config.append(("hooks", True))
    if "parametrizations" in vars(module).get("_modules", {}):
        config.append(("parametrized", True))
    shared = tuple(sorted(name for name, p in own.items() if _storage(p) in tied))
    if shared:
        config.append(("tied", shared))
    return {
        "is": "layer",
        "name": kind_of(module),
        "config": config,
        "parameters": [
            (name, _type(value)) for name, value in module.named_parameters(recurse=False)
        ],
        "buffers": [(name, _type(value)) for name, value in module.named_buffers(recurse=False)],
        "training": bool(module.training),
    }
