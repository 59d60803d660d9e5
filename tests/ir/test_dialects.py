"""The operator catalogue: spellings exist, bind, infer and can be written back."""

from __future__ import annotations

import importlib
import subprocess
import sys
from typing import Any

import pytest

from semrep.ir.dialects import bind, layers, method, op_named, ops, resolve, spellings_of
from semrep.ir.dialects.bind import NONE, SCALAR, SEQUENCE, TENSOR, UNKNOWN
from semrep.ir.dialects.catalogue import _load, _spelled, layer_named
from semrep.ir.dialects.meta import infer, reference_of
from semrep.ir.dialects.op import PROPERTY
from semrep.ir.dialects.spell import CannotSpell, Written, spell
from semrep.ir.signature import TensorType

F32 = TensorType("float32", (64, 512))


def _get(path: str) -> Any:
    head, *rest = path.split(".")
    found: Any = importlib.import_module(head)
    for name in rest:
        found = getattr(found, name)
    return found


def test_importing_the_catalogue_imports_no_array_library() -> None:
    code = (
        "import sys; from semrep.ir.dialects import ops; list(ops());"
        "import semrep.ir.values, semrep.ir.value_build, semrep.ir.pattern;"
        "assert not {'torch', 'jax', 'triton', 'numpy'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_spelling_exists_in_its_framework() -> None:
    for name in ("jax", "jax.numpy", "jax.nn", "jax.scipy.special", "torch", "numpy",
                 "triton.language", "scipy.special"):  # fmt: skip
        pytest.importorskip(name)
    _load()
    assert not [path for path in _spelled if not _exists(path)]


def _exists(path: str) -> bool:
    try:
        _get(path)
    except AttributeError:
        return False
    return True


def test_the_catalogue_is_large_and_every_op_has_a_reference() -> None:
    known = list(ops())
    assert len(known) >= 250
    for op in known:
        assert callable(reference_of(op)), op
    assert sum(len(resolve(p)) for p in _spelled if not _is_method(p)) >= 600


def _is_method(path: str) -> bool:
    return path.startswith(("torch.Tensor.", "numpy.ndarray.", "jax.Array."))


def test_layers_name_parameters_of_their_ops_and_attributes_of_their_class() -> None:
    for layer in layers():
        _get(layer.path)
        for name in layer.arguments:
            assert name == "inplace" or layer.op.parameter(name) is not None, (layer, name)
    assert layer_named("torch.nn.modules.linear.Linear") is layer_named("torch.nn.Linear")


def _kind(argument: object) -> str:
    if argument is None:
        return NONE
    if argument == "?":
        return UNKNOWN
    if isinstance(argument, str):
        return TENSOR
    return SEQUENCE if isinstance(argument, (tuple, list)) else SCALAR


def _bound(
    path: str, *positional: object, **keywords: object
) -> tuple[str, dict[str, object]] | None:
    found = bind(resolve(path), None, positional, keywords, _kind)
    if found is None:
        return None
    return found.spelling.op.name, {**found.filled, **found.given}


def test_names_of_arguments_are_normalised() -> None:
    wanted = ("sum", {"input": "x", "dim": 1, "keepdim": True, "dtype": None})
    assert _bound("torch.sum", "x", dim=1, keepdim=True) == wanted
    assert _bound("torch.sum", "x", 1, True) == wanted
    assert _bound("numpy.sum", "x", axis=1, keepdims=True) == wanted
    assert _bound("jax.numpy.sum", "x", 1, keepdims=True) == wanted


def test_differences_in_meaning_are_kept() -> None:
    for path, correction in (("torch.std", 1), ("numpy.std", 0), ("jax.numpy.std", 0)):
        found = _bound(path, "x")
        assert found is not None and found[1]["correction"] == correction
    assert _bound("numpy.dot", "x", "y")[0] == "numpy_dot"  # type: ignore[index]
    assert _bound("torch.dot", "x", "y")[0] == "matmul"  # type: ignore[index]
    assert _bound("jax.nn.gelu", "x")[0] == "jax_gelu"  # type: ignore[index]
    assert _bound("triton.language.maximum", "x", "y")[0] == "fmax"  # type: ignore[index]


def test_overloads_are_told_apart_by_their_arguments() -> None:
    assert _bound("torch.max", "x")[0] == "amax"  # type: ignore[index]
    assert _bound("torch.max", "x", 1)[0] == "max_dim"  # type: ignore[index]
    assert _bound("torch.max", "x", dim=1, keepdim=True)[0] == "max_dim"  # type: ignore[index]
    assert _bound("torch.max", "x", "y")[0] == "maximum"  # type: ignore[index]
    assert _bound("torch.max", "x", "?") is None, "an int or an array: nothing says which"
    assert _bound("numpy.max", "x", 1)[0] == "amax"  # type: ignore[index]


def test_arguments_that_are_not_understood_do_not_bind() -> None:
    assert _bound("torch.sum", "x", out="y") is None
    assert _bound("numpy.add", "x", "y", where="m") is None
    assert _bound("torch.sum") is None
    assert _bound("torch.sum", "x", 1, dim=1) is None


def test_in_place_methods_come_from_the_op_without_underscore() -> None:
    (found,) = method("torch", "add_")
    assert found.in_place and found.op.name == "add"
    assert method("numpy", "add_") == ()


def test_types_come_from_the_reference() -> None:
    weight = TensorType("float32", (512, 256))
    product = infer(op_named("matmul"), (F32, weight), {})
    assert isinstance(product, TensorType) and product.shape == (64, 256)
    total = infer(op_named("sum"), (TensorType("int32", (4,)),), {})
    assert isinstance(total, TensorType) and total.dtype == "int64"
    pair = infer(op_named("max_dim"), (F32,), {"dim": 1})
    assert isinstance(pair, tuple) and pair[1].dtype == "int64"
    assert infer(op_named("matmul"), (F32, F32), {}) is None, "shapes that do not fit"


def test_outside_torch_types_are_only_believed_where_frameworks_agree() -> None:
    single = TensorType("float32", (4,), framework="numpy")
    double = TensorType("float64", (4,), framework="numpy")
    whole = TensorType("int32", (4,), framework="jax")
    assert infer(op_named("add"), (single, single), {}) == single
    assert infer(op_named("add"), (single, double), {}) is None
    assert infer(op_named("sum"), (whole,), {}) is None
    assert infer(op_named("add"), (single, TensorType("float32", (4,))), {}) is None


def test_expressions_are_written_in_the_surrounding_framework() -> None:
    def name_of(path: str) -> str | None:
        for known, name in (("torch.nn.functional", "F"), ("torch", "t"), ("jax.numpy", "jnp")):
            if path.startswith(known + "."):
                return name + path[len(known) :]
        return None

    x, y = Written("x"), Written("a + b", 12)
    assert (
        spell(op_named("sum"), "torch", {"input": y, "dim": 1}, name_of).text
        == "(a + b).sum(dim=1)"
    )
    assert spell(op_named("sum"), "numpy", {"input": x, "dim": 1}, name_of).text == "x.sum(axis=1)"
    assert (
        spell(op_named("matmul"), "torch", {"input": x, "other": y}, name_of).text == "x @ (a + b)"
    )
    assert spell(op_named("relu"), "torch", {"input": x}, name_of).text == "t.relu(x)"
    assert spell(op_named("mish"), "torch", {"input": x}, name_of).text == "F.mish(x)"
    assert spell(op_named("exp"), "jax", {"input": x}, name_of).text == "jnp.exp(x)"
    power = spell(op_named("pow"), "torch", {"input": Written("-x", 14), "exponent": 2}, name_of)
    assert power.text == "(-x) ** 2"
    with pytest.raises(CannotSpell):
        spell(op_named("mish"), "numpy", {"input": x}, name_of)


def test_operators_written_and_read_back_mean_the_same() -> None:
    import ast

    names = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.Pow: "pow"}

    def write(node: ast.expr) -> Written:
        if isinstance(node, ast.Name):
            return Written(node.id)
        assert isinstance(node, ast.BinOp)
        op = op_named(names[type(node.op)])
        operands = dict(
            zip((p.name for p in op.operands), (write(node.left), write(node.right)), strict=True)
        )
        return spell(op, "torch", operands, lambda path: None)

    for text in ("a - (b - c)", "(a - b) - c", "a / (b * c)", "(a + b) * c", "a ** b ** c",
                 "(a ** b) ** c", "a * (b / c) - (a - b)"):  # fmt: skip
        tree = ast.parse(text, mode="eval").body
        assert ast.dump(ast.parse(write(tree).text, mode="eval").body) == ast.dump(tree)


def test_every_op_has_at_least_one_spelling_but_for_subscripts() -> None:
    without = [op.name for op in ops() if not spellings_of(op.name)]
    assert set(without) <= {"getitem", "slice", "identity"}
    assert any(s.form == PROPERTY for s in spellings_of("reverse_dims"))
