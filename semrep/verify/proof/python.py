"""Python: exact integers and truth values, unbounded, where the code proves their types.

A value is "int" or "bool" only if it must be one of Python's own: literals, elements of `range`,
`len()` and `int()`, arithmetic on such values, and names behind `type(x) is int`. Annotations
are not enforced, and `isinstance` lets subclasses in that redefine operators, so neither counts.
Every operation on any other value is an event: it may run any code.

Division floors and `%` takes the divisor's sign (the language reference, 6.7); a divisor that is
not proven nonzero is an event of its own. Functions of this module's builtins are known where
nothing in the module rebinds them. Not observed: the identity of ints, exhausted memory, how
long objects live, and local variables in tracebacks.
"""

from __future__ import annotations

import ast
from typing import Any

from semrep.verify.proof.execute import Executor, stored_names
from semrep.verify.proof.names import Names
from semrep.verify.proof.result import Refused
from semrep.verify.proof.solver import Solver, object_sort, z3
from semrep.verify.proof.trace import End, Environment, Event, Loop, Missing, Slot, Value

THEORY = "integer arithmetic (unbounded, with Python's division)"

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_NUMBERS = ("int", "bool")
_LARGEST_SHIFT = 64


class PythonExecutor(Executor):
    """Runs plain Python."""

    def __init__(self, solver: Solver, tag: str, names: Names) -> None:
        super().__init__(solver, tag)
        self.names = names
        self.stored: frozenset[str] = frozenset()

    def run(self, function: ast.FunctionDef) -> None:
        """Fills the trace with the body's, parameters standing for any objects."""
        given = function.args
        parameters = [*given.posonlyargs, *given.args, *given.kwonlyargs]
        parameters += [p for p in (given.vararg, given.kwarg) if p is not None]
        env: Environment = {p.arg: self.symbol("obj", f"param:{p.arg}") for p in parameters}
        self._check_scopes(function, frozenset(env))
        if self.block(function.body, env) is not None:
            self.trace.append(End("return", (self.none(),), function))

    def _check_scopes(self, function: ast.FunctionDef, parameters: frozenset[str]) -> None:
        stored: list[str] = []
        for statement in function.body:
            stored += stored_names(statement)
            for node in ast.walk(statement):
                if isinstance(node, (ast.Global, ast.Nonlocal)):
                    raise Refused("names of other scopes are rebound")
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                    stored.append(node.name)
                if isinstance(node, ast.alias):
                    stored.append((node.asname or node.name).split(".")[0])
                if isinstance(node, ast.ExceptHandler) and node.name:
                    stored.append(node.name)
                if isinstance(node, (ast.Match, ast.TryStar)):
                    raise Refused(f"line {node.lineno}: this statement is not modelled")
        self.stored = frozenset(stored)
        self.locals = parameters | self.stored
        for node in ast.walk(function):
            if node is not function and isinstance(node, _SCOPES):
                caught = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
                # A closure sees later values of the names that it reads.
                if caught & frozenset(stored):
                    raise Refused("a nested function captures a variable")

    # -- values ---------------------------------------------------------------------------------

    def symbol(self, kind: str, name: str, like: Value | None = None) -> Value:
        m = z3()
        sort = {"int": m.IntSort, "bool": m.BoolSort}.get(kind, object_sort)()
        return Value(kind, m.Const(name, sort))

    def constant(self, value: object) -> Value:
        m = z3()
        if isinstance(value, bool):
            return Value("bool", m.BoolVal(value))
        if isinstance(value, int):
            return Value("int", m.IntVal(value))
        return self.symbol("obj", f"const:{type(value).__name__}:{value!r}")

    def none(self) -> Value:
        return self.constant(None)

    def integer(self, value: Value) -> Any:
        return z3().If(value.term, 1, 0) if value.kind == "bool" else value.term

    def _boxed(self, value: Value) -> Any:
        if value.kind == "obj":
            return value.term
        m = z3()
        return m.Function(f"box:{value.kind}", value.term.sort(), object_sort())(value.term)

    def truth(self, value: Value, node: ast.expr) -> Any:
        if value.kind == "bool":
            return value.term
        if value.kind == "int":
            return value.term != 0
        return self.event("truth", (value,), node, "bool").term

    def join(self, condition: Any, then: Value, other: Value) -> Slot:
        if then.kind == other.kind:
            return Value(then.kind, z3().If(condition, then.term, other.term))
        return Value("obj", z3().If(condition, self._boxed(then), self._boxed(other)))

    def narrow(self, test: ast.expr, holds: bool, env: Environment) -> None:
        match test:
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                self.narrow(inner, not holds, env)
            case ast.BoolOp(op=op, values=values) if isinstance(op, ast.And) == holds:
                for value in values:
                    self.narrow(value, holds, env)
            case ast.Compare(
                left=ast.Call(func=f, args=[ast.Name(id=name)], keywords=[]),
                ops=[ast.Is() | ast.IsNot() as op],
                comparators=[ast.Name() as kind],
            ) if (
                isinstance(op, ast.Is) == holds
                and self.names.path(f, self.locals) == "builtins.type"
                and self.names.path(kind, self.locals) == "builtins.int"
            ):
                slot = env.get(name)
                if isinstance(slot, Value) and slot.kind == "obj":
                    unbox = z3().Function("unbox:int", object_sort(), z3().IntSort())
                    env[name] = Value("int", unbox(slot.term))

    # -- loops and other statements -------------------------------------------------------------

    def iteration(self, node: ast.For, env: Environment) -> Loop:
        call = node.iter
        if (
            isinstance(call, ast.Call)
            and self.names.path(call.func, self.locals) == "builtins.range"
            and 1 <= len(call.args) <= 3
            and not call.keywords
            and not any(isinstance(a, ast.Starred) for a in call.args)
        ):
            given = tuple(self.evaluate(a, env) for a in call.args)
            element = self.fresh("int")
            if not all(v.kind in _NUMBERS for v in given):
                made = self.event(f"range/{len(given)}", given, call)
                facts = [element.term >= 0] if len(given) == 1 else []
                return Loop("for range", (made,), element, node, facts)
            ints = [self.integer(v) for v in given]
            low, high = (ints[0], ints[1]) if len(ints) > 1 else (z3().IntVal(0), ints[0])
            step = ints[2] if len(ints) > 2 else z3().IntVal(1)
            if not self.proves(step != 0):
                self.event("nonzero step", (Value("int", step),), node)
            facts = [
                z3().Implies(step > 0, z3().And(low <= element.term, element.term < high)),
                z3().Implies(step < 0, z3().And(high < element.term, element.term <= low)),
            ]
            if z3().is_int_value(step) and step.as_long() not in (0, 1, -1):
                facts.append((element.term - low) % abs(step.as_long()) == 0)
            header = tuple(Value("int", t) for t in (low, high, step))
            return Loop("for ints", header, element, node, facts)
        made = self.event("iter", (self.evaluate(call, env),), call)
        return Loop("for", (made,), self.fresh("obj"), node)

    def opaque_statement(self, node: ast.stmt, env: Environment) -> None:
        """The same text in equal surroundings does the same."""
        for inner in ast.walk(node):
            if isinstance(inner, (ast.Break, ast.Continue)):
                raise Refused(f"line {node.lineno}: a jump out of a statement not modelled")
            if isinstance(inner, ast.Delete):
                raise Refused(f"line {node.lineno}: names are deleted")
        stored = stored_names(node)
        for inner in ast.walk(node):
            if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                stored.append(inner.name)
            elif isinstance(inner, ast.alias):
                stored.append((inner.asname or inner.name).split(".")[0])
            elif isinstance(inner, ast.ExceptHandler) and inner.name:
                raise Refused(f"line {node.lineno}: a handler unbinds a name")
        used = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} & self.locals
        if any(isinstance(env.get(n), Missing) for n in used):
            raise Refused(f"line {node.lineno}: a name may be unbound")
        read = sorted(n for n in used if n in env)
        op = f"{read} {sorted(used)} {ast.dump(node)}"
        results = {n: self.fresh("obj") for n in dict.fromkeys(stored) if n in self.locals}
        args = tuple(self.read(n, env) for n in read)
        self.trace.append(Event(op, args, tuple(results.values()), node))
        certain = isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef))
        for name, value in results.items():
            env[name] = value if certain or name in env else Missing("may be unbound")

    # -- expressions ----------------------------------------------------------------------------

    def evaluate(self, node: ast.expr, env: Environment) -> Value:
        from semrep.verify.proof.python_expressions import evaluate

        return evaluate(self, node, env)

    def binary(self, op: ast.operator, a: Value, b: Value, node: ast.AST) -> Value:
        from semrep.verify.proof.python_expressions import binary

        return binary(self, op, a, b, node)

    def augmented(self, op: ast.operator, a: Value, b: Value, node: ast.AST) -> Value:
        if a.kind in _NUMBERS:
            return self.binary(op, a, b, node)
        return self.event(f"{type(op).__name__}=", (a, b), node)
