"""What Triton's expressions mean, for `semrep.verify.proof.triton`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from semrep.verify.proof import triton_integers as integers
from semrep.verify.proof.result import Refused
from semrep.verify.proof.solver import z3
from semrep.verify.proof.trace import Environment, Value
from semrep.verify.proof.triton_memory import MASKED, access

if TYPE_CHECKING:
    from semrep.verify.proof.triton import TritonExecutor

RUNTIME, STATIC = integers.RUNTIME, integers.STATIC
_INTEGERS = (*RUNTIME, *STATIC)
_BITWISE = (ast.BitAnd, ast.BitOr, ast.BitXor)
# No tuple, string or None has these.
_NUMERIC = (ast.Sub, ast.FloorDiv, ast.LShift, ast.RShift, *_BITWISE)
_MIRRORED: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Gt: ast.Lt, ast.GtE: ast.LtE}
_DTYPES = {"int1": "i1", "int32": "i32", "int64": "i64", "uint64": "u64"}
_TL = "triton.language."


def evaluate(run: TritonExecutor, node: ast.expr, env: Environment) -> Value:
    """The value of an expression; events go to the trace."""
    match node:
        case ast.Constant(value=value):
            return run.constant(value)
        case ast.Name(id=name):
            if name in run.locals:
                return run.read(name, env)
            return run.symbol("any", f"global:{run.names.path(node) or name}")
        case ast.Attribute(value=owner, attr=attr):
            path = run.names.path(node, run.locals)
            if path is not None:
                return run.symbol("any", f"global:{path}")
            return run.event(f"get.{attr}", (evaluate(run, owner, env),), node)
        case ast.BinOp(left=left, op=op, right=right):
            a = evaluate(run, left, env)
            return binary(run, op, a, evaluate(run, right, env), node)
        case ast.UnaryOp(op=op, operand=operand):
            return _unary(run, op, evaluate(run, operand, env), node)
        case ast.BoolOp():
            return _boolean(run, node, env)
        case ast.Compare():
            return _chain(run, node, env)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return run.choose(
                test, env, lambda e: evaluate(run, body, e), lambda e: evaluate(run, orelse, e)
            )
        case ast.Subscript():
            return _subscript(run, node, env)
        case ast.Call():
            return _call(run, node, env)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            values = tuple(evaluate(run, p, env) for p in parts)
            return run.event(f"{type(node).__name__}/{len(parts)}", values, node)
        case ast.Slice(lower=lower, upper=upper, step=step):
            bounds = [p for p in (lower, upper, step) if p is not None]
            given = tuple(evaluate(run, p, env) for p in bounds)
            there = [p is not None for p in (lower, upper, step)]
            return run.event(f"slice {there}", given, node)
    raise Refused(f"line {node.lineno}: {type(node).__name__} is not modelled in kernels")


# -- operators ----------------------------------------------------------------------------------


def binary(run: TritonExecutor, op: ast.operator, a: Value, b: Value, node: ast.AST) -> Value:
    """Arithmetic; unknown operands make it an event."""
    name = type(op).__name__
    kinds = (a.kind, b.kind)
    if "odd" in kinds and any(k in (*RUNTIME, "ptr", "float") for k in kinds):
        raise run.error(f"{name} of no number")
    if "odd" in kinds and isinstance(op, _NUMERIC) and any(k in STATIC for k in kinds):
        raise run.error(f"{name} of no number")
    if "ptr" in kinds:
        return _pointer(run, op, a, b, node)
    if "float" in kinds or "maybe float" in kinds:
        return _floating(run, op, a, b, node)
    if not all(k in _INTEGERS for k in kinds):
        return run.event(name, (a, b), node)
    if all(k in STATIC for k in kinds):
        return _static(run, op, a, b, node)
    if isinstance(op, ast.Div):
        return run.event(name, (a, b), node)
    shape = run.broadcast(a.shape, b.shape)
    if set(kinds) <= {"i1", "cbool"}:
        if not isinstance(op, _BITWISE):
            return run.event(name, (a, b), node)
        m = z3()
        join = {ast.BitAnd: m.And, ast.BitOr: m.Or, ast.BitXor: m.Xor}[type(op)]
        return Value("i1", join(a.term, b.term), shape)
    common = _common(run, a, b, isinstance(op, (ast.FloorDiv, ast.Mod)))
    if common is None:
        return run.event(name, (a, b), node)
    kind, x, y = common
    term = integers.binary(op, kind, x, y)
    if term is None:
        return run.event(name, (a, b), node)
    run.needs(integers.is_defined(op, kind, x, y))
    return Value(kind, term, shape)


def _common(
    run: TritonExecutor, a: Value, b: Value, divides: bool = False
) -> tuple[str, Any, Any] | None:
    """Two integers, not both of them static, in the type that they are computed in."""
    if a.kind in STATIC or b.kind in STATIC:
        static, other = (a, b) if a.kind in STATIC else (b, a)
        kind, held = other.kind, other.term
        if kind in ("i1", *STATIC):
            # Beside a bool, a compile-time integer has the type that its value asks for.
            if not all(integers.is_small(v) for v in (a, b) if v.kind != "i1"):
                return None
            if divides and kind == "i1":
                raise run.error("a division of integers of different signedness")
            if kind == "i1":
                held = integers.converted(held, "i1", "i32")
            else:
                held = integers.narrowed(integers.number(other), "i32")
            kind = "i32"
        term = integers.number(static)
        run.require(integers.fits(term, kind))
        term = integers.narrowed(term, kind)
        pair = (term, held) if static is a else (held, term)
        return kind, *pair
    if divides and (a.kind in ("i32", "i64")) != (b.kind in ("i32", "i64")):
        raise run.error("a division of integers of different signedness")
    kind = integers.promoted(a.kind, b.kind)
    x, y = (integers.converted(v.term, v.kind, kind) for v in (a, b))
    return kind, x, y


def _static(run: TritonExecutor, op: ast.operator, a: Value, b: Value, node: ast.AST) -> Value:
    m = z3()
    if a.kind == b.kind == "cbool" and isinstance(op, _BITWISE):
        join = {ast.BitAnd: m.And, ast.BitOr: m.Or, ast.BitXor: m.Xor}[type(op)]
        return Value("cbool", join(a.term, b.term))
    x, y = (integers.number(v) for v in (a, b))
    found = integers.static_binary(op, x, y)
    if found is None:
        return run.event(type(op).__name__, (a, b), node)
    return Value("cint", found)


def _pointer(run: TritonExecutor, op: ast.operator, a: Value, b: Value, node: ast.AST) -> Value:
    """A pointer moves by the offset as a signed 64-bit number (unsigned types: zero-extended)."""
    base, offset = (a, b) if a.kind == "ptr" else (b, a)
    moves = isinstance(op, ast.Add) or (isinstance(op, ast.Sub) and base is a)
    if not moves or offset.kind in ("ptr", "float", "maybe float"):
        raise run.error("arithmetic on a pointer")
    if offset.kind not in _INTEGERS:
        return run.event(f"pointer {type(op).__name__}", (a, b), node)
    if offset.kind in STATIC:
        term = integers.number(offset)
        run.require(integers.fits(term, "i64"))
        distance = integers.narrowed(term, "i64")
        if isinstance(op, ast.Sub):
            return run.event("pointer Sub", (a, b), node)
    else:
        if isinstance(op, ast.Sub):
            if offset.kind == "i1":
                return run.event("pointer Sub", (a, b), node)
            offset = Value(offset.kind, -offset.term, offset.shape)
        distance = integers.converted(offset.term, offset.kind, "i64")
    shape = run.broadcast(base.shape, offset.shape)
    return Value("ptr", base.term + distance, shape, base.base)


def _floating(run: TritonExecutor, op: ast.operator, a: Value, b: Value, node: ast.AST) -> Value:
    """Floating point is not interpreted: equal operands give an equal result."""
    name = type(op).__name__
    if isinstance(op, (ast.FloorDiv, ast.LShift, ast.RShift, *_BITWISE)):
        raise run.error(f"{name} of a floating-point number")
    return run.event(name, (a, b), node, "maybe float")


def _unary(run: TritonExecutor, op: ast.unaryop, a: Value, node: ast.AST) -> Value:
    m = z3()
    match op, a.kind:
        case ast.Not(), "i1" | "cbool":
            return Value(a.kind, m.Not(a.term), a.shape)
        case ast.Not(), "cint":
            return Value("cbool", a.term == 0)
        case ast.Invert(), "i1":
            return Value("i1", m.Not(a.term), a.shape)
        case ast.Invert(), "i32" | "i64" | "u64":
            return Value(a.kind, ~a.term, a.shape)
        case ast.Invert(), "cint":
            return Value("cint", ~a.term)
        case ast.USub(), "i32" | "i64" | "u64":
            return Value(a.kind, -a.term, a.shape)
        case ast.USub(), "cint":
            found = integers.static_binary(ast.Sub(), integers.literal(0), a.term)
            if found is not None:
                return Value("cint", found)
        case ast.UAdd(), "i32" | "i64" | "u64" | "cint":
            return a
    return run.event(type(op).__name__, (a,), node)


def _boolean(run: TritonExecutor, node: ast.BoolOp, env: Environment) -> Value:
    """All operands are evaluated, unless a compile-time one settles it."""
    values = [evaluate(run, node.values[0], env)]
    before = len(run.trace)
    values += [evaluate(run, v, env) for v in node.values[1:]]
    if len(run.trace) != before and values[0].kind not in RUNTIME:
        raise Refused(f"line {node.lineno}: an operand that may not be compiled")
    m = z3()
    join = m.And if isinstance(node.op, ast.And) else m.Or
    kinds = {v.kind for v in values}
    if kinds in ({"i1"}, {"cbool"}):
        shape: tuple[str, ...] = ()
        for value in values:
            shape = run.broadcast(shape, value.shape)
        return Value(kinds.pop(), join(*(v.term for v in values)), shape)
    return run.event(f"{type(node.op).__name__}/{len(values)}", tuple(values), node)


def _chain(run: TritonExecutor, node: ast.Compare, env: Environment) -> Value:
    operands = [evaluate(run, e, env) for e in (node.left, *node.comparators)]
    found = [
        _compare(run, op, a, b, node)
        for op, a, b in zip(node.ops, operands, operands[1:], strict=False)
    ]
    if len(found) == 1:
        return found[0]
    kinds = {v.kind for v in found}
    if kinds not in ({"i1"}, {"cbool"}):
        raise Refused(f"line {node.lineno}: a chain of comparisons of unknown values")
    shape: tuple[str, ...] = ()
    for value in found:
        shape = run.broadcast(shape, value.shape)
    return Value(kinds.pop(), z3().And(*(v.term for v in found)), shape)


def _compare(run: TritonExecutor, op: ast.cmpop, a: Value, b: Value, node: ast.AST) -> Value:
    m = z3()
    kinds = (a.kind, b.kind)
    if type(op) in _MIRRORED:
        return _compare(run, _MIRRORED[type(op)](), b, a, node)
    name = type(op).__name__
    if isinstance(op, (ast.Is, ast.IsNot, ast.In, ast.NotIn)):
        return run.event(name, (a, b), node)
    if "ptr" in kinds and any(k in ("float", *RUNTIME) for k in kinds):
        raise run.error("a comparison with a pointer")
    if "odd" in kinds and isinstance(op, (ast.Lt, ast.LtE)) and any(k in RUNTIME for k in kinds):
        raise run.error("a comparison with no number")
    if all(k in STATIC for k in kinds):
        x, y = (integers.number(v) for v in (a, b))
        width = max(x.size(), y.size())
        term = integers.compare(op, "cint", integers.extend(x, width), integers.extend(y, width))
        return Value("cbool", term)
    if all(k in _INTEGERS for k in kinds):
        common = _common(run, a, b)
        if common is not None:
            kind, x, y = common
            term = integers.compare(op, kind, x, y)
            return Value("i1", term, run.broadcast(a.shape, b.shape))
    real = {"float", "i32", "i64", "u64"}
    if ("float" in kinds and set(kinds) <= real) or (
        "number" in kinds and any(k in (*RUNTIME, "float") for k in kinds)
    ):
        less = m.Function(f"{name}:{kinds}", a.term.sort(), b.term.sort(), m.BoolSort())
        return Value("i1", less(a.term, b.term), run.broadcast(a.shape, b.shape))
    return run.event(name, (a, b), node)


# -- subscripts and calls -----------------------------------------------------------------------


def _subscript(run: TritonExecutor, node: ast.Subscript, env: Environment) -> Value:
    held = evaluate(run, node.value, env)
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    places: list[int | None] = []
    old = 0
    for part in parts:
        if isinstance(part, ast.Constant) and part.value is None:
            places.append(None)
        elif isinstance(part, ast.Slice) and not (part.lower or part.upper or part.step):
            places.append(old)
            old += 1
        else:
            old = -1
            break
    known = held.kind in (*RUNTIME, "ptr") and old == len(held.shape) and old > 0
    if known:
        return run.reindexed(held, places)
    kind = "maybe float" if held.kind in ("float", "maybe float") else "any"
    return run.event("getitem", (held, evaluate(run, node.slice, env)), node, kind)


def _call(run: TritonExecutor, node: ast.Call, env: Environment) -> Value:
    path = run.names.path(node.func, run.locals) or ""
    if any(isinstance(a, ast.Starred) for a in node.args) or any(
        k.arg is None for k in node.keywords
    ):
        raise Refused(f"line {node.lineno}: unpacked arguments")
    values: list[Value] = []
    if not path:
        if isinstance(node.func, ast.Attribute):
            values.append(evaluate(run, node.func.value, env))
            path = f".{node.func.attr}"
        else:
            values.append(evaluate(run, node.func, env))
            path = "(call)"
    values += [evaluate(run, a, env) for a in node.args]
    named = {str(k.arg): evaluate(run, k.value, env) for k in node.keywords}
    if path == ".to" and len(values) == 2 and not named:
        known = _cast(run, values[0], values[1])
    elif path.startswith(_TL):
        known = _language(run, path.removeprefix(_TL), values, named, node)
    elif path in ("builtins.min", "builtins.max") and len(values) == 2 and not named:
        known = _extreme(run, path.removeprefix("builtins."), *values)
    else:
        known = None
    if known is not None:
        return known
    names = ",".join(named)
    return run.event(f"{path}({len(values)};{names})", (*values, *named.values()), node)


def _language(
    run: TritonExecutor, name: str, values: list[Value], named: dict[str, Value], node: ast.Call
) -> Value | None:
    m = z3()
    if name in MASKED:
        return access(run, name, values, named, node)
    if name in ("program_id", "num_programs") and len(values) + len(named) == 1:
        axis = values[0] if values else named.get("axis")
        if axis is None or not m.is_bv_value(axis.term):
            return None
        number = axis.term.as_signed_long()
        pid, count = m.BitVec(f"program_id:{number}", 32), m.BitVec(f"num_programs:{number}", 32)
        run.facts.append(m.And(pid >= 0, count >= 1, pid < count))
        return Value("i32", pid if name == "program_id" else count)
    if name == "arange":
        bounds = [*values, *(named[k] for k in ("start", "end") if k in named)]
        if len(bounds) != 2 or len(values) + len(named) != 2:
            return None
        if any(b.kind in ("other", "odd", "float", "ptr", *RUNTIME) for b in bounds):
            raise run.error("tl.arange of no compile-time integers")
        if any(b.kind not in STATIC for b in bounds):
            return None
        return run.arange(*(integers.number(b) for b in bounds))
    if named:
        return None
    match name, values:
        case "cdiv", [x, y] if {x.kind, y.kind} & {"i32", "i64", "u64"}:
            less = binary(run, ast.Sub(), y, Value("cint", integers.literal(1)), node)
            return binary(run, ast.FloorDiv(), binary(run, ast.Add(), x, less, node), y, node)
        case (("minimum" | "maximum"), [x, y]):
            return _extreme(run, name[:3], x, y)
        case "where", [c, x, y]:
            return _where(run, c, x, y)
        case "cast", [x, dtype]:
            return _cast(run, x, dtype)
    return None


def _extreme(run: TritonExecutor, name: str, a: Value, b: Value) -> Value | None:
    kinds = {a.kind, b.kind}
    if not kinds <= set(_INTEGERS) or kinds == {"i1"}:
        return None
    common = _common(run, a, b)
    if common is None:
        return None
    kind, x, y = common
    less = integers.compare(ast.Lt(), kind, x, y)
    first, second = (x, y) if name == "min" else (y, x)
    return Value(kind, z3().If(less, first, second), run.broadcast(a.shape, b.shape))


def _where(run: TritonExecutor, c: Value, x: Value, y: Value) -> Value | None:
    kinds = {x.kind, y.kind}
    if c.kind not in ("i1", "cbool") or not kinds <= set(_INTEGERS) or kinds == {"i1"}:
        return None
    common = _common(run, x, y)
    if common is None:
        return None
    kind, one, two = common
    shape = run.broadcast(c.shape, run.broadcast(x.shape, y.shape))
    return Value(kind, z3().If(c.term, one, two), shape)


def _cast(run: TritonExecutor, value: Value, dtype: Value) -> Value | None:
    name = str(dtype.term).strip("|").removeprefix(f"global:{_TL}")
    target = _DTYPES.get(name)
    if target is None or value.kind not in RUNTIME:
        return None
    return Value(target, integers.converted(value.term, value.kind, target), value.shape)
