"""Example arguments from annotations that state shapes: `x: Float[Tensor, "64 512"]`.

The notation is jaxtyping's (https://docs.kidger.site/jaxtyping/api/array/); the library itself
is not needed, the annotation is read as text.
"""

from __future__ import annotations

import ast

_FLOATING = {
    "Float": "f32",
    "Float32": "f32",
    "Float64": "f64",
    "Float16": "f16",
    "BFloat16": "bf16",
    "Inexact": "f32",
    "Real": "f32",
    "Num": "f32",
    "Shaped": "f32",
    "Int": "i64",
    "Integer": "i64",
    "Int64": "i64",
    "Int32": "i32",
    "Bool": "boolean",
}
# Distinct sizes, so that two dimensions taken for each other do not go unnoticed.
_SYMBOL_SIZES = (64, 48, 32, 24, 20, 12, 10, 6)
_PLAIN = {"float": "0.5", "int": "3", "bool": "True"}


def example_of_annotations(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str | None:
    """`arguments(...)` as text, or None where a required argument's annotation says too little.

    A function none of whose annotations states a shape gives None as well.
    """
    sizes: dict[str, int] = {}
    parameters = [*function.args.posonlyargs, *function.args.args]
    required = len(parameters) - len(function.args.defaults)
    positional: list[str] = []
    found_shape = False
    for index, parameter in enumerate(parameters):
        text = _spec(parameter.annotation, sizes)
        if text is not None:
            found_shape = True
        elif index >= required:
            break
        else:
            text = _plain(parameter.annotation)
        if text is None:
            return None
        positional.append(text)
    named: list[str] = []
    for parameter, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True):
        text = _spec(parameter.annotation, sizes)
        if text is not None:
            found_shape = True
        elif default is None:
            text = _plain(parameter.annotation)
            if text is None:
                return None
        if text is not None:
            named.append(f"{parameter.arg}={text}")
    return f"arguments({', '.join([*positional, *named])})" if found_shape else None


def _plain(annotation: ast.expr | None) -> str | None:
    return _PLAIN.get(annotation.id) if isinstance(annotation, ast.Name) else None


def _spec(annotation: ast.expr | None, sizes: dict[str, int]) -> str | None:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            annotation = ast.parse(annotation.value, mode="eval").body
        except SyntaxError:
            return None
    if not isinstance(annotation, ast.Subscript):
        return None
    head = annotation.value
    name = head.attr if isinstance(head, ast.Attribute) else getattr(head, "id", "")
    if name not in _FLOATING or not isinstance(annotation.slice, ast.Tuple):
        return None
    shape = annotation.slice.elts[-1]
    if not isinstance(shape, ast.Constant) or not isinstance(shape.value, str):
        return None
    numbers = _sizes(shape.value, sizes)
    if numbers is None:
        return None
    return f"{_FLOATING[name]}({', '.join(map(str, numbers))})"


def _sizes(text: str, sizes: dict[str, int]) -> list[int] | None:
    numbers: list[int] = []
    for token in text.split():
        word = token.lstrip("#?")
        if word == "...":
            continue
        if word.startswith("*"):
            numbers.append(sizes.setdefault(word, 2))
        elif word.startswith("_"):
            numbers.append(3)
        elif word.partition("=")[2].isdigit():
            numbers.append(int(word.partition("=")[2]))
        elif word.isdigit():
            numbers.append(int(word))
        elif word.isidentifier():
            if word not in sizes:
                sizes[word] = _SYMBOL_SIZES[len(sizes) % len(_SYMBOL_SIZES)]
            numbers.append(sizes[word])
        else:
            number = _arithmetic(word, sizes)
            if number is None:
                return None
            numbers.append(number)
    return numbers


def _arithmetic(word: str, sizes: dict[str, int]) -> int | None:
    """A size such as n+1 or 2*n over symbols seen before it."""
    try:
        tree = ast.parse(word, mode="eval").body
    except SyntaxError:
        return None

    def value(node: ast.expr) -> int | None:
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return node.value
        if isinstance(node, ast.Name):
            return sizes.get(node.id)
        if isinstance(node, ast.BinOp):
            left, right = value(node.left), value(node.right)
            if left is None or right is None:
                return None
            if isinstance(node.op, ast.Add):
                return left + right
            if isinstance(node.op, ast.Sub):
                return left - right
            if isinstance(node.op, ast.Mult):
                return left * right
            if isinstance(node.op, ast.FloorDiv) and right:
                return left // right
        return None

    number = value(tree)
    return number if number is not None and number >= 0 else None
