# ruff: noqa: E501 (programs on one line)
"""The value graph: what names stand for, and what changes that."""

from __future__ import annotations

from semrep.ir.module import Module
from semrep.ir.signature import TensorType
from semrep.ir.values import ATTRIBUTE, OP, OPAQUE, Value, ValueGraph, same_structure, value_graph
from tests.passes.signature_text import parse_signature

HEAD = "import math\nimport torch\nimport torch.nn.functional as F\n\n"
SIGNATURE = "f(a: f32[4, 8], b: f32[8, 6])"


def _graph(body: str, signature: str | None = SIGNATURE, arguments: str = "a, b") -> ValueGraph:
    lines = "".join(f"    {line}\n" for line in body.strip("\n").split("\n"))
    module = Module.from_text(f"{HEAD}def f({arguments}):\n{lines}", "case.py")
    if signature is not None:
        module = module.with_signature(parse_signature(signature))
    placed = module.function("f")
    assert placed is not None
    return value_graph(module, placed.unit)


def _method(body: str, signature: str) -> ValueGraph:
    lines = "".join(f"        {line}\n" for line in body.split("\n"))
    text = f"{HEAD}class Model(torch.nn.Module):\n    def forward(self, x):\n{lines}"
    module = Module.from_text(text, "case.py").with_signature(parse_signature(signature))
    placed = module.function("Model.forward")
    assert placed is not None
    return value_graph(module, placed.unit)


def _returned(graph: ValueGraph) -> Value:
    return next(v for v in reversed(graph.values) if any(u.how == "returned" for u in v.uses))


def _loaded(graph: ValueGraph, name: str) -> Value:
    """What the last load of a name gives."""
    nodes = [n for n in graph.unit.nodes("identifier") if n.text == name and graph.loaded(n)]
    binding = graph.loaded(nodes[-1])
    assert binding is not None
    return binding.value


def test_statements_names_and_spellings_are_gone() -> None:
    one = _returned(_graph("return torch.sum(torch.matmul(a, b), dim=1)"))
    two = _returned(_graph("y = a @ b\nz = y\nreturn z.sum(dim=1)"))
    assert str(one) == str(two)
    assert isinstance(two.type, TensorType) and two.type.shape == (4,)


def test_tuple_assignment_and_unpacking() -> None:
    graph = _graph("x, y = a + 1, b\nv, i = torch.max(x, dim=1)\nreturn v")
    value = _returned(graph)
    assert value.op_name == "getitem" and value.arguments["input"].op_name == "max_dim"
    assert value.tensor is not None and value.tensor.shape == (4,)


def test_a_name_may_stand_for_a_value_only_while_it_means_it() -> None:
    graph = _graph("x = a @ b\ny = x\nx = x + 1\nreturn x")
    product = graph.with_op("matmul")[0]
    statements = graph.unit.nodes("block")[0].operands
    at_end = graph.before(statements[-1])
    assert at_end is not None and at_end.name_of(product) == "y"
    first = graph.definitions[0]
    assert at_end.name_of(product, frozenset(graph.definitions[:2])) is None
    assert first.name == "x" and len(first.loads) == 2


def test_without_a_dead_definition_the_name_means_what_it_did_before() -> None:
    graph = _graph("a = a @ b\na = a.sum(1)\nreturn a")
    statements = graph.unit.nodes("block")[0].operands
    before = graph.before(statements[1])
    parameter = graph.with_op("matmul")[0].arguments["input"]
    assert before is not None and before.name_of(parameter) is None
    assert before.name_of(parameter, frozenset(graph.definitions[:1])) == "a"


def test_branches_make_names_opaque_where_they_differ() -> None:
    graph = _graph("x = a + 1\ny = a + 2\nif b:\n    x = a\nreturn x, y", None)
    assert _loaded(graph, "x").kind == OPAQUE
    assert _loaded(graph, "y").op_name == "add"
    graph = _graph("if b:\n    x = a\n    return x\nelse:\n    x = a + 1\nreturn x", None)
    assert _loaded(graph, "x").op_name == "add", "the branch that leaves has no say"


def test_loops_make_what_they_assign_opaque_inside_and_after() -> None:
    graph = _graph(
        "x = a + 1\ny = a + 2\nfor i in range(3):\n    x = x * 2\n    z = y\nreturn x, z, y", None
    )
    inside = graph.with_op("mul")[0]
    assert inside.arguments["input"].kind == OPAQUE
    assert _loaded(graph, "x").kind == OPAQUE and _loaded(graph, "y").op_name == "add"
    assert inside.region and not graph.with_op("add")[0].region
    assert all(
        d.is_pinned
        for d in graph.definitions
        if d.name == "x" and d.statement.parent.parent.kind == "for_statement"
    )  # type: ignore[union-attr]


def test_mutation_reaches_every_alias() -> None:
    graph = _graph("x = a + 1\ny = x.T\nz = x * 2\nx.mul_(3)\nreturn x, y, z")
    assert _loaded(graph, "x").is_in_place
    assert _loaded(graph, "y").kind == OPAQUE and _loaded(graph, "y").tensor is not None
    assert _loaded(graph, "z").op_name == "mul" and not _loaded(graph, "z").is_in_place


def test_arguments_may_alias_each_other() -> None:
    graph = _graph("x = a + 1\na += 1\nreturn b, x")
    assert _loaded(graph, "b").kind == OPAQUE, "b may be a"
    assert _loaded(graph, "x").op_name == "add"


