"""What Python's expressions mean, for `semrep.verify.proof.python`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from semrep.verify.proof.result import Refused
from semrep.verify.proof.solver import object_sort, z3
from semrep.verify.proof.trace import Environment, Value

if TYPE_CHECKING:
    from semrep.verify.proof.python import PythonExecutor

_NUMBERS = ("int", "bool")
_SCOPED = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)
_LARGEST_SHIFT = 64
_LARGEST_POWER = 4


def evaluate(run: PythonExecutor, node: ast.expr, env: Environment) -> Value:
    """The value of an expression; what it does besides goes to the trace, in order."""
    match node:
        case ast.Constant(value=value):
            return run.constant(value)
        case ast.Name(id=name):
            return _name(run, node, name, env)
        case ast.BinOp(left=left, op=op, right=right):
            a = evaluate(run, left, env)
            return binary(run, op, a, evaluate(run, right, env), node)
        case ast.UnaryOp(op=op, operand=operand):
            return _unary(run, op, operand, env, node)
        case ast.BoolOp():
            return _boolean(run, node, env)
        case ast.Compare():
            return _comparison(run, node, env)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return run.choose(
                test, env, lambda e: evaluate(run, body, e), lambda e: evaluate(run, orelse, e)
            )
        case ast.Call():
            return _call(run, node, env)
        case ast.Attribute(value=owner, attr=attr):
            return run.event(f"get.{attr}", (evaluate(run, owner, env),), node)
        case ast.Subscript(value=owner, slice=index):
            held = evaluate(run, owner, env)
            return run.event("getitem", (held, evaluate(run, index, env)), node)
        case ast.NamedExpr(target=target, value=value):
            found = evaluate(run, value, env)
            run.store(target, found, env)
            return found
    if isinstance(node, _SCOPED):
        return _scoped(run, node, env)
    return _children(run, node, env)


def _name(run: PythonExecutor, node: ast.Name, name: str, env: Environment) -> Value:
    if name in run.locals:
        return run.read(name, env)
    if name in run.names.stable or run.names.path(node) is not None:
        return run.symbol("obj", f"global:{name}")
    return run.event(f"global.{name}", (), node)


def _children(run: PythonExecutor, node: ast.expr, env: Environment) -> Value:
    """Displays, slices, formatted strings, yields: an event of the parts, left to right."""
    args: list[Value] = []
    texts: list[str] = [type(node).__name__]
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            texts.append("**" if key is None else ":")
            args += [evaluate(run, p, env) for p in (key, value) if p is not None]
        return run.event(" ".join(texts), tuple(args), node)
    for name, field in ast.iter_fields(node):
        parts = field if isinstance(field, list) else [field]
        texts.append(f"{name}/{len(parts)}")
        for part in parts:
            if isinstance(part, ast.expr):
                args.append(evaluate(run, part, env))
            elif not isinstance(part, ast.expr_context):
                texts.append(repr(part))
    return run.event(" ".join(texts), tuple(args), node)


def _scoped(run: PythonExecutor, node: ast.expr, env: Environment) -> Value:
    """Comprehensions and lambdas: the same text over equal variables."""
    if any(isinstance(n, ast.NamedExpr) for n in ast.walk(node)):
        raise Refused(f"line {node.lineno}: an assignment inside a comprehension")
    own = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    own |= {a.arg for a in ast.walk(node) if isinstance(a, ast.arg)}
    names = sorted({n.id for n in ast.walk(node) if isinstance(n, ast.Name)} & run.locals)
    if own & set(env):
        raise Refused(f"line {node.lineno}: a comprehension hides a variable")
    if isinstance(node, ast.GeneratorExp) and set(names) & run.stored:
        raise Refused(f"line {node.lineno}: a generator captures a variable")
    args = tuple(run.read(n, env) for n in names if n not in own)
    return run.event(f"{names} {ast.dump(node)}", args, node)


# -- operators ----------------------------------------------------------------------------------


def binary(run: PythonExecutor, op: ast.operator, a: Value, b: Value, node: ast.AST) -> Value:
    if a.kind not in _NUMBERS or b.kind not in _NUMBERS:
        return run.event(type(op).__name__, (a, b), node)
    m = z3()
    x, y = run.integer(a), run.integer(b)
    literal = y.as_long() if m.is_int_value(y) else None
    bits = (ast.BitAnd, ast.BitOr, ast.BitXor)
    if isinstance(op, bits) and a.kind == b.kind == "bool":
        term = {ast.BitAnd: m.And, ast.BitOr: m.Or, ast.BitXor: m.Xor}[type(op)](a.term, b.term)
        return Value("bool", term)
    match op:
        case ast.Add():
            return Value("int", x + y)
        case ast.Sub():
            return Value("int", x - y)
        case ast.Mult():
            return Value("int", x * y)
        case ast.FloorDiv() | ast.Mod():
            if literal == 0 or (literal is None and not run.proves(y != 0)):
                run.event("nonzero", (Value("int", y),), node)
            quotient, rest = _floor_division(x, y)
            return Value("int", quotient if isinstance(op, ast.FloorDiv) else rest)
        case ast.LShift() if literal is not None and 0 <= literal <= _LARGEST_SHIFT:
            return Value("int", x * 2**literal)
        case ast.RShift() if literal is not None and literal >= 0:
            if literal <= _LARGEST_SHIFT:
                return Value("int", x / 2**literal)
        case ast.Pow() if literal is not None and 0 <= literal <= _LARGEST_POWER:
            product = m.IntVal(1)
            for _ in range(literal):
                product = product * x
            return Value("int", product)
        case ast.BitAnd() | ast.BitOr() | ast.BitXor():
            return Value("int", _bitwise(op, x, y))
    return run.event(type(op).__name__, (a, b), node)


def _floor_division(x: Any, y: Any) -> tuple[Any, Any]:
    """Quotient and remainder. z3's `div` and `mod` have a remainder that is never negative."""
    m = z3()
    if m.is_int_value(y) and y.as_long() > 0:
        return x / y, x % y
    quotient = m.If(y > 0, x / y, (-x) / (-y))
    rest = m.If(y > 0, x % y, -((-x) % (-y)))
    return quotient, rest


