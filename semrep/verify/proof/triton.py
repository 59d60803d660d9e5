"""Triton kernels: integers as bit-vectors of their exact types, blocks one element at a time.

The element of a block at any index stands for all of them: `tl.arange` gives its start plus the
index along its axis, which `[:, None]` moves; extents have to be known to agree. Pointers are a
base and a 64-bit offset, to which narrower offsets are extended after they were computed in
their own type. Loads, stores and every operation that is not modelled (floating point, `tl.dot`,
calls) are events, in order. Operations on values of unknown type are events too, so that they
equal only themselves. Semantics are those of compiled kernels (`triton.compiler.code_generator`
and `triton.language.semantic`); what fails to compile has to fail in both versions.
"""

from __future__ import annotations

import ast
from typing import Any

from semrep.verify.proof import triton_integers as integers
from semrep.verify.proof.execute import Executor
from semrep.verify.proof.names import Names
from semrep.verify.proof.result import Refused
from semrep.verify.proof.solver import Solver, object_sort, z3
from semrep.verify.proof.trace import End, Environment, Loop, Missing, Slot, Value

_LARGEST_BLOCK = 1 << 30


class CompileError(Exception):
    """The kernel does not compile for arguments of these types."""


class TritonExecutor(Executor):
    """Runs a kernel for parameters of given kinds (see `triton_modes`)."""

    opaque = "any"
    short_circuits = False

    def __init__(self, solver: Solver, tag: str, names: Names, kinds: dict[str, str]) -> None:
        super().__init__(solver, tag)
        self.names = names
        self.kinds = kinds
        self.requirements: list[tuple[Any, Any]] = []
        self.hazards: list[Any] = []
        self._required: set[str] = set()
        self._static: list[Any] = []
        self._extents: dict[str, tuple[Any, Any]] = {}
        self._indices: set[str] = set()

    def run(self, function: ast.FunctionDef) -> None:
        given = function.args
        if given.vararg or given.kwarg:
            raise Refused("a kernel with variadic parameters")
        parameters = [*given.posonlyargs, *given.args, *given.kwonlyargs]
        env: Environment = {p.arg: self._parameter(p.arg) for p in parameters}
        stored = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)
                  and isinstance(n.ctx, ast.Store)}  # fmt: skip
        self.locals = frozenset(env) | stored
        if self.block(function.body, env) is not None:
            self.trace.append(End("return", (self.none(),), function))

    def _parameter(self, name: str) -> Value:
        kind = self.kinds.get(name, "any")
        if kind == "one":
            return Value("cint", integers.literal(1))
        return self.symbol(kind, f"param:{name}")

    def error(self, reason: str) -> CompileError | Refused:
        """What to raise for an operation that does not compile."""
        return Refused(f"may not compile: {reason}") if self._static else CompileError(reason)

    # -- values ---------------------------------------------------------------------------------

    def symbol(self, kind: str, name: str, like: Value | None = None) -> Value:
        m = z3()
        shape = like.shape if like is not None else ()
        if kind in ("i1", "cbool"):
            return Value(kind, m.Bool(name), shape)
        if kind in integers.WIDTH:
            return Value(kind, m.BitVec(name, integers.WIDTH[kind]), shape)
        if kind == "cint":
            return Value(kind, m.BitVec(name, 64), shape)
        if kind == "ptr":
            return Value(kind, m.BitVecVal(0, 64), shape, m.Const(name, object_sort()))
        return Value(kind, m.Const(name, object_sort()), shape)

    def fresh(self, kind: str, like: Value | None = None) -> Value:
        if like is not None and (like.shape or kind in integers.STATIC):
            # What a loop carries of a block differs from index to index, which a symbol does not
            # show when axes are moved; and compile-time values become run-time ones.
            return super().fresh("any")
        return super().fresh(kind, like)

    def none(self) -> Value:
        return self.constant(None)

    def constant(self, value: object) -> Value:
        m = z3()
        if isinstance(value, bool):
            return Value("cbool", m.BoolVal(value))
        if isinstance(value, int):
            return Value("cint", integers.literal(value))
        return Value("any", m.Const(f"const:{type(value).__name__}:{value!r}", object_sort()))

    def require(self, condition: Any) -> None:
        """Without the condition the kernel does not compile."""
        m = z3()
        condition = m.simplify(condition)
        text = condition.sexpr()
        if m.is_true(condition) or (text in self._required and not self.path):
            return
        if "o!" in text or "c!" in text:
            if self.proves(condition):
                return
            raise Refused("a compile-time value of unknown size")
        if not self.path:
            self._required.add(text)
        self.requirements.append((m.And(*self._static) if self._static else None, condition))
        self.facts.append(m.Implies(m.And(*self.path), condition) if self.path else condition)

    def needs(self, condition: Any) -> None:
        """Without the condition the behaviour of the kernel is undefined."""
        m = z3()
        if not m.is_true(m.simplify(condition)):
            self.hazards.append(m.Implies(m.And(*self.path), condition) if self.path else condition)

    def truth(self, value: Value, node: ast.expr) -> Any:
        if value.shape:
            raise Refused(f"line {node.lineno}: a block as a condition")
        if value.kind in ("i1", "cbool"):
            return value.term
        if value.kind in (*integers.WIDTH, "cint"):
            return value.term != 0
        return self.event("truth", (value,), node, "i1").term

    def branch(self, condition: Any, test: ast.expr, env: Any, then: Any, other: Any) -> Any:
        static = not self._is_dynamic(test, env)
        if static:
            self._static.append(condition)
            kept, negated = len(self._static), z3().Not(condition)

            def elsewhere(inner: Environment) -> Environment | None:
                self._static[kept - 1] = negated
                return other(inner)  # type: ignore[no-any-return]

            result = super().branch(condition, test, env, then, elsewhere)
            del self._static[kept - 1 :]
            return result
        return super().branch(condition, test, env, then, other)

    def _is_dynamic(self, test: ast.expr, env: Environment) -> bool:
        """Whether a test is known to be made while the kernel runs."""
        saved, self.trace = self.trace, []
        try:
            return self.evaluate(test, dict(env)).kind in integers.RUNTIME
        finally:
            self.trace = saved

    def join(self, condition: Any, then: Value, other: Value) -> Slot:
        if then.kind != other.kind or then.shape != other.shape or then.kind in integers.STATIC:
            return Missing("of several kinds after a branch")
        m = z3()
        base = None if then.base is None else m.If(condition, then.base, other.base)
        return Value(then.kind, m.If(condition, then.term, other.term), then.shape, base)

    # -- blocks ---------------------------------------------------------------------------------

    def broadcast(self, a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
        """The shape of an operation on both; axes are aligned from the right."""
        rank = max(len(a), len(b))
        one, two = (("1",) * (rank - len(s)) + s for s in (a, b))
        shape = []
        for x, y in zip(one, two, strict=True):
            if x != y and "1" not in (x, y):
                raise Refused("extents that are not known to agree")
            shape.append(y if x == "1" else x)
        return tuple(shape)

    def arange(self, start: Any, end: Any) -> Value:
        """An element of `tl.arange`: the start plus the index along the last axis."""
        m = z3()
        extent = integers.static_binary(ast.Sub(), end, start)
        assert extent is not None
        wide = integers.extend(extent, 66)
        self.require(
            m.And(
                integers.extend(start, 66) >= 0,
                integers.extend(end, 66) <= 2**31 - 1,
                wide >= 1, wide <= _LARGEST_BLOCK, wide & (wide - 1) == 0,
            )
        )  # fmt: skip
        simple = m.simplify(extent)
        key = str(simple.as_signed_long()) if m.is_bv_value(simple) else simple.sexpr()
        path = m.And(*self.path) if self.path else m.BoolVal(True)
        self._extents.setdefault(key, (path, integers.narrowed(extent, "i32")))
        index = m.BitVecVal(0, 32) if key == "1" else self.index(1, key)
        return Value("i32", integers.narrowed(start, "i32") + index, (key,))

    def index(self, axis: int, extent: str) -> Any:
        """The index along an axis (1 is the last) of that extent."""
        m = z3()
        name = f"index:{axis}:{extent}"
        symbol = m.BitVec(name, 32)
        if name not in self._indices and extent in self._extents:
            path, size = self._extents[extent]
            self.facts.append(m.Implies(path, m.And(symbol >= 0, symbol < size)))
            self._indices.add(name)
        return symbol

    def reindexed(self, value: Value, places: list[int | None]) -> Value:
        """The value with new axes: for each axis of the result, the old one or None."""
        rank = len(value.shape)
        shape = tuple("1" if p is None else value.shape[p] for p in places)
        swaps = []
        for new, old in enumerate(places):
            if old is not None and value.shape[old] != "1":
                extent = value.shape[old]
                swaps.append(
                    (self.index(rank - old, extent), self.index(len(places) - new, extent))
                )
        term = z3().substitute(value.term, *swaps) if swaps else value.term
        return Value(value.kind, term, shape, value.base)

    # -- statements and expressions -------------------------------------------------------------

    def iteration(self, node: ast.For, env: Environment) -> Loop:
        call = node.iter
        if not isinstance(call, ast.Call) or any(isinstance(a, ast.Starred) for a in call.args):
            raise Refused(f"line {node.lineno}: this iterable is not modelled")
        path = self.names.path(call.func, self.locals)
        if path not in ("builtins.range", "triton.language.range", "triton.language.static_range"):
            raise Refused(f"line {node.lineno}: this iterable is not modelled")
        given = tuple(self.evaluate(a, env) for a in call.args)
        options = tuple(self.evaluate(k.value, env) for k in call.keywords)
        names = ",".join(str(k.arg) for k in call.keywords)
        if path.endswith("static_range") or not given or len(given) > 3:
            element = self.fresh("any")
        else:
            element = self.fresh(self._loop_kind(given))
        return Loop(f"for {path}({len(given)},{names})", given + options, element, node)

    def _iterate(self, node: Any, loop: Loop, env: Environment) -> Environment | None:
        # The body of an unrolled loop is not compiled where there is no iteration.
        depth = len(self._static)
        if "static_range" in loop.op:
            self._static.append(self.fresh("cbool").term)
        try:
            return super()._iterate(node, loop, env)
        finally:
            del self._static[depth:]

    def _loop_kind(self, given: tuple[Value, ...]) -> str:
        kind = "i1"
        for value in given:
            if value.kind in ("float", "maybe float", "ptr", "odd"):
                raise self.error("a loop over no integers")
            if value.kind == "cint" and self.proves(integers.fits(value.term, "i32")):
                kind = integers.promoted(kind, "i32")
            elif value.kind == "cbool":
                kind = integers.promoted(kind, "i1")
            elif value.kind in integers.RUNTIME:
                kind = integers.promoted(kind, value.kind)
            else:
                return "any"
        return "any" if kind == "i1" else kind

    def evaluate(self, node: ast.expr, env: Environment) -> Value:
        from semrep.verify.proof.triton_expressions import evaluate

        return evaluate(self, node, env)

    def binary(self, op: ast.operator, a: Value, b: Value, node: ast.AST) -> Value:
        from semrep.verify.proof.triton_expressions import binary

        return binary(self, op, a, b, node)
