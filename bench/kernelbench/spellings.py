"""Ways to write a model's forward otherwise. Each may fail; `perturb` runs what comes out.

All act on the method `forward` of the class Model, and on its __init__ where names are given.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import Any

import libcst as cst
import libcst.matchers as m

Spelling = Callable[[cst.Module, random.Random], cst.Module]

_LIKELY = 0.7
_NOT_TENSORS = {"self", "torch", "F", "nn", "math", "np"}

_CONV = "{m}.weight, {m}.bias, {m}.stride, {m}.padding"
_POOL = "{m}.kernel_size, {m}.stride, {m}.padding"
# Layers and what their forward calls; {x} is the argument, {m} the layer.
_FUNCTIONAL = {
    "Linear": "linear({x}, {m}.weight, {m}.bias)",
    **{f"Conv{n}d": f"conv{n}d({{x}}, {_CONV}, {{m}}.dilation, {{m}}.groups)" for n in (1, 2, 3)},
    **{
        f"ConvTranspose{n}d": f"conv_transpose{n}d({{x}}, {_CONV}, {{m}}.output_padding, "
        "{m}.groups, {m}.dilation)"
        for n in (1, 2, 3)
    },
    **{f"MaxPool{n}d": f"max_pool{n}d({{x}}, {_POOL}, {{m}}.dilation)" for n in (1, 2, 3)},
    **{f"AvgPool{n}d": f"avg_pool{n}d({{x}}, {_POOL})" for n in (1, 2, 3)},
    **{
        f"Adaptive{k}Pool{n}d": f"adaptive_{k.lower()}_pool{n}d({{x}}, {{m}}.output_size)"
        for k in ("Avg", "Max")
        for n in (1, 2, 3)
    },
    **{
        f"BatchNorm{n}d": "batch_norm({x}, {m}.running_mean, {m}.running_var, {m}.weight, "
        "{m}.bias, {m}.training, {m}.momentum, {m}.eps)"
        for n in (1, 2, 3)
    },
    "LayerNorm": "layer_norm({x}, {m}.normalized_shape, {m}.weight, {m}.bias, {m}.eps)",
    "GroupNorm": "group_norm({x}, {m}.num_groups, {m}.weight, {m}.bias, {m}.eps)",
    "ReLU": "relu({x})", "GELU": "gelu({x}, approximate={m}.approximate)", "SiLU": "silu({x})",
    "Mish": "mish({x})", "Hardswish": "hardswish({x})", "Sigmoid": "sigmoid({x})",
    "Tanh": "tanh({x})", "Softmax": "softmax({x}, dim={m}.dim)",
    "LeakyReLU": "leaky_relu({x}, {m}.negative_slope)",
    "Hardtanh": "hardtanh({x}, {m}.min_val, {m}.max_val)",
    "Dropout": "dropout({x}, {m}.p, {m}.training)",
}  # fmt: skip

_METHODS = {
    "abs", "add", "amax", "amin", "clamp", "div", "exp", "flatten", "log", "logsumexp", "matmul",
    "max", "mean", "min", "mul", "permute", "relu", "sigmoid", "softmax", "sqrt", "squeeze", "sub",
    "sum", "tanh", "transpose", "unsqueeze",
}  # fmt: skip
_OPERATORS: dict[type[cst.BaseBinaryOp], str] = {
    cst.Add: "add", cst.Subtract: "sub", cst.Multiply: "mul", cst.Divide: "div",
    cst.MatrixMultiply: "matmul",
}  # fmt: skip
_FUNCTIONS = {name: kind for kind, name in _OPERATORS.items()}
_KEEPING = {"sum", "mean", "logsumexp", "amax", "amin"}


class _Forward(cst.CSTTransformer):
    """Changes expressions inside Model.forward, each with a probability."""

    def __init__(self, rng: random.Random, likely: float = _LIKELY) -> None:
        super().__init__()
        self.rng, self.likely, self.inside = rng, likely, False
        self.classes: list[str] = []

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        self.classes.append(node.name.value)

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> Any:
        self.classes.pop()
        return updated_node

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        if self.classes == ["Model"] and node.name.value == "forward":
            self.inside = True
            self.enter(node)

    def leave_FunctionDef(
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> Any:
        if self.classes == ["Model"] and original_node.name.value == "forward":
            self.inside = False
            return self.finish(updated_node)
        return updated_node

    def enter(self, node: cst.FunctionDef) -> None:
        pass

    def finish(self, node: cst.FunctionDef) -> cst.FunctionDef:
        return node

    def chance(self) -> bool:
        return self.inside and self.rng.random() < self.likely


def _visited(kind: Callable[..., _Forward]) -> Spelling:
    def apply(tree: cst.Module, rng: random.Random) -> cst.Module:
        return tree.visit(kind(rng))

    return apply


# --- layers and functions


def functional(tree: cst.Module, rng: random.Random) -> cst.Module:
    """self.conv(x) becomes F.conv2d(x, self.conv.weight, ...)."""
    layers = _layers(tree)
    has_f = bool(re.search(r"^import torch\.nn\.functional as F$", tree.code, re.MULTILINE))
    prefix = "F" if has_f else "torch.nn.functional"

    class Functional(_Forward):
        def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> Any:
            name = _attribute_of_self(updated_node.func)
            if name not in layers or len(updated_node.args) != 1 or not self.chance():
                return updated_node
            argument = updated_node.args[0]
            if argument.keyword is not None or argument.star:
                return updated_node
            text = _FUNCTIONAL[layers[name]].format(
                x=_code(argument.value).strip(), m=f"self.{name}"
            )
            return cst.parse_expression(f"{prefix}.{text}")

    return tree.visit(Functional(rng))


def _layers(tree: cst.Module) -> dict[str, str]:
    """Attributes of Model that hold one layer of a kind that has a function."""
    found: dict[str, str] = {}
    pattern = m.Assign(
        targets=[m.AssignTarget(m.Attribute(m.Name("self"), m.SaveMatchedNode(m.Name(), "name")))],
        value=m.SaveMatchedNode(m.Call(func=m.Attribute()), "call"),
    )
    for saved in m.extractall(_model(tree), pattern):
        call, name = saved["call"], saved["name"]
        assert isinstance(call, cst.Call) and isinstance(name, cst.Name)
        kind = _code(call.func).rpartition(".")
        keywords = {a.keyword.value for a in call.args if a.keyword}
        special = {"padding_mode", "ceil_mode", "count_include_pad", "return_indices"} & keywords
        if kind[0] in ("nn", "torch.nn") and kind[2] in _FUNCTIONAL and not special:
            found[name.value] = kind[2]
    return found


class _ToMethods(_Forward):
    """torch.sum(x, dim=1) becomes x.sum(dim=1)."""

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> Any:
        name = _of_torch(updated_node.func)
        arguments = updated_node.args
        if name not in _METHODS or not arguments or arguments[0].keyword or not self.chance():
            return updated_node
        receiver = _bracketed(arguments[0].value)
        return updated_node.with_changes(
            func=cst.Attribute(receiver, cst.Name(name)), args=_listed(arguments[1:])
        )


class _ToFunctions(_Forward):
    """x.sum(dim=1) becomes torch.sum(x, dim=1)."""

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> Any:
        func = updated_node.func
        if not isinstance(func, cst.Attribute) or func.attr.value not in _METHODS:
            return updated_node
        if _code(func.value).split(".")[0] in _NOT_TENSORS and not isinstance(func.value, cst.Call):
            return updated_node
        if not self.chance():
            return updated_node
        function = cst.Attribute(cst.Name("torch"), func.attr)
        arguments = [cst.Arg(func.value), *updated_node.args]
        return updated_node.with_changes(func=function, args=_listed(arguments))


class _ToOperators(_Forward):
    """torch.add(x, y) becomes x + y."""

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> Any:
        kind = _FUNCTIONS.get(_of_torch(updated_node.func))
        arguments = updated_node.args
        if kind is None or len(arguments) != 2 or any(a.keyword for a in arguments):
            return updated_node
        return (
            _binary(arguments[0].value, kind(), arguments[1].value)
            if self.chance()
            else updated_node
        )


class _FromOperators(_Forward):
    """x + y becomes torch.add(x, y) where x looks like a tensor."""

    def enter(self, node: cst.FunctionDef) -> None:
        self.tensors = {p.name.value for p in node.params.params[1:] if p.default is None}

    def leave_BinaryOperation(
        self, original_node: cst.BinaryOperation, updated_node: cst.BinaryOperation
    ) -> Any:
        if not self.inside:
            return updated_node
        name = _OPERATORS.get(type(updated_node.operator))
        left = updated_node.left
        is_tensor = isinstance(left, cst.Call) or _code(left) in self.tensors
        if name is None or not is_tensor or not self.chance():
            return updated_node
        arguments = [cst.Arg(_unbracketed(left)), cst.Arg(_unbracketed(updated_node.right))]
        function = cst.Attribute(cst.Name("torch"), cst.Name(name))
        return cst.Call(function, _listed(arguments))


class _Commuted(_Forward):
    """x + y becomes y + x, and x * y becomes y * x."""

    def leave_BinaryOperation(
        self, original_node: cst.BinaryOperation, updated_node: cst.BinaryOperation
    ) -> Any:
        if not isinstance(updated_node.operator, (cst.Add, cst.Multiply)) or not self.chance():
            return updated_node
        return _binary(updated_node.right, updated_node.operator, updated_node.left)


# --- dimensions


class _OtherDim(_Forward):
    """dim=-1 becomes dim=1 and the other way, at one place."""

    def enter(self, node: cst.FunctionDef) -> None:
        places = m.findall(node, m.Arg(keyword=m.Name("dim"), value=_DIM))
        self.place = self.rng.choice(places) if places else None

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> Any:
        if not self.inside or original_node is not self.place:
            return updated_node
        other = "-1" if _code(updated_node.value) == "1" else "1"
        return updated_node.with_changes(value=cst.parse_expression(other))


_DIM = m.Integer("1") | m.UnaryOperation(operator=m.Minus(), expression=m.Integer("1"))


class _KeepAndSqueeze(_Forward):
    """x.sum(dim=1) becomes x.sum(dim=1, keepdim=True).squeeze(1)."""

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> Any:
        if not isinstance(updated_node.func, cst.Attribute):
            return updated_node
        if updated_node.func.attr.value not in _KEEPING:
            return updated_node
        named = {a.keyword.value: a.value for a in updated_node.args if a.keyword}
        dim = named.get("dim")
        if dim is None or not re.fullmatch(r"-?\d+", _code(dim)) or "keepdim" in named:
            return updated_node
        if not self.chance():
            return updated_node
        keep = cst.Arg(cst.Name("True"), keyword=cst.Name("keepdim"), equal=_EQUAL)
        kept = updated_node.with_changes(args=_listed([*updated_node.args, keep]))
        return cst.Call(cst.Attribute(kept, cst.Name("squeeze")), [cst.Arg(dim)])


_EQUAL = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))

# --- names and statements


class _Renamed(_Forward):
    """Other names for the locals of forward, its parameters included."""

    def enter(self, node: cst.FunctionDef) -> None:
        stored = {n.value for t in m.findall(node.body, m.AssignTarget()) for n in _names(t)}
        parameters = {p.name.value for p in node.params.params[1:]}
        self.new = {
            name: f"{self.rng.choice(_WORDS)}_{number}"
            for number, name in enumerate(sorted((stored | parameters) - {"self"}))
        }
        # A name that is also a keyword or an attribute is told apart below by its parent.
        self.kept: set[int] = set()

    def visit_Arg(self, node: cst.Arg) -> None:
        if self.inside and node.keyword is not None:
            self.kept.add(id(node.keyword))

    def visit_Attribute(self, node: cst.Attribute) -> None:
        if self.inside:
            self.kept.add(id(node.attr))

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> Any:
        if not self.inside or id(original_node) in self.kept:
            return updated_node
        return updated_node.with_changes(
            value=self.new.get(original_node.value, original_node.value)
        )


_WORDS = ("h", "value", "out", "tmp", "y", "features", "state", "res")


def renamed_attributes(tree: cst.Module, rng: random.Random) -> cst.Module:
    """Other names for what Model's __init__ assigns to self."""
    target = m.AssignTarget(m.Attribute(m.Name("self"), m.SaveMatchedNode(m.Name(), "name")))
    names = {s["name"].value for s in m.extractall(_model(tree), target)}  # type: ignore[union-attr]
    new = {name: f"{rng.choice(_WORDS)}_{name[:1]}{n}" for n, name in enumerate(sorted(names))}

    class Attributes(cst.CSTTransformer):
        def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> Any:
            if not m.matches(updated_node.value, m.Name("self")):
                return updated_node
            name = updated_node.attr.value
            return updated_node.with_changes(attr=cst.Name(new.get(name, name)))

    model = _model(tree)
    return tree.with_deep_changes(model, body=model.body.visit(Attributes()))


