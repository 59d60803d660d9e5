"""Linear layers of a time loop, taken out of it: all steps in one product.

Rewrite:     for t in range(n): h = tanh(self.cell(torch.cat((x[t], h), dim=1)))
             -->   projected = F.linear(x, self.cell.weight[:, :k], self.cell.bias)
                   for t in range(n): h = tanh(projected[t] + F.linear(h, self.cell.weight[:, k:]))
Legal when:  the layer is a plain nn.Linear; x is an array that the loop neither rebinds nor
             changes, indexed by the loop's counter; nothing in the loop is unknown code.
Numerics:    reassociates (a sum of two products; products of another size).
Refuses:     unknown-shape, layer, element, has-effects, no-name, no-place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.emit import SUM, delete_statement, fresh_name, insert_before, replace, stands_alone
from semrep.ir.module import Module
from semrep.ir.scopes import scopes
from semrep.ir.signature import LayerType
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.ir.values import OP, ValueGraph, value_graph
from semrep.passes.base import TENSOR, NodePass, Refusal, refuse
from semrep.passes.contract import OBSERVED, REASSOCIATES, Contract
from semrep.passes.loop.loops import enclosing_loop, stored_names
from semrep.passes.registry import register
from semrep.passes.rule_rewrite import name_of_path


@register
@dataclass(frozen=True, slots=True)
class HoistRecurrentProjection(NodePass):
    """Project all inputs of a time loop before it, in one product."""

    name: ClassVar[str] = "hoist-recurrent-projection"
    dialects: ClassVar[frozenset[str]] = frozenset({TENSOR})
    contract: ClassVar[Contract] = REASSOCIATES.assuming(OBSERVED)
    objectives: ClassVar[frozenset[str]] = frozenset({"latency"})
    anchors: ClassVar[frozenset[str]] = frozenset({"call"})

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        loop = enclosing_loop(node)
        if unit.kind != FUNCTION or loop is None or loop.kind != "for_statement":
            return False
        argument = _only_argument(node)
        if argument is None or node["function"].kind != "attribute":
            return False
        return (
            _element(loop, argument) is not None or _concatenation(unit, loop, argument) is not None
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        loop, argument = enclosing_loop(node), _only_argument(node)
        assert loop is not None and argument is not None
        graph = value_graph(module, unit)
        layer = _linear(graph, node)
        if isinstance(layer, Refusal):
            return layer
        if (refused := _disturbed(graph, unit, loop)) is not None:
            return refused
        own = node["function"].text
        element = _element(loop, argument)
        name = fresh_name(unit, "projected")
        if element is not None:
            if (refused := _known_array(graph, unit, loop, element, None)) is not None:
                return refused
            before = insert_before(unit, loop, f"{name} = {own}({element.array.text})")
            if before is None:
                return refuse("no-place", "no line can be put before the loop", loop)
            return [before, replace(node, f"{name}[{element.index}]")]
        joined = _concatenation(unit, loop, argument)
        assert joined is not None
        if (refused := _known_array(graph, unit, loop, joined.element, joined.dim)) is not None:
            return refused
        function = name_of_path(module.environment, unit, "torch.nn.functional.linear")
        if function is None:
            return refuse("no-name", "no name in scope leads to torch.nn.functional.linear", node)
        width = f"{joined.element.array.text}.shape[-1]"
        first, rest = f"[:, :{width}]", f"[:, {width}:]"
        if not joined.is_first:
            first, rest = f"[:, -{width}:]", f"[:, :-{width}]"
        bias = f", {own}.bias" if _has_bias(layer) else ""
        line = f"{name} = {function}({joined.element.array.text}, {own}.weight{first}{bias})"
        before = insert_before(unit, loop, line)
        if before is None:
            return refuse("no-place", "no line can be put before the loop", loop)
        text = (
            f"{name}[{joined.element.index}] + {function}({joined.other.text}, {own}.weight{rest})"
        )
        edits = [before, replace(node, text, SUM)]
        if joined.statement is not None:
            if not stands_alone(joined.statement) or joined.statement.has_comment:
                return refuse("no-place", "this statement shares its line", joined.statement)
            edits.append(delete_statement(unit, joined.statement))
        return edits


@register
@dataclass(frozen=True, slots=True)
class ProjectAfterStack(NodePass):
    """Project all results of a time loop after it, in one product.

    Rewrite:     for …: outs.append(self.out(h))   …   torch.stack(outs)
                 -->   for …: outs.append(h)   …   self.out(torch.stack(outs))
    Legal when:  the layer is a plain nn.Linear, the list is filled there and stacked once, along
                 another dimension than the last, nothing in the loop is unknown code, and the
                 operand is a new array in each step.
    Numerics:    reassociates (products of another size).
    Refuses:     unknown-shape, layer, has-effects, list, operand.
    """

    name: ClassVar[str] = "project-after-stack"
    dialects: ClassVar[frozenset[str]] = frozenset({TENSOR})
    contract: ClassVar[Contract] = REASSOCIATES.assuming(OBSERVED)
    objectives: ClassVar[frozenset[str]] = frozenset({"latency"})
    anchors: ClassVar[frozenset[str]] = frozenset({"call"})

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        loop, argument = enclosing_loop(node), _only_argument(node)
        if unit.kind != FUNCTION or loop is None or argument is None:
            return False
        return node["function"].kind == "attribute" and _append_of(unit, node) is not None

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        loop, argument = enclosing_loop(node), _only_argument(node)
        found = _append_of(unit, node)
        assert loop is not None and argument is not None and found is not None
        graph = value_graph(module, unit)
        layer = _linear(graph, node)
        if isinstance(layer, Refusal):
            return layer
        if (refused := _disturbed(graph, unit, loop)) is not None:
            return refused
        appended, listed = found
        stack = _only_stack(module, unit, loop, listed)
        if isinstance(stack, Refusal):
            return stack
        value = graph.of(argument)
        if argument.kind != "identifier" or value is None or value.kind != OP:
            return refuse("operand", "this is no array made in this very step", argument)
        if value.statement is None or not value.statement.is_inside(loop):
            return refuse("operand", "this is no array made in this very step", argument)
        if value.op is not None and value.op.purity.kind != "pure":
            return refuse("operand", "this may share memory with another array", argument)
        edits = [replace(stack, f"{node['function'].text}({stack.text})")]
        if appended is node:
            return [*edits, replace(node, argument.text)]
        statement = _assignment_of(node)
        if statement is None or not stands_alone(statement) or statement.has_comment:
            return refuse("no-place", "this statement shares its line", node)
        return [*edits, delete_statement(unit, statement), replace(appended, argument.text)]


@dataclass(frozen=True, slots=True)
class _Element:
    """`array[index]`: one step of an array; axis: the dimension that the counter walks."""

    array: Node
    index: str
    axis: int


@dataclass(frozen=True, slots=True)
class _Joined:
    """`cat((element, other), dim)`, or the other way round; statement: where it has a name."""

    element: _Element
    other: Node
    is_first: bool
    dim: int
    statement: Node | None


def _only_argument(call: Node) -> Node | None:
    arguments = call["arguments"]
    if arguments.kind != "argument_list" or len(arguments.operands) != 1:
        return None
    argument = arguments.operands[0]
    is_plain = argument.kind not in ("keyword_argument", "list_splat", "dictionary_splat")
    return argument if is_plain else None


def _element(loop: Node, node: Node) -> _Element | None:
    """A subscript by the loop's counter and full slices alone."""
    counter = loop["left"]
    if (
        node.kind != "subscript"
        or node["value"].kind != "identifier"
        or counter.kind != "identifier"
    ):
        return None
    indices = node.fields("subscript")
    at = [i for i, index in enumerate(indices) if index.text == counter.text]
    others = [index for i, index in enumerate(indices) if i not in at]
    if len(at) != 1 or any(index.text != ":" for index in others):
        return None
    return _Element(node["value"], ", ".join(index.text for index in indices), at[0])


