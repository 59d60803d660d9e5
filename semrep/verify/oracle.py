"""Compares what the original and the candidate were seen to do. Runs in the parent, on records."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from semrep.passes.contract import Contract, Numerics
from semrep.runtime.arrays import ROUNDOFF
from semrep.runtime.values import ArrayValue, ContainerValue, OpaqueValue, kind_of, widened
from semrep.verify.cases import Case
from semrep.verify.observation import flattened
from semrep.verify.tolerance import is_near, read_floats, show
from semrep.verify.verdict import Counterexample

Record = Mapping[str, Any]
Reference = Mapping[str, tuple[ArrayValue, ArrayValue, float]]


@dataclass(slots=True)
class Comparison:
    """Collects over all cases of one candidate. coarsest: the roundoff of the narrowest float
    argument, which is how exact a Python float made from arrays can be. inference: results need
    not be differentiable where the original's are."""

    contract: Contract
    coarsest: float = ROUNDOFF["float64"]
    inference: bool = False
    max_error_ratio: float = 0.0
    original_error: float = 0.0
    notes: list[str] = field(default_factory=list)
    incomparable: str | None = None
    narrower: list[str] = field(default_factory=list)
    """Cases that the candidate rejects and the original accepts, where the contract allows it."""
    stands: dict[str, bool] = field(default_factory=dict)
    """For results that are not equal in every bit: whether any element ever rose well above
    the tolerance that it was compared with."""

    def compare(
        self, case: Case, original: Record, candidate: Record, reference: Reference | None
    ) -> Counterexample | None:
        """The first difference on this case, or None."""
        return _CaseComparison(self, case, original, candidate, reference or {}).run()

    @property
    def drowned(self) -> str | None:
        """A result of which no element was ever large enough to be told from an error."""
        return next((where for where, stood in self.stands.items() if not stood), None)


def needs_reference(case: Case, original: Record, candidate: Record) -> bool:
    """Whether the two differ by more than a rounding or two somewhere, or at all where exactness
    can be asked for: only then can a float64 reference change the outcome."""
    if original["raised"] is not None or candidate["raised"] is not None:
        return False
    after = dict(flattened(candidate))
    for path, old in flattened(original):
        new = after.get(path)
        if not isinstance(old, ArrayValue) or not isinstance(new, ArrayValue):
            continue
        if old.data == new.data or old.dtype not in ROUNDOFF:
            continue
        if (old.dtype, old.shape) != (new.dtype, new.shape):
            return False
        if case.values == "integers":
            return True
        if not is_near(widened(old.numpy()), widened(new.numpy()), old.dtype).all():
            return True
    return False


