"""Finds in a source file how to run it. Reads syntax only; nothing of the file is executed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from semrep.runtime.annotations import example_of_annotations
from semrep.runtime.harness import Framework, Harness, NoHarness

_REMEDY = (
    "give --entry NAME --inputs '(f32(64, 512),)', or define semrep_inputs() in the file, "
    "or decorate the entry with @semrep.example(f32(64, 512))"
)
_KERNEL_DECORATORS = {"jit", "autotune", "heuristics"}
# What CPython raises for a text that it does not take; the last ones for deep nesting.
NOT_PYTHON = (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError)

_HARNESS_NAMES = {"semrep_inputs", "get_inputs", "get_init_inputs"}
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def discover(
    source: bytes, path: str | None = None, entry: str | None = None, inputs: str | None = None
) -> Harness | NoHarness:
    """How to run `source`: given names first, then what the file itself says.

    The order: `entry` and `inputs` as given; `semrep_inputs()`; the KernelBench names
    (`Model`, `get_inputs()`, `get_init_inputs()`); `@example(...)`; annotations that state
    shapes (`x: Float[Tensor, "64 512"]`). Where the entry is not given it is, in this order,
    the string `semrep_entry`, the only public top-level function, or the only public one that
    no other function of the file calls; otherwise the choice is left to the author.
    """
    try:
        tree = ast.parse(source)
    except NOT_PYTHON as error:
        return NoHarness(f"the file does not parse: {error}", "mend its syntax")
    file = _File(tree)
    try:
        return _find(file, path, entry, inputs)
    except _Missing as missing:
        return NoHarness(missing.reason, _REMEDY)


def entry_like(source: bytes, entry: str) -> str | NoHarness:
    """What a rewritten file calls the entry of its original: the same name, KernelBench's
    `ModelNew` for `Model`, or the only function that the file could mean."""
    try:
        file = _File(ast.parse(source))
    except NOT_PYTHON as error:
        return NoHarness(f"the file does not parse: {error}", "mend its syntax")
    if entry.partition(".")[0] == "Model" and "ModelNew" in file.classes:
        return entry.replace("Model", "ModelNew", 1)
    if file.knows(entry):
        return entry
    try:
        return _choose_entry(file)
    except _Missing as missing:
        remedy = "name its entry with --candidate-entry"
        return NoHarness(f"it defines no {entry!r}, and {missing.reason}", remedy)


class _Missing(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class _File:
    tree: ast.Module

    @cached_property
    def functions(self) -> dict[str, _Function]:
        return {node.name: node for node in self.tree.body if isinstance(node, _Function)}

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        return {node.name: node for node in self.tree.body if isinstance(node, ast.ClassDef)}

    @cached_property
    def imported(self) -> set[str]:
        """Top-level names of imported modules, relative imports as '.'-led names."""
        names: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                names.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                names.add("." if node.level else (node.module or "").partition(".")[0])
        return names

    @property
    def framework(self) -> Framework:
        imported = self.imported
        if "torch" in imported or "triton" in imported:
            return "torch"
        return "jax" if "jax" in imported else "numpy"

    @property
    def declared_entry(self) -> str | None:
        for node in self.tree.body:
            if (
                isinstance(node, ast.Assign)
                and any(isinstance(t, ast.Name) and t.id == "semrep_entry" for t in node.targets)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                return node.value.value
        return None

    def public_functions(self) -> list[str]:
        return [
            name
            for name, node in self.functions.items()
            if not name.startswith("_")
            and name not in _HARNESS_NAMES
            and not any(
                _decorator_name(d) in _KERNEL_DECORATORS - {"jit"} for d in node.decorator_list
            )
            and not self._is_triton_kernel(node)
        ]

    def _is_triton_kernel(self, node: _Function) -> bool:
        # jax.jit and numba.jit make ordinary callables; only triton.jit needs a launcher.
        triton_here = "triton" in self.imported
        return triton_here and any(_decorator_name(d) == "jit" for d in node.decorator_list)

    def called_names(self) -> set[str]:
        return {
            call.func.id
            for function in self.functions.values()
            for call in ast.walk(function)
            if isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name)
            and call.func.id != function.name
        }

    def knows(self, dotted: str) -> bool:
        """Whether the first name of `dotted` can exist at the top level of the file."""
        first = dotted.partition(".")[0]
        for node in ast.walk(self.tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                if node.name == first:
                    return True
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                if node.id == first:
                    return True
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                if any(a.name == "*" or (a.asname or a.name) == first for a in node.names):
                    return True
        return False


def _find(file: _File, path: str | None, entry: str | None, inputs: str | None) -> Harness:
    triton = "triton" in file.imported

    def harness(name: str, expression: str, convention: str, init: str | None = None) -> Harness:
        return Harness(
            entry=name,
            inputs=expression,
            init=init,
            framework=file.framework,
            triton=triton,
            path=path,
            convention=convention,  # type: ignore[arg-type]
        )

    if entry is not None and not file.knows(entry):
        raise _Missing(f"the file defines no {entry.partition('.')[0]!r}")
    init = "get_init_inputs()" if "get_init_inputs" in file.functions else None
    if inputs is not None:
        try:
            ast.parse(inputs.strip(), mode="eval")
        except SyntaxError as error:
            raise _Missing(f"--inputs is not a Python expression ({error.msg})") from error
        name = entry or ("Model" if "Model" in file.classes else _choose_entry(file))
        needs_init = name.partition(".")[0] in file.classes
        return harness(name, inputs.strip(), "given", init if needs_init else None)
    if "semrep_inputs" in file.functions:
        name = entry or _choose_entry(file)
        needs_init = name.partition(".")[0] in file.classes
        return harness(name, "semrep_inputs()", "semrep_inputs", init if needs_init else None)
    if "get_inputs" in file.functions and (entry or "Model" in file.classes):
        name = entry or "Model"
        needs_init = name.partition(".")[0] in file.classes
        return harness(name, "get_inputs()", "kernelbench", init if needs_init else None)
    for name, examples in _decorated(file):
        if entry is None or entry == name:
            expression = examples[0] if len(examples) == 1 else f"[{', '.join(examples)}]"
            return harness(name, expression, "example")
    names = [entry] if entry else file.public_functions()
    annotated = {
        name: text
        for name in names
        if name in file.functions
        and (text := example_of_annotations(file.functions[name])) is not None
    }
    if len(annotated) == 1:
        name, expression = annotated.popitem()
        return harness(name, expression, "annotations")
    if len(annotated) > 1:
        raise _Missing(f"several functions could be the entry ({', '.join(annotated)})")
    raise _Missing("nothing in the file says how to call it")


def _choose_entry(file: _File) -> str:
    if file.declared_entry is not None:
        return file.declared_entry
    names = file.public_functions()
    if len(names) > 1:
        called = file.called_names()
        names = [name for name in names if name not in called] or names
    if len(names) == 1:
        return names[0]
    if "Model" in file.classes:
        return "Model"
    if not names:
        raise _Missing("the file has no public top-level function to enter by")
    raise _Missing(f"several functions could be the entry ({', '.join(names)})")


def _decorated(file: _File) -> Iterator[tuple[str, list[str]]]:
    """Functions (and methods) under @example, each with its argument expressions."""
    for node in file.tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            examples = [text for d in reversed(node.decorator_list) if (text := _example(d))]
            if examples:
                yield node.name, examples


def _example(decorator: ast.expr) -> str | None:
    if isinstance(decorator, ast.Call) and _decorator_name(decorator) == "example":
        call = ast.Call(ast.Name("arguments", ast.Load()), decorator.args, decorator.keywords)
        return ast.unparse(call)
    return None


def _decorator_name(decorator: ast.expr) -> str:
    if isinstance(decorator, ast.Call):
        # functools.partial(jax.jit, ...) is still the decorator inside it.
        inner = decorator.args[0] if decorator.args else None
        if _decorator_name(decorator.func) == "partial" and inner is not None:
            return _decorator_name(inner)
        return _decorator_name(decorator.func)
    if isinstance(decorator, ast.Attribute):
        return decorator.attr
    return decorator.id if isinstance(decorator, ast.Name) else ""