class _Hidden(_Forward):
    """Numbers in forward get names of their own."""

    def enter(self, node: cst.FunctionDef) -> None:
        self.named: list[cst.BaseExpression] = []

    def _name(self, node: cst.BaseExpression) -> cst.BaseExpression:
        if not self.chance() or len(self.named) >= 3:
            return node
        self.named.append(node)
        return cst.Name(f"constant_{len(self.named)}")

    def leave_Integer(self, original_node: cst.Integer, updated_node: cst.Integer) -> Any:
        return self._name(updated_node)

    def leave_Float(self, original_node: cst.Float, updated_node: cst.Float) -> Any:
        return self._name(updated_node)

    def finish(self, node: cst.FunctionDef) -> cst.FunctionDef:
        lines = [
            cst.parse_statement(f"constant_{number} = {_code(value)}")
            for number, value in enumerate(self.named, 1)
        ]
        body = list(node.body.body)
        at = 1 if node.get_docstring() is not None else 0
        return _with_body(node, [*body[:at], *lines, *body[at:]])


class _Split(_Forward):
    """f(g(x)) becomes t = g(x); f(t): what is evaluated first is taken out."""

    def finish(self, node: cst.FunctionDef) -> cst.FunctionDef:
        lines: list[Any] = []
        for number, line in enumerate(node.body.body):
            value = _value(line)
            first = _first(value) if value is not None else None
            if first is None or self.rng.random() > self.likely:
                lines.append(line)
                continue
            name = f"part_{number}"
            lines.append(cst.parse_statement(f"{name} = {_code(_unbracketed(first))}"))
            lines.append(line.deep_replace(first, cst.Name(name)))
        return _with_body(node, lines)