@dataclass(slots=True)
class _CaseComparison:
    total: Comparison
    case: Case
    original: Record
    candidate: Record
    reference: Reference

    @property
    def numerics(self) -> Numerics:
        return self.total.contract.numerics

    def run(self) -> Counterexample | None:
        if self.rejects_more() or self.waits():
            return None
        found = self.errors()
        if found is not None or self.original["raised"] is not None:
            return found
        return (
            self.structure(self.original["result"], self.candidate["result"], "result")
            or self.effects()
            or self.values()
        )

    def differs(self, where: str, what: str, **details: Any) -> Counterexample:
        return Counterexample(str(self.case), where, what, **details)

    def waits(self) -> bool:
        """One program waits for another that this order of programs runs later: a device would
        run both at once, and the interpreter cannot."""
        raised = self.candidate["raised"]
        if raised is None or "WaitsForever" not in raised["type"] or not self.case.other_order:
            return False
        note = "the candidate's programs wait for one another; no other order of them was run"
        if note not in self.total.notes:
            self.total.notes.append(note)
        return True

    def rejects_more(self) -> bool:
        """The candidate refuses, loudly, what only the generator asked for, and may."""
        raised = self.candidate["raised"]
        if raised is None or self.original["raised"] is not None or not self.case.probing:
            return False
        if "exceptions" in self.total.contract.preserves or is_damage(raised):
            return False
        self.total.narrower.append(self.case.name)
        return True

    def errors(self) -> Counterexample | None:
        before, after = self.original["raised"], self.candidate["raised"]
        if before is None and after is None:
            return None
        if after is None:
            return self.differs(
                "call",
                f"returns where the original raises {before['type']}",
                original=_error(before),
                candidate="a result",
            )
        if before is None:
            return self.differs(
                "call", f"raises {after['type']}", original="a result", candidate=_error(after)
            )
        if "exceptions" not in self.total.contract.preserves:
            return None
        if _error_class(before) != _error_class(after):
            return self.differs(
                "call",
                "raises another class of error",
                original=_error(before),
                candidate=_error(after),
            )
        return None

    def structure(self, before: Any, after: Any, where: str) -> Counterexample | None:
        """Same nesting, same container and class names."""
        if isinstance(before, ContainerValue) and isinstance(after, ContainerValue):
            if before.kind != after.kind:
                return self._type_differs(where, before.kind, after.kind)
            if before.keys != after.keys:
                return self.differs(
                    where,
                    "has other elements",
                    original=str(list(before.keys))[:200],
                    candidate=str(list(after.keys))[:200],
                )
            for key, old, new in zip(before.keys, before.items, after.items, strict=True):
                found = self.structure(old, new, f"{where}[{key!r}]")
                if found is not None:
                    return found
            return None
        kinds = _kind(before), _kind(after)
        return self._type_differs(where, *kinds) if kinds[0] != kinds[1] else None

    def _type_differs(self, where: str, before: str, after: str) -> Counterexample:
        return self.differs(where, "is of another type", original=before, candidate=after)

    def effects(self) -> Counterexample | None:
        for kind, names in (
            ("arguments", "arguments changed by the call"),
            ("state", "module state changed by the call"),
        ):
            before, after = sorted(self.original[kind]), sorted(self.candidate[kind])
            if before != after:
                return self.differs(
                    names,
                    "are not the same",
                    original=", ".join(before) or "none",
                    candidate=", ".join(after) or "none",
                )
        if self.original["plain_arguments"] != self.candidate["plain_arguments"]:
            return self.differs("arguments", "are changed in another way")
        if set(self.original["globals"]) - set(self.candidate["globals"]):
            return self.differs("module globals", "no longer change")
        if set(self.candidate["globals"]) - set(self.original["globals"]):
            return self.differs(
                "module globals",
                "change",
                original="none",
                candidate=", ".join(self.candidate["globals"]),
            )
        written = set(self.candidate["overrun"]) - set(self.original["overrun"])
        if written:
            return self.differs("memory", f"beside argument {min(written)} is written to")
        more = len(self.candidate["races"]) > len(self.original["races"])
        if more and not self.original["races"]:
            return self.differs(
                "programs of a kernel",
                "race with one another",
                original="no race",
                candidate=self.candidate["races"][0],
            )
        if self.original["rng"] != self.candidate["rng"]:
            return self.differs("random state", "is another after the call")
        before_text, after_text = self.original["printed"], self.candidate["printed"]
        if before_text != after_text and (
            self.numerics is Numerics.BITWISE or bool(before_text) != bool(after_text)
        ):
            return self.differs(
                "printed text",
                "differs",
                original=repr(before_text[:100]),
                candidate=repr(after_text[:100]),
            )
        if set(self.original["gradients"]) != set(self.candidate["gradients"]):
            return self.differs(
                "gradients",
                "are of other inputs",
                original=", ".join(sorted(self.original["gradients"])) or "none",
                candidate=", ".join(sorted(self.candidate["gradients"])) or "none",
            )
        return None

    def values(self) -> Counterexample | None:
        after = dict(flattened(self.candidate))
        for path, old in flattened(self.original):
            found = self.leaf(path, old, after.get(path))
            if found is not None:
                return found
        return None

    def leaf(self, where: str, before: Any, after: Any) -> Counterexample | None:
        if isinstance(before, ArrayValue) and isinstance(after, ArrayValue):
            return self.outside(where, before, after) or self.inside(where, before, after)
        if isinstance(before, OpaqueValue) and isinstance(after, OpaqueValue):
            if before.text is None and before.kind == after.kind:
                self.total.incomparable = f"{where} is a {before.kind}, which has no value"
                return None
        if isinstance(before, float) and isinstance(after, float):
            return self.python_float(where, before, after)
        if type(before) is not type(after) or before != after:
            return self.differs(
                where, "differs", original=repr(before)[:200], candidate=repr(after)[:200]
            )
        return None

    def outside(self, where: str, before: ArrayValue, after: ArrayValue) -> Counterexample | None:
        """Everything about an array but its elements."""
        for name in ("kind", "dtype", "shape", "device", "requires_grad"):
            old, new = getattr(before, name), getattr(after, name)
            if name == "requires_grad" and self.total.inference:
                continue
            if old != new:
                return self.differs(
                    where,
                    f"has another {name.replace('_', ' ')}",
                    original=str(old),
                    candidate=str(new),
                )
        if where.startswith("result") and before.memory != after.memory:
            return self.differs(
                where,
                "shares memory with something else",
                original=_memory(before.memory),
                candidate=_memory(after.memory),
            )
        # Autograd lays an accumulated gradient out like its parameter, whatever came in.
        observable = not where.startswith("gradient") and _strides_matter(before, after)
        if before.strides != after.strides and observable:
            # Which operand's layout a result takes on is told by the harness's own layout;
            # for one that the generator chose, the elements are what counts.
            own = self.case.layout == "own"
            if own and (self.numerics is Numerics.BITWISE or not after.contiguous):
                return self.differs(
                    where,
                    "has other strides",
                    original=str(before.strides),
                    candidate=str(after.strides),
                )
            note = f"{where} is laid out otherwise"
            if note not in self.total.notes:
                self.total.notes.append(note)
        return None

    def inside(self, where: str, before: ArrayValue, after: ArrayValue) -> Counterexample | None:
        if before.data == after.data:
            return None
        old, new = before.numpy(), after.numpy()
        if before.dtype not in ROUNDOFF:
            return self._elements(where, before, old, new, np.asarray(old != new), None, None)
        known = self.reference.get(where)
        reading = read_floats(
            widened(old),
            widened(new),
            before.dtype,
            None if known is None else known[0].numpy(),
            None if known is None else known[1].numpy(),
            0.0 if known is None else known[2],
            self.numerics,
            exact=self.case.values == "integers",
            infinities_fed=self.case.values == "inf",
            overflows=self.case.values == "huge" and before.dtype == "float16",
            # A program written for float32 may hold constants of that precision.
            roundoff=min(self.total.coarsest, ROUNDOFF["float32"]) if self.case.dtype else 0.0,
            floor=_root_mean_square(old) if where.startswith("gradient") else 0.0,
        )
        self.total.max_error_ratio = max(self.total.max_error_ratio, reading.ratio)
        self.total.original_error = max(self.total.original_error, reading.original_error)
        if where.startswith("result") and self.numerics is not Numerics.BITWISE:
            stood = self.total.stands.get(where, False)
            self.total.stands[where] = stood or reading.stands
        if not reading.bad.any():
            return None
        return self._elements(
            where,
            before,
            widened(old),
            widened(new),
            reading.bad,
            reading.reference,
            None if self.numerics is Numerics.BITWISE else reading.tolerance,
        )

    def python_float(self, where: str, before: float, after: float) -> Counterexample | None:
        old, new = np.float64(before), np.float64(after)
        if old.tobytes() == new.tobytes() or (np.isnan(old) and np.isnan(new)):
            return None
        if self.numerics is not Numerics.BITWISE and np.isfinite(old) and np.isfinite(new):
            bound = 32 * self.total.coarsest * max(abs(before), abs(after))
            if abs(before - after) <= bound:
                self.total.max_error_ratio = max(
                    self.total.max_error_ratio, abs(before - after) / bound
                )
                return None
        return self.differs(where, "differs", original=repr(before), candidate=repr(after))

    def _elements(
        self,
        where: str,
        outside: ArrayValue,
        old: Any,
        new: Any,
        bad: Any,
        reference: Any,
        tolerance: Any,
    ) -> Counterexample:
        place = tuple(int(i) for i in np.argwhere(bad)[0]) if bad.ndim else ()
        return self.differs(
            where,
            f"differs ({outside.dtype}{list(outside.shape)})",
            index=place,
            original=show(old[place]),
            candidate=show(new[place]),
            reference="" if reference is None else show(reference[place]),
            tolerance=None if tolerance is None else float(tolerance[place]),
            wrong=int(bad.sum()),
            total=int(bad.size),
        )