def _bitwise(op: ast.operator, x: Any, y: Any) -> Any:
    """Two's complement of unbounded width: a mask of low bits is a remainder; the rest is an
    uninterpreted function that commutes."""
    m = z3()
    if isinstance(op, ast.BitAnd):
        for value, mask in ((x, y), (y, x)):
            if m.is_int_value(mask) and mask.as_long() >= 0:
                if (mask.as_long() + 1) & mask.as_long() == 0:
                    return value % (mask.as_long() + 1)
    first, second = sorted((m.simplify(x), m.simplify(y)), key=lambda t: str(t.sexpr()))
    ints = m.IntSort()
    return m.Function(f"int:{type(op).__name__}", ints, ints, ints)(first, second)


def _unary(
    run: PythonExecutor, op: ast.unaryop, operand: ast.expr, env: Environment, node: ast.expr
) -> Value:
    if isinstance(op, ast.Not):
        return Value("bool", z3().Not(run.condition(operand, env))) if _is_pure(
            run, operand, env
        ) else _as_bool(run, node, env)  # fmt: skip
    value = evaluate(run, operand, env)
    if value.kind not in _NUMBERS:
        return run.event(type(op).__name__, (value,), node)
    x = run.integer(value)
    match op:
        case ast.USub():
            return Value("int", -x)
        case ast.Invert():
            return Value("int", -x - 1)
    return Value("int", x)


def _is_pure(run: PythonExecutor, node: ast.expr, env: Environment) -> bool:
    return run.pure_condition(node, env) is not None


def _as_bool(run: PythonExecutor, node: ast.expr, env: Environment) -> Value:
    """The truth of an expression as a value, its parts evaluated where Python does."""
    yes, no = run.constant(True), run.constant(False)
    return run.choose(node, env, lambda e: yes, lambda e: no)


def _boolean(run: PythonExecutor, node: ast.BoolOp, env: Environment) -> Value:
    """`a and b` is one of its operands."""
    value = evaluate(run, node.values[0], env)
    rest = node.values[1:]
    if not rest:
        return value
    tail = ast.copy_location(ast.BoolOp(node.op, rest), node)
    is_and = isinstance(node.op, ast.And)
    truth = run.truth(value, node.values[0])
    later = env.copy()
    result: list[Value] = []

    def go_on(inner: Environment) -> Environment:
        result.append(_boolean(run, tail, inner))
        return inner

    def stop(inner: Environment) -> Environment:
        result.append(value)
        return inner

    then, other = (go_on, stop) if is_and else (stop, go_on)
    after = run.branch(truth, node.values[0], later, then, other)
    assert after is not None
    env.clear()
    env.update(after)
    if len(result) == 1:
        return result[0]
    joined = run.join(truth, result[0], result[1])
    assert isinstance(joined, Value)
    return joined


def _comparison(run: PythonExecutor, node: ast.Compare, env: Environment) -> Value:
    """A chain evaluates each operand once and stops at the first False."""
    left = evaluate(run, node.left, env)
    if len(node.ops) == 1:
        right = evaluate(run, node.comparators[0], env)
        return _compare(run, node.ops[0], left, right, node)
    terms: list[Any] = []
    depth = len(run.path)
    before = len(run.trace)
    for op, comparator in zip(node.ops, node.comparators, strict=True):
        right = evaluate(run, comparator, env)
        found = _compare(run, op, left, right, node)
        if found.kind != "bool":
            raise Refused(f"line {node.lineno}: a chain of comparisons of unknown values")
        terms.append(found.term)
        run.path.append(found.term)
        if len(terms) > 1 and len(run.trace) != before:
            raise Refused(f"line {node.lineno}: a chain of comparisons with effects")
        left = right
        before = len(run.trace) if len(terms) == 1 else before
    del run.path[depth:]
    return Value("bool", z3().And(*terms))


