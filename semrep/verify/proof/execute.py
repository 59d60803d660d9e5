"""Runs statements symbolically; what expressions mean is up to the language."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from semrep.verify.proof.result import Refused
from semrep.verify.proof.solver import Solver, z3
from semrep.verify.proof.trace import (
    Branch,
    End,
    Entry,
    Environment,
    Event,
    Loop,
    Missing,
    Slot,
    Value,
)

_Continuation = Callable[[Environment], "Environment | None"]
_RESULT = "<result>"


class Executor:
    """One symbolic run of one function.

    tag: keeps the symbols of the two runs apart. facts: hold by what symbols stand for, on every
    path. path: conditions under which the statement at hand runs.
    """

    opaque = "obj"
    # Whether `and` and `or` leave their later operands unevaluated.
    short_circuits = True

    def __init__(self, solver: Solver, tag: str) -> None:
        self.solver = solver
        self.tag = tag
        self.trace: list[Entry] = []
        self.path: list[Any] = []
        self.facts: list[Any] = []
        self.locals: frozenset[str] = frozenset()
        self._fresh = 0
        self._ends: list[list[End]] = []
        self._carried: list[frozenset[str]] = []

    # -- what a language defines ----------------------------------------------------------------

    def evaluate(self, node: ast.expr, env: Environment) -> Value:
        raise NotImplementedError

    def truth(self, value: Value, node: ast.expr) -> Any:
        """The z3 Bool that a value is tested as."""
        raise NotImplementedError

    def symbol(self, kind: str, name: str, like: Value | None = None) -> Value:
        """A value of the kind that nothing is known about."""
        raise NotImplementedError

    def join(self, condition: Any, then: Value, other: Value) -> Slot:
        """The value after a branch that gave two."""
        raise NotImplementedError

    def iteration(self, node: ast.For, env: Environment) -> Loop:
        """Evaluates the iterable: the loop's op, header, element and facts."""
        raise NotImplementedError

    def opaque_statement(self, node: ast.stmt, env: Environment) -> None:
        raise Refused(f"line {node.lineno}: {type(node).__name__} statements are not modelled")

    def narrow(self, test: ast.expr, holds: bool, env: Environment) -> None:
        """Adds to env what the outcome of a test says about types."""

    def binary(self, op: ast.operator, a: Value, b: Value, node: ast.AST) -> Value:
        raise NotImplementedError

    def augmented(self, op: ast.operator, a: Value, b: Value, node: ast.AST) -> Value:
        return self.binary(op, a, b, node)

    # -- building -------------------------------------------------------------------------------

    def fresh(self, kind: str, like: Value | None = None) -> Value:
        self._fresh += 1
        return self.symbol(kind, f"{self.tag}!{self._fresh}", like)

    def event(self, op: str, args: tuple[Value, ...], node: ast.AST, *kinds: str) -> Value:
        """Appends an event with one result, opaque unless a kind is given."""
        result = self.fresh(kinds[0] if kinds else self.opaque)
        self.trace.append(Event(op, args, (result,), node))
        return result

    def proves(self, goal: Any) -> bool:
        """True where the goal holds on the path at hand."""
        return self.solver.holds(goal, [*self.facts, *self.path])

    def read(self, name: str, env: Environment) -> Value:
        slot = env.get(name)
        if slot is None:
            raise Refused(f"{name} may be unbound")
        if isinstance(slot, Missing):
            raise Refused(f"{name}: {slot.reason}")
        return slot

    # -- conditions -----------------------------------------------------------------------------

    def condition(self, node: ast.expr, env: Environment) -> Any:
        """The truth of an expression as one term; events go to the trace."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return z3().Not(self.condition(node.operand, env))
        if isinstance(node, ast.BoolOp) and self.short_circuits:
            is_and = isinstance(node.op, ast.And)
            parts: list[Any] = []
            depth = len(self.path)
            for value in node.values:
                parts.append(self.condition(value, env))
                self.path.append(parts[-1] if is_and else z3().Not(parts[-1]))
            del self.path[depth:]
            return z3().And(*parts) if is_and else z3().Or(*parts)
        return self.truth(self.evaluate(node, env), node)

    def pure_condition(self, node: ast.expr, env: Environment) -> Any | None:
        """The truth as a term where evaluating all of the expression has no effect."""
        saved, self.trace = self.trace, []
        trial = dict(env)
        try:
            found = self.condition(node, trial)
            return found if not self.trace and trial == env else None
        finally:
            self.trace = saved

    def decide(
        self, test: ast.expr, env: Environment, then: _Continuation, other: _Continuation
    ) -> Environment | None:
        """Goes on with one of two continuations. `and`, `or` and `not` of tests that have
        effects become branches in branches, so that each is evaluated where Python does."""
        pure = self.pure_condition(test, env)
        if pure is None and isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            return self.decide(test.operand, env, other, then)
        if pure is None and isinstance(test, ast.BoolOp) and self.short_circuits:
            first, rest = test.values[0], test.values[1:]
            tail = rest[0] if len(rest) == 1 else ast.copy_location(
                ast.BoolOp(test.op, rest), test
            )  # fmt: skip
            if isinstance(test.op, ast.And):
                return self.decide(first, env, lambda e: self.decide(tail, e, then, other), other)
            return self.decide(first, env, then, lambda e: self.decide(tail, e, then, other))
        condition = pure
        if condition is None:
            condition = self.truth(self.evaluate(test, env), test)
        return self.branch(condition, test, env, then, other)

    def branch(
        self,
        condition: Any,
        test: ast.expr,
        env: Environment,
        then: _Continuation,
        other: _Continuation,
    ) -> Environment | None:
        m = z3()
        self.solver.check_time()
        simple = m.simplify(condition)
        if m.is_true(simple):
            return then(env)
        if m.is_false(simple):
            return other(env)
        saved = self.trace
        sides: list[tuple[list[Entry], Environment | None]] = []
        for holds, go in ((True, then), (False, other)):
            self.trace = []
            self.path.append(condition if holds else m.Not(condition))
            inner = dict(env)
            self.narrow(test, holds, inner)
            after = go(inner)
            self.path.pop()
            sides.append((self.trace, after))
        self.trace = saved
        (yes, env_yes), (no, env_no) = sides
        self.trace.append(Branch(condition, yes, no, test))
        if env_yes is None or env_no is None:
            return env_no if env_yes is None else env_yes
        return {
            name: self._joined(condition, env_yes.get(name), env_no.get(name))
            for name in env_yes.keys() | env_no.keys()
        }

    def _joined(self, condition: Any, a: Slot | None, b: Slot | None) -> Slot:
        if a is None or b is None:
            return Missing("may be unbound")
        if isinstance(a, Missing) or isinstance(b, Missing):
            return a if isinstance(a, Missing) else b
        return a if a is b else self.join(condition, a, b)

    def choose(
        self,
        test: ast.expr,
        env: Environment,
        then: Callable[[Environment], Value],
        other: Callable[[Environment], Value],
    ) -> Value:
        """The value of a conditional expression."""

        def keep(go: Callable[[Environment], Value]) -> _Continuation:
            def run(inner: Environment) -> Environment:
                value = go(inner)
                return {**inner, _RESULT: value}

            return run

        after = self.decide(test, env, keep(then), keep(other))
        assert after is not None
        result = after.pop(_RESULT)
        env.clear()
        env.update(after)
        if isinstance(result, Missing):
            raise Refused(f"line {test.lineno}: a conditional value of two kinds")
        return result

    # -- statements -----------------------------------------------------------------------------

    def block(self, body: list[ast.stmt], env: Environment) -> Environment | None:
        """Runs statements; None where control does not come out at the end."""
        current: Environment | None = env
        for statement in body:
            if current is None:
                raise Refused(f"line {statement.lineno}: never reached")
            current = self.statement(statement, current)
        return current

    def statement(self, node: ast.stmt, env: Environment) -> Environment | None:
        match node:
            case ast.Pass() | ast.Expr(value=ast.Constant()):
                return env
            case ast.Expr():
                self.evaluate(node.value, env)
            case ast.Assign():
                self._assign(node, env)
            case ast.AnnAssign(target=ast.Name(), value=value):
                if value is not None:
                    self.store(node.target, self.evaluate(value, env), env)
            case ast.AugAssign():
                self._augment(node, env)
            case ast.If():
                return self.decide(
                    node.test, env,
                    lambda e: self.block(node.body, e), lambda e: self.block(node.orelse, e),
                )  # fmt: skip
            case ast.For() if not node.orelse:
                return self._loop(node, self.iteration(node, env), env)
            case ast.While() if not node.orelse:
                return self._loop(node, Loop("while", (), None, node), env)
            case ast.Return():
                given = () if node.value is None else (self.evaluate(node.value, env),)
                self.trace.append(End("return", given or (self.none(),), node))
                return None
            case ast.Raise():
                values = [self.evaluate(v, env) for v in (node.exc, node.cause) if v is not None]
                self.trace.append(End(f"raise/{node.cause is not None}", tuple(values), node))
                return None
            case ast.Break() | ast.Continue():
                self._end("break" if isinstance(node, ast.Break) else "next", node, env)
                return None
            case _:
                self.opaque_statement(node, env)
        return env

    def none(self) -> Value:
        raise NotImplementedError

    def _assign(self, node: ast.Assign, env: Environment) -> None:
        target = node.targets[0]
        if (
            len(node.targets) == 1
            and isinstance(target, ast.Tuple)
            and isinstance(node.value, ast.Tuple)
            and len(target.elts) == len(node.value.elts)
            and all(isinstance(t, ast.Name) for t in target.elts)
            and not any(isinstance(v, ast.Starred) for v in node.value.elts)
        ):
            values = [self.evaluate(v, env) for v in node.value.elts]
            for name, value in zip(target.elts, values, strict=True):
                self.store(name, value, env)
            return
        value = self.evaluate(node.value, env)
        for target in node.targets:
            self.store(target, value, env)

    def store(self, target: ast.expr, value: Value, env: Environment) -> None:
        match target:
            case ast.Name(id=name):
                env[name] = value
            case ast.Tuple(elts=elts) | ast.List(elts=elts) if not any(
                isinstance(e, ast.Starred) for e in elts
            ):
                parts = tuple(self.fresh(self.opaque) for _ in elts)
                self.trace.append(Event(f"unpack/{len(elts)}", (value,), parts, target))
                for element, part in zip(elts, parts, strict=True):
                    self.store(element, part, env)
            case ast.Attribute(value=owner, attr=attr):
                held = self.evaluate(owner, env)
                self.event(f"set.{attr}", (held, value), target)
            case ast.Subscript(value=owner, slice=index):
                held = self.evaluate(owner, env)
                self.event("setitem", (held, self.evaluate(index, env), value), target)
            case _:
                raise Refused(f"line {target.lineno}: this assignment is not modelled")

    def _augment(self, node: ast.AugAssign, env: Environment) -> None:
        match node.target:
            case ast.Name(id=name):
                old = self.read(name, env)
                given = self.evaluate(node.value, env)
                env[name] = self.augmented(node.op, old, given, node)
            case ast.Attribute(value=owner, attr=attr):
                held = self.evaluate(owner, env)
                old = self.event(f"get.{attr}", (held,), node)
                given = self.evaluate(node.value, env)
                self.event(f"set.{attr}", (held, self.augmented(node.op, old, given, node)), node)
            case ast.Subscript(value=owner, slice=index):
                held, key = self.evaluate(owner, env), self.evaluate(index, env)
                old = self.event("getitem", (held, key), node)
                given = self.evaluate(node.value, env)
                new = self.augmented(node.op, old, given, node)
                self.event("setitem", (held, key, new), node)

    # -- loops ----------------------------------------------------------------------------------

    def _end(self, op: str, node: ast.AST, env: Environment) -> None:
        if not self._ends:
            raise Refused("a jump outside a loop")
        carried = {n: env.get(n, Missing("may be unbound")) for n in self._carried[-1]}
        end = End(op, (), node, carried)
        self._ends[-1].append(end)
        self.trace.append(end)

    def _loop(self, node: ast.For | ast.While, loop: Loop, env: Environment) -> Environment | None:
        names = stored_names(node)
        loop.entry = {n: env.get(n, Missing("may be unbound")) for n in names}
        blurred: set[str] = set()
        while True:
            loop.head = {n: self._havoc(loop.entry[n], n in blurred) for n in names}
            kept = self.trace, len(self.path), len(self.facts)
            self.trace = loop.body = []
            self.path += loop.facts
            self._ends.append([])
            self._carried.append(frozenset(names))
            out = self._iterate(node, loop, {**env, **loop.head})
            if out is not None:
                self._end("next", node, out)
            self._carried.pop()
            ends = self._ends.pop()
            self.trace = kept[0]
            del self.path[kept[1] :]
            wrong = {
                n for n in names for e in ends if not _fits(loop.head[n], e.carried[n])
            } - blurred  # fmt: skip
            if not wrong:
                break
            blurred |= wrong
        loop.after = {n: self._havoc(loop.entry[n], n in blurred) for n in names}
        self.trace.append(loop)
        return {**env, **loop.after}

    def _havoc(self, slot: Slot, blurred: bool) -> Slot:
        if isinstance(slot, Missing):
            return slot
        return self.fresh(self.opaque) if blurred else self.fresh(slot.kind, slot)

    def _iterate(
        self, node: ast.For | ast.While, loop: Loop, env: Environment
    ) -> Environment | None:
        if isinstance(node, ast.For):
            assert loop.element is not None
            self.store(node.target, loop.element, env)
            return self.block(node.body, env)

        def leave(inner: Environment) -> None:
            self._end("exit", node, inner)

        return self.decide(node.test, env, lambda e: self.block(node.body, e), leave)


def _fits(head: Slot, end: Slot) -> bool:
    if isinstance(head, Missing) or isinstance(end, Missing):
        return True
    return head.kind == end.kind and head.shape == end.shape


def stored_names(node: ast.AST) -> list[str]:
    """Names that a statement stores, in the order of first appearance."""
    found = [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and not _is_load(n)]
    return list(dict.fromkeys(found))


def _is_load(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Load)