def test_element_assignment_and_out_arguments_mutate() -> None:
    assert _loaded(_graph("x = a + 1\nx[0] = 2\nreturn x"), "x").kind == OPAQUE
    assert _loaded(_graph("x = a + 1\ntorch.add(a, a, out=x)\nreturn x"), "x").kind == OPAQUE


def test_unknown_code_may_change_what_it_can_reach() -> None:
    graph = _graph("x = a + 1\ny = a + 2\ng(x)\nreturn x, y, a")
    assert _loaded(graph, "x").kind == OPAQUE and _loaded(graph, "a").kind == OPAQUE
    assert _loaded(graph, "y").op_name == "add", "a local that nobody else has seen"
    graph = _graph("x = a + 1\ng(x)\ny = x\ng()\nreturn y")
    assert _loaded(graph, "y").kind == OPAQUE, "it may have kept x"


def test_harmless_functions_change_nothing() -> None:
    graph = _graph("x = a + 1\nprint(x)\nn = len(x)\nassert n > 0\nreturn x")
    assert _loaded(graph, "x").op_name == "add"
    assert {u.how for u in graph.with_op("add")[0].uses} == {"passed", "returned"}


def test_closures_pin_what_they_see() -> None:
    graph = _graph("x = a + 1\ndef g():\n    return x\nreturn g")
    assert graph.definitions[0].is_pinned
    assert "captured" in {u.how for u in graph.with_op("add")[0].uses}
    graph = _graph("x = a + 1\ndef g():\n    nonlocal x\n    x = 2\ng()\nreturn x")
    assert _returned(graph).kind == OPAQUE


def test_names_looked_up_by_strings_leave_no_graph() -> None:
    assert _graph("x = a\neval('x')\nreturn x").unsupported
    assert _graph("yield a").unsupported


def test_a_walrus_taints_its_statement() -> None:
    graph = _graph("return (x := a + 1) @ b")
    assert all(v.is_tainted for v in graph.with_op("matmul"))


def test_layers_are_operations_with_their_weights() -> None:
    signature = "Model.forward(x: f32[4, 8], self.linear: Linear(8, 6), self.conv: Conv2d(3, 4, 3, bias=False))"
    graph = _method("y = self.linear(x)\nreturn y", signature)
    (linear,) = graph.with_op("linear")
    weight = linear.arguments["weight"]
    assert weight.kind == ATTRIBUTE and weight.label == "self.linear.weight"
    assert weight.tensor is not None and weight.tensor.shape == (6, 8)
    assert linear.tensor is not None and linear.tensor.shape == (4, 6)


def test_layers_that_draw_or_write_are_not_pure() -> None:
    drop = "Model.forward(x: f32[4, 8], self.drop: Dropout(0.5){})"
    assert not _method("return self.drop(x)", drop.format("")).with_op("dropout")[0].is_pure
    assert _method("return self.drop(x)", drop.format(".eval()")).with_op("dropout")[0].is_pure
    norm = "Model.forward(x: f32[4, 8], self.bn: BatchNorm1d(8){})"
    assert not _method("return self.bn(x)", norm.format("")).with_op("batch_norm")[0].is_pure
    assert _method("return self.bn(x)", norm.format(".eval()")).with_op("batch_norm")[0].is_pure
    relu = "Model.forward(x: f32[4, 8], self.relu: ReLU(inplace=True))"
    assert _method("return self.relu(x)", relu).with_op("relu")[0].is_in_place


def test_layers_with_hooks_are_opaque() -> None:
    signature = "Model.forward(x: f32[4, 8], self.linear: nn.utils.parametrizations.weight_norm(Linear(8, 6)))"
    assert not _method("return self.linear(x)", signature).with_op("linear")


def test_changing_modes_inside_makes_settings_unknown() -> None:
    signature = "Model.forward(x: f32[4, 8], self.drop: Dropout(0.5).eval())"
    graph = _method("self.train()\nreturn self.drop(x)", signature)
    assert not graph.with_op("dropout")


def test_sizes_are_constants() -> None:
    graph = _graph("n = a.shape[0]\nd = math.sqrt(a.size(-1))\nh, w = b.shape\nreturn n, d, h")
    assert [_loaded(graph, n).constant for n in ("n", "h")] == [4, 8]
    assert abs(_loaded(graph, "d").constant - 8**0.5) < 1e-12


def test_equal_structure() -> None:
    graph = _graph("x = a + 1\ny = a + 1\nz = a + 2\nreturn x, y, z")
    x, y, z = (_loaded(graph, n) for n in "xyz")
    assert x is not y and same_structure(x, y) and not same_structure(x, z)
    graph = _graph("x = g(a)\ny = g(a)\nreturn x, y")
    assert not same_structure(_loaded(graph, "x"), _loaded(graph, "y"))


def test_the_graph_as_networkx() -> None:
    graph = _graph("return torch.sum(a @ b, dim=1)").graph()
    labels = {d["label"] for _, d in graph.nodes(data=True)}
    assert {"matmul", "sum", "a", "b"} <= labels
    assert any(d["parameter"] == "other" for _, _, d in graph.edges(data=True))


def test_arrays_of_unknown_type_still_have_operations() -> None:
    graph = _graph("y = torch.matmul(a, b)\nreturn y.sum(1)", None)
    assert _returned(graph).kind == OP and _returned(graph).type is None


def test_huge_constants_are_not_computed() -> None:
    literal = "0x" + "f" * 5000
    for text in ("10**5000", "2**10**9", "'a' * 10**10", literal, f"-{literal}", f"{literal} + 1"):
        assert _graph(f"return torch.sum(a), {text}").op_names() == {"sum"}
    assert any(v.constant == 1024 for v in _graph("return a * 2**10").values)
