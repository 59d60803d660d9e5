"""Writes a case as a script that can be pasted and run. Runs in a child."""

from __future__ import annotations

from typing import Any

import numpy as np

from semrep.runtime import arrays
from semrep.runtime.harness import Harness
from semrep.runtime.packing import unpack
from semrep.runtime.specs import Arguments
from semrep.runtime.subject import Subject, fresh, prepare
from semrep.runtime.values import ContainerValue
from semrep.verify.callables import is_generated
from semrep.verify.cases import Case
from semrep.verify.inputs import derived

_MOST_LITERAL = 512
_PLAIN = (type(None), bool, int, float, complex, str, bytes)

_LOAD = """\
def load(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
"""


class Unwritable(Exception):
    """An argument has no short text."""


def written_out(
    source: bytes, harness: Harness, case: Case, examples: list[ContainerValue | None], seed: int
) -> list[tuple[str, tuple[float, ...]]]:
    """The elements of all floating arguments of the case, by path."""
    made = _arguments(source, harness, case, examples, seed)
    return [
        (path, tuple(float(x) for x in arrays.to_numpy(value).astype(np.float64).reshape(-1)))
        for path, value in arrays.array_leaves((made.positional, dict(made.named)))
        if arrays.dtype_of(value) in arrays.FLOATING
    ]


def script(
    source: bytes,
    harness: Harness,
    candidate: Harness,
    case: Case,
    examples: list[ContainerValue | None],
    init: ContainerValue | None,
    seed: int,
) -> str:
    """Calls original.py and candidate.py on the arguments of the case, and prints both results."""
    made = _arguments(source, harness, case, examples, seed)
    try:
        arguments = [f"    {_text(value)}," for value in made.positional]
        named = [f"    {name!r}: {_text(value)}," for name, value in made.named.items()]
        constructor = "" if init is None else _call_text(unpack(init, harness.device))
    except Unwritable:
        return ""
    lines = [f"# {case}", "import copy", "import importlib.util", "import sys", ""]
    lines += {
        "torch": ["import torch"],
        "jax": ["import jax.numpy as jnp"],
        "numpy": ["import numpy as np"],
    }[harness.framework]
    if harness.triton and harness.device == "cpu":
        lines += ["from semrep.runtime.triton.bridge import install", ""]
        lines += ["install()  # no GPU here: Triton's interpreter runs the kernels"]
    if is_generated(source):
        lines += ["", "# original and candidate are the two callables that were given"]
    else:
        lines += ["", "", _LOAD, ""]
        for label, entry in (("original", harness.entry), ("candidate", candidate.entry)):
            name, _, rest = entry.partition(".")
            target = f'load("{label}.py", "{label}").{name}{constructor}'
            target += f".{rest}" if rest and not (rest == "forward" and constructor) else ""
            lines += ["torch.manual_seed(0)"] if harness.framework == "torch" else []
            lines.append(f"{label} = {target}")
    lines += ["", "arguments = (", *arguments, ")", "named = {", *named, "}"]
    for label in ("original", "candidate"):
        lines.append(
            f"print('{label}:', {label}(*copy.deepcopy(arguments), **copy.deepcopy(named)))"
        )
    return "\n".join(lines) + "\n"


def _call_text(given: Arguments) -> str:
    texts = [_text(value) for value in given.positional]
    texts += [f"{name}={_text(value)}" for name, value in given.named.items()]
    return f"({', '.join(texts)})"


def _arguments(
    source: bytes, harness: Harness, case: Case, examples: list[ContainerValue | None], seed: int
) -> Arguments:
    packed = examples[case.base]
    if packed is None:
        prepare(harness, source)
        base = Subject.load(source, harness, "original", seed).examples(seed)[case.base]
    else:
        base = unpack(packed, harness.device)
    return derived(fresh(base), case)


def _text(value: Any) -> str:
    """An expression for a value. Raises Unwritable."""
    if type(value) in (list, tuple):
        inside = ", ".join(_text(item) for item in value)
        return f"[{inside}]" if type(value) is list else f"({inside},)"
    if type(value) is dict:
        return "{" + ", ".join(f"{key!r}: {_text(item)}" for key, item in value.items()) + "}"
    if type(value) in _PLAIN:
        return f"float({str(value)!r})" if value != value else repr(value)
    kind = arrays.framework_of(value)
    if kind is None:
        raise Unwritable
    elements = arrays.to_numpy(value)
    dtype = arrays.dtype_of(value)
    if elements.size > _MOST_LITERAL:
        raise Unwritable
    shape = tuple(int(n) for n in elements.shape)
    numbers = _numbers(elements.tolist())
    is_flat = elements.size > 1 and bool(np.all(elements == elements.flat[0]))
    device = ""
    if kind == "torch" and value.device.type != "cpu":
        device = f", device='{value.device}'"
    library = {"torch": "torch", "jax": "jnp", "numpy": "np"}[kind]
    maker = "tensor" if kind == "torch" else "array"
    if is_flat:
        first = _numbers(elements.flat[0].item())
        text = f"{library}.full({shape}, {first}, dtype={library}.{dtype}{device})"
    else:
        text = f"{library}.{maker}({numbers}, dtype={library}.{dtype}{device})"
        text += f".reshape({shape})" if 0 in shape else ""
    if kind != "torch":
        return text
    if not value.is_contiguous():
        strides = tuple(value.stride())
        if 0 in strides:
            text = f"{text}[:1].expand({shape})"
        else:
            text = (
                f"torch.empty_strided({shape}, {strides}, "
                f"dtype=torch.{dtype}{device}).copy_({text})"
            )
    return f"{text}.requires_grad_()" if value.requires_grad else text


def _numbers(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_numbers(item) for item in value) + "]"
    if isinstance(value, float) and not np.isfinite(value):
        return f"float('{value}')"
    if isinstance(value, float) and value == int(value) and abs(value) < 1e6:
        return f"{int(value)}." if value or not np.signbit(value) else "-0."
    return repr(value)