def _concatenation(unit: Unit, loop: Node, node: Node) -> _Joined | None:
    """The concatenation that an argument is, or that a name for nothing else stands for."""
    statement = None
    if node.kind == "identifier":
        binding = scopes(unit).binding(node)
        if binding is None or not binding.is_local or len(binding.loads) != 1:
            return None
        stores = [s for s in binding.stores if s.is_inside(loop)]
        if len(binding.stores) != 1 or len(stores) != 1:
            return None
        assignment = stores[0].parent
        if (
            assignment is None
            or assignment.kind != "assignment"
            or assignment["left"] is not stores[0]
        ):
            return None
        statement = assignment.parent
        if statement is None or statement.parent is not loop["body"]:
            return None
        # Between the two nothing may rebind what is concatenated.
        following = [s for s in loop["body"].operands if s.start > statement.start]
        if not following or not node.is_inside(following[0]):
            return None
        node = assignment["right"].unparenthesized
    if node.kind != "call" or not node["function"].text.endswith(
        (".cat", ".concat", ".concatenate")
    ):
        return None
    arguments = node["arguments"].operands
    if len(arguments) != 2 or arguments[0].kind not in ("tuple", "list"):
        return None
    dim = arguments[1]
    if dim.kind == "keyword_argument":
        if dim["name"].text not in ("dim", "axis"):
            return None
        dim = dim["value"]
    parts = arguments[0].operands
    try:
        number = int(dim.text)
    except ValueError:
        return None
    if len(parts) != 2:
        return None
    for position, part in enumerate(parts):
        element = _element(loop, part)
        other = parts[1 - position]
        if element is not None and other.kind == "identifier":
            return _Joined(element, other, position == 0, number, statement)
    return None


