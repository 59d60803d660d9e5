"""What a differential check found. A verdict is never a truth value: it has three forms."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from semrep.verify.cases import Case

Grade = Literal["proved", "gpu", "interpreter", "cpu"]


class _NotABool:
    __slots__ = ()

    def __bool__(self) -> NoReturn:
        raise TypeError("a verdict is not true or false; ask isinstance(verdict, Equivalent)")


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A call on which the two differ, in printable terms.

    case: how the arguments were made; where: which observed value ("result[0]", "argument
    [0][0] afterwards"); index: the worst element; original, candidate, reference: values there
    as text, "" where there is none; tolerance: the bound that was passed.
    """

    case: str
    where: str
    what: str
    arguments: tuple[str, ...] = ()
    index: tuple[int, ...] | None = None
    original: str = ""
    candidate: str = ""
    reference: str = ""
    tolerance: float | None = None
    wrong: int = 0
    total: int = 0

    def __str__(self) -> str:
        at = f"[{', '.join(map(str, self.index))}]" if self.index else ""
        values = f": {self.original} became {self.candidate}" if self.original else ""
        return f"{self.where}{at} {self.what}{values} on {self.case}"

    def describe(self) -> str:
        """Several lines: the call, the place, the values."""
        lines = [f"case: {self.case}", *(f"  {text}" for text in self.arguments)]
        lines.append(f"where: {self.where} {self.what}")
        if self.index is not None:
            lines.append(f"index: {list(self.index)} ({self.wrong} of {self.total} differ)")
        for name in ("original", "candidate", "reference"):
            if getattr(self, name):
                lines.append(f"{name}: {getattr(self, name)}")
        if self.tolerance is not None and self.tolerance == self.tolerance:
            lines.append(f"tolerance: {self.tolerance:.3g}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Equivalent(_NotABool):
    """No case told the two apart. Says what was tried, and no more than that.

    max_error_ratio: largest |candidate - reference| as a part of its tolerance (0: bitwise).
    original_error: the original's own largest error in units of the same scale; it widens the
    tolerance, so a large one weakens the finding.
    draws: independent random cases among them; the rest are chosen and count as coverage.
    lifted: kinds of cases left out because the contract assumes they do not occur.
    narrower: cases that the candidate rejects with an error and the original accepts.
    theory: for the grade "proved", what the proof is in.
    """

    cases: int
    seeds: tuple[int, ...]
    grade: Grade
    contract: str
    max_error_ratio: float = 0.0
    original_error: float = 0.0
    names: tuple[str, ...] = ()
    lifted: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    draws: int = 0
    narrower: tuple[str, ...] = ()
    theory: str = ""

    @property
    def failing_fraction(self) -> float:
        """With 95% confidence fewer of the generator's draws than this part fail: 3/n (the rule
        of three; Hanley and Lippman-Hand, 1983). 1 where nothing was drawn."""
        return min(1.0, 3.0 / self.draws) if self.draws else 1.0

    @property
    def confidence(self) -> str:
        """What the cases show, in a sentence."""
        chosen = self.cases - self.draws
        coverage = f"{chosen} chosen cases agree" if chosen else "no chosen case"
        if not self.draws:
            return f"{coverage}; no independent draws"
        return (
            f"{coverage}; {self.draws} independent draws agree: fewer than "
            f"{self.failing_fraction:.2g} of the generator's draws fail (95%)"
        )

    def __str__(self) -> str:
        error = "bitwise" if self.max_error_ratio == 0 else f"{self.max_error_ratio:.2g} of bound"
        lifted = f", without {', '.join(self.lifted)}" if self.lifted else ""
        lifted += f"; proved in {self.theory}" if self.theory else ""
        lifted += f"; rejects {', '.join(self.narrower)}" if self.narrower else ""
        return f"equivalent on {self.cases} cases ({self.grade}, {error}{lifted})"

    def to_json(self) -> dict[str, Any]:
        return {
            "verdict": "equivalent",
            **dataclasses.asdict(self),
            "confidence": self.confidence,
        }


@dataclass(frozen=True, slots=True)
class Different(_NotABool):
    """The candidate does something else, or fails where the original does not.

    case: the call that showed it, as data. code: a script that makes the call on both.
    other_parameters: the two modules have parameters of other names or shapes, and were not
    compared further.
    """

    reason: str
    counterexample: Counterexample | None = None
    case: Case | None = None
    code: str = ""
    other_parameters: bool = False

    def __str__(self) -> str:
        return f"different: {self.counterexample or self.reason}"

    def to_json(self) -> dict[str, Any]:
        return {"verdict": "different", **dataclasses.asdict(self)}


@dataclass(frozen=True, slots=True)
class Inconclusive(_NotABool):
    """Nothing can be said, and why.

    unexecuted: lines of the candidate that were edited and that no case executed, where that
    is the only thing in the way: all that did run agreed.
    """

    reason: str
    unexecuted: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"inconclusive: {self.reason}"

    def to_json(self) -> dict[str, Any]:
        return {"verdict": "inconclusive", **dataclasses.asdict(self)}


Verdict = Equivalent | Different | Inconclusive