class _Merged(_Forward):
    """t = g(x); return f(t) becomes return f(g(x)), where t is read once, and there."""

    def finish(self, node: cst.FunctionDef) -> cst.FunctionDef:
        lines = list(node.body.body)
        at = 0
        while at + 1 < len(lines):
            name, value, user = _assigned(lines[at]), _value(lines[at]), _value(lines[at + 1])
            if name is None or value is None or user is None or self.rng.random() > self.likely:
                at += 1
                continue
            reads = [n for n in m.findall(user, m.Name(name)) if isinstance(n, cst.Name)]
            is_last = _assigned(lines[at + 1]) == name or not any(
                n.value == name for later in lines[at + 2 :] for n in _names(later)
            )
            if len(reads) != 1 or not is_last:
                at += 1
                continue
            lines[at + 1] = lines[at + 1].deep_replace(reads[0], _bracketed(value))
            del lines[at]
        return _with_body(node, lines)


class _Reordered(_Forward):
    """Neighbouring assignments that do not read each other change places."""

    def finish(self, node: cst.FunctionDef) -> cst.FunctionDef:
        lines = list(node.body.body)
        at = 0
        while at + 1 < len(lines):
            if _independent(lines[at], lines[at + 1]) and self.rng.random() < self.likely:
                lines[at : at + 2] = [lines[at + 1], lines[at]]
                at += 1
            at += 1
        return _with_body(node, lines)