def _linear(graph: ValueGraph, call: Node) -> LayerType | Refusal:
    layer = graph.signature.of(call["function"].text) if graph.signature is not None else None
    if layer is None:
        return refuse(
            "unknown-shape", "what is called here is not known: give inputs", call["function"]
        )
    if (
        not isinstance(layer, LayerType)
        or layer.name.rpartition(".")[2] != "Linear"
        or not layer.plain
    ):
        return refuse("layer", "this is no plain nn.Linear", call["function"])
    return layer


def _has_bias(layer: LayerType) -> bool:
    return any(name == "bias" for name, _ in layer.parameters)


def _disturbed(graph: ValueGraph, unit: Unit, loop: Node) -> Refusal | None:
    """A call in the loop that may change weights or arrays."""
    if graph.unsupported:
        return refuse("has-effects", graph.unsupported, loop)
    for call in loop["body"].find("call"):
        value = graph.of(call)
        if value is not None and value.kind == OP and value.is_pure and not value.is_in_place:
            continue
        if _is_append(unit, call):
            continue
        return refuse("has-effects", "this may do more than give a value", call)
    for target in loop["body"].find("assignment", "augmented_assignment"):
        # `h += y` writes to the array that h names, and so to all that share its memory.
        in_place = target.kind == "augmented_assignment"
        if in_place or target["left"].kind in ("attribute", "subscript"):
            return refuse("has-effects", "the loop changes an object", target)
    return None


def _is_append(unit: Unit, call: Node) -> bool:
    """`name.append(…)` on a list that this function made."""
    function = call["function"]
    if function.kind != "attribute" or function["attribute"].text != "append":
        return False
    owner = function["object"]
    binding = scopes(unit).binding(owner) if owner.kind == "identifier" else None
    if binding is None or not binding.is_local or len(binding.stores) != 1:
        return False
    assignment = binding.stores[0].parent
    return (
        assignment is not None
        and assignment.kind == "assignment"
        and assignment["right"].kind == "list"
        and not assignment["right"].operands
    )


def _known_array(
    graph: ValueGraph, unit: Unit, loop: Node, element: _Element, dim: int | None
) -> Refusal | None:
    """The indexed array keeps its name and its elements, and its last dimension is a feature."""
    array = element.array
    entry = graph.before(loop)
    binding = entry.binding(array.text) if entry is not None else None
    if binding is None or binding.value.tensor is None:
        return refuse(
            "unknown-shape", f"the shape of `{array.text}` is not known: give inputs", array
        )
    if array.text in stored_names(unit, loop):
        return refuse("element", f"`{array.text}` changes", array)
    rank = binding.value.tensor.rank
    if element.axis >= rank - 1 or element.index.count(",") >= rank:
        return refuse("element", "the counter walks along the features", array)
    if dim is not None and dim not in (-1, rank - 2):
        return refuse("element", "the concatenation is not along the features", array)
    return None


def _append_of(unit: Unit, call: Node) -> tuple[Node, Node] | None:
    """What is appended (the call, or the one use of its name), and the list's name."""
    appended: Node | None = call
    parent = call.parent
    if parent is not None and parent.kind == "assignment" and parent["left"].kind == "identifier":
        binding = scopes(unit).binding(parent["left"])
        if (
            binding is None
            or not binding.is_local
            or len(binding.loads) != 1
            or len(binding.stores) != 1
        ):
            return None
        appended = binding.loads[0]
    assert appended is not None
    arguments = appended.parent
    holder = arguments.parent if arguments is not None else None
    if (
        arguments is None
        or holder is None
        or holder.kind != "call"
        or arguments.kind != "argument_list"
    ):
        return None
    if enclosing_loop(holder) is not enclosing_loop(call) or not _is_append(unit, holder):
        return None
    return appended, holder["function"]["object"]


def _assignment_of(call: Node) -> Node | None:
    """The assignment statement that a call is the whole right side of."""
    parent = call.parent
    return parent.parent if parent is not None and parent.kind == "assignment" else None


def _only_stack(module: Module, unit: Unit, loop: Node, listed: Node) -> Node | Refusal:
    """The one torch.stack of a list, after the loop that fills it."""
    binding = scopes(unit).binding(listed)
    assert binding is not None
    others = [n for n in binding.loads if n is not listed]
    if len(others) != 1 or others[0].is_inside(loop) or others[0].start < loop.end:
        return refuse(
            "list", f"`{listed.text}` is used for more than one stack after the loop", listed
        )
    arguments = others[0].parent
    call = arguments.parent if arguments is not None else None
    if call is None or call.kind != "call" or enclosing_loop(call) is not None:
        return refuse("list", f"`{listed.text}` is not stacked", others[0])
    path = module.environment.path_of(unit, call["function"])
    if path != "torch.stack":
        return refuse("list", f"`{listed.text}` is not stacked", call)
    rest = [a for a in call["arguments"].operands if a is not others[0]]
    texts = [a["value"].text if a.kind == "keyword_argument" else a.text for a in rest]
    if len(texts) > 1 or any(t != "0" for t in texts):
        return refuse(
            "list", "the new dimension may be the last: only the first is known not to be", call
        )
    return call