def _compare(run: PythonExecutor, op: ast.cmpop, a: Value, b: Value, node: ast.AST) -> Value:
    m = z3()
    if isinstance(op, (ast.Is, ast.IsNot)):
        same = _identical(run, a, b, node)
        return Value("bool", same if isinstance(op, ast.Is) else m.Not(same))
    if a.kind not in _NUMBERS or b.kind not in _NUMBERS or isinstance(op, (ast.In, ast.NotIn)):
        kind = "bool" if isinstance(op, (ast.In, ast.NotIn)) else "obj"
        return run.event(type(op).__name__, (a, b), node, kind)
    x, y = run.integer(a), run.integer(b)
    match op:
        case ast.Lt():
            return Value("bool", x < y)
        case ast.LtE():
            return Value("bool", x <= y)
        case ast.Gt():
            return Value("bool", x > y)
        case ast.GtE():
            return Value("bool", x >= y)
        case ast.Eq():
            return Value("bool", x == y)
    return Value("bool", x != y)


def _identical(run: PythonExecutor, a: Value, b: Value, node: ast.AST) -> Any:
    """Which object a number is held by is not known, except for True and False."""
    m = z3()
    if a.kind == b.kind == "bool":
        return a.term == b.term
    if a.kind == b.kind == "obj" and "box:" not in a.term.sexpr() + b.term.sexpr():
        sort = object_sort()
        return m.Function("is", sort, sort, m.BoolSort())(a.term, b.term)
    if {a.kind, b.kind} == {"int", "bool"}:
        return m.BoolVal(False)
    for number, other in ((a, b), (b, a)):
        if number.kind in _NUMBERS and other.term.eq(run.none().term):
            return m.BoolVal(False)
    raise Refused("the identity of a number")


# -- calls --------------------------------------------------------------------------------------


def _call(run: PythonExecutor, node: ast.Call, env: Environment) -> Value:
    path = run.names.path(node.func, run.locals) or ""
    plain = not node.keywords and not any(isinstance(a, ast.Starred) for a in node.args)
    if path.startswith("builtins.") and plain:
        args = [evaluate(run, a, env) for a in node.args]
        known = _builtin(run, path.removeprefix("builtins."), args, node)
        if known is not None:
            return known
        return run.event(f"call {path}/{len(args)}", tuple(args), node)
    if isinstance(node.func, ast.Attribute) and not path:
        owner = evaluate(run, node.func.value, env)
        callee = run.event(f"get.{node.func.attr}", (owner,), node.func)
    else:
        callee = evaluate(run, node.func, env)
    values = [callee]
    texts = []
    for argument in node.args:
        starred = isinstance(argument, ast.Starred)
        values.append(evaluate(run, argument.value if starred else argument, env))  # type: ignore[attr-defined]
        texts.append("*" if starred else ".")
    for keyword in node.keywords:
        values.append(evaluate(run, keyword.value, env))
        texts.append(keyword.arg or "**")
    return run.event(f"call({','.join(texts)})", tuple(values), node)


def _builtin(run: PythonExecutor, name: str, args: list[Value], node: ast.Call) -> Value | None:
    """Python's own functions on proven numbers; None for an event like any other call."""
    m = z3()
    kinds = {a.kind for a in args}
    if name == "len" and len(args) == 1:
        found = run.event("len", tuple(args), node, "int")
        run.facts.append(found.term >= 0)
        return found
    if name == "int" and len(args) == 1:
        if kinds <= set(_NUMBERS):
            return Value("int", run.integer(args[0]))
        return run.event("int", tuple(args), node, "int")
    if name == "bool" and len(args) == 1:
        return Value("bool", run.truth(args[0], node))
    if name == "type" and len(args) == 1 and kinds == {"obj"}:
        sort = object_sort()
        return Value("obj", m.Function("type", sort, sort)(args[0].term))
    if name == "isinstance" and len(args) == 2:
        return run.event("isinstance", tuple(args), node, "bool")
    if name == "abs" and len(args) == 1 and kinds <= set(_NUMBERS):
        x = run.integer(args[0])
        return Value("int", m.If(x < 0, -x, x))
    if name in ("min", "max") and len(args) > 1 and kinds == {"int"}:
        best = args[0].term
        for other in args[1:]:
            better = other.term < best if name == "min" else other.term > best
            best = m.If(better, other.term, best)
        return Value("int", best)
    return None