SPELLINGS: dict[str, Spelling] = {
    "functional": functional,
    "methods": _visited(_ToMethods),
    "functions": _visited(_ToFunctions),
    "operators": _visited(_ToOperators),
    "named operators": _visited(_FromOperators),
    "commuted": _visited(_Commuted),
    "other dim": _visited(_OtherDim),
    "keepdim": _visited(_KeepAndSqueeze),
    "renamed": _visited(_Renamed),
    "renamed attributes": renamed_attributes,
    "named constants": _visited(_Hidden),
    "split": _visited(_Split),
    "merged": _visited(_Merged),
    "reordered": _visited(_Reordered),
}

# --- trees


def _code(node: cst.CSTNode) -> str:
    return cst.Module([]).code_for_node(node)


def _model(tree: cst.Module) -> cst.ClassDef:
    """Raises LookupError where there is no class Model."""
    for node in tree.body:
        if isinstance(node, cst.ClassDef) and node.name.value == "Model":
            return node
    raise LookupError("no class Model")


def _attribute_of_self(node: cst.BaseExpression) -> str:
    is_one = m.matches(node, m.Attribute(m.Name("self"), m.Name()))
    return node.attr.value if is_one and isinstance(node, cst.Attribute) else ""


def _of_torch(node: cst.BaseExpression) -> str:
    is_one = m.matches(node, m.Attribute(m.Name("torch"), m.Name()))
    return node.attr.value if is_one and isinstance(node, cst.Attribute) else ""