def _kind(value: Any) -> str:
    if isinstance(value, (ArrayValue, ContainerValue, OpaqueValue)):
        return value.kind
    return kind_of(value)


def _root_mean_square(values: Any) -> float:
    """Of the finite elements. Terms of a derivative cancel exactly in one formula and up to a
    rounding in another: their size, not that of what is left, sets the scale."""
    wide = widened(values)
    finite = wide[np.isfinite(wide)]
    return float(np.sqrt(np.mean(finite**2))) if finite.size else 0.0


def _memory(label: str) -> str:
    return "memory of its own" if label.startswith("result") or not label else f"that of {label}"


def _strides_matter(before: ArrayValue, after: ArrayValue) -> bool:
    """Strides of dimensions with at most one element are arbitrary."""
    if before.strides is None or after.strides is None or 0 in before.shape:
        return False
    pairs = zip(before.shape, before.strides, after.strides, strict=True)
    return any(n > 1 and old != new for n, old, new in pairs)


def _error(raised: Mapping[str, Any]) -> str:
    return f"{raised['type']}: {raised['message'][:200]}"


def is_damage(raised: Mapping[str, Any]) -> bool:
    """Whether the error is no refusal: something was reached for that is not there."""
    names = (raised["type"], raised["message"], *raised["bases"])
    return any(fault in name for name in names for fault in ("KernelFault", "OutOfBounds"))


def _error_class(raised: Mapping[str, Any]) -> str:
    """The class; of an error inside an interpreted kernel, the class that was wrapped."""
    if raised["type"].endswith("InterpreterError"):
        inner = re.match(r"\w+", raised["message"])
        return inner.group() if inner else raised["type"]
    return str(raised["type"])