def _bracketed(node: cst.BaseExpression) -> cst.BaseExpression:
    if isinstance(node, (cst.Name, cst.Call, cst.Attribute, cst.Subscript)) or node.lpar:
        return node
    return node.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])


def _unbracketed(node: cst.BaseExpression) -> cst.BaseExpression:
    return node.with_changes(lpar=[], rpar=[])


def _binary(
    left: cst.BaseExpression, operator: cst.BaseBinaryOp, right: cst.BaseExpression
) -> cst.BaseExpression:
    return cst.BinaryOperation(
        _bracketed(left), operator, _bracketed(right),
        lpar=[cst.LeftParen()], rpar=[cst.RightParen()],
    )  # fmt: skip


def _listed(arguments: Sequence[cst.Arg]) -> list[cst.Arg]:
    """Commas as an argument list needs them."""
    space = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    return [
        a.with_changes(comma=space if n + 1 < len(arguments) else cst.MaybeSentinel.DEFAULT)
        for n, a in enumerate(arguments)
    ]


def _with_body(node: cst.FunctionDef, lines: Sequence[Any]) -> cst.FunctionDef:
    return node.with_changes(body=node.body.with_changes(body=list(lines)))


def _names(node: cst.CSTNode) -> list[cst.Name]:
    return [n for n in m.findall(node, m.Name()) if isinstance(n, cst.Name)]


def _statement(line: cst.CSTNode) -> cst.CSTNode | None:
    if isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1:
        return line.body[0]
    return None


def _value(line: cst.CSTNode) -> cst.BaseExpression | None:
    """What an assignment or a return evaluates."""
    statement = _statement(line)
    return statement.value if isinstance(statement, (cst.Assign, cst.Return)) else None


def _assigned(line: cst.CSTNode) -> str | None:
    """The one name that a line assigns."""
    statement = _statement(line)
    if isinstance(statement, cst.Assign) and len(statement.targets) == 1:
        target = statement.targets[0].target
        return target.value if isinstance(target, cst.Name) else None
    return None


def _first(value: cst.BaseExpression) -> cst.BaseExpression | None:
    """The part that is evaluated first, where it is worth a name."""
    part: cst.BaseExpression | None = None
    if isinstance(value, cst.Call):
        is_method = isinstance(value.func, cst.Attribute) and isinstance(
            value.func.value, (cst.Call, cst.BinaryOperation)
        )
        if is_method:
            part = value.func.value  # type: ignore[attr-defined]
        elif value.args and not value.args[0].star:
            part = value.args[0].value
    elif isinstance(value, cst.BinaryOperation):
        part = value.left
    return part if isinstance(part, (cst.Call, cst.BinaryOperation)) else None


_HAS_EFFECTS = re.compile(r"_\(|dropout|rand|bernoulli|\bdel\b|print")


def _independent(one: cst.CSTNode, other: cst.CSTNode) -> bool:
    names = _assigned(one), _assigned(other)
    if None in names or names[0] == names[1]:
        return False
    if any(_HAS_EFFECTS.search(_code(line)) for line in (one, other)):
        return False
    values = _value(one), _value(other)
    assert values[0] is not None and values[1] is not None
    reads = [{n.value for n in _names(value)} for value in values]  # type: ignore[arg-type]
    return names[0] not in reads[1] and names[1] not in reads[0]
