"""What semrep made of a module, and how far it can be trusted."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from semrep.ir.module import Module
from semrep.passes.contract import Contract
from semrep.passes.manager import Missed, Step, Trace

if TYPE_CHECKING:
    from semrep.runtime import Harness, NoHarness
    from semrep.search.evaluation import Attempt, Cost
    from semrep.verify import Verdict


class Status(enum.Enum):
    """UNCHANGED: nothing was rewritten. VERIFIED: the new text was run against the old one.
    NOT_EXECUTED: rewritten by passes that are proven bitwise, but not run. REJECTED: all that
    was rewritten had to be taken back. NO_BASELINE: the original fails, or does not agree with
    itself. NOT_REWRITABLE: a diagnostic concerns the whole file."""

    UNCHANGED = "unchanged"
    VERIFIED = "verified"
    NOT_EXECUTED = "not executed"
    REJECTED = "rejected"
    NO_BASELINE = "no trustworthy baseline"
    NOT_REWRITABLE = "not rewritable"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Rejected:
    """A step that was taken back, and why."""

    step: Step
    reason: str

    def __str__(self) -> str:
        return f"{self.step.site.pass_spec}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a module.

    module: the original. trace: the steps that were kept. note: the status in words.
    verdict, cost: of the result against the original. attempts: all that a search tried;
    stopped: why it ended; proposer: who ranked its moves.
    """

    module: Module
    trace: Trace
    status: Status
    note: str = ""
    verdict: Verdict | None = None
    cost: Cost | None = None
    harness: Harness | NoHarness | None = None
    rejected: tuple[Rejected, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    stopped: str = ""
    proposer: str = ""

    @classmethod
    def unchanged(
        cls,
        module: Module,
        status: Status,
        note: str,
        harness: Harness | NoHarness | None = None,
    ) -> Result:
        return cls(module, Trace(module, module), status, note, harness=harness)

    @property
    def src(self) -> str:
        """The new text; the original's where nothing was kept."""
        return self.trace.after.text

    @property
    def source(self) -> bytes:
        """The same as bytes, in the file's own encoding."""
        return self.trace.after.source

    @property
    def changed(self) -> bool:
        return self.trace.changed

    @property
    def pipeline(self) -> str:
        """A pipeline that makes this very text of the original one."""
        return self.trace.pipeline

    @property
    def missed(self) -> tuple[Missed, ...]:
        """Sites where a pass refused to act."""
        return self.trace.missed

    @property
    def contract(self) -> Contract:
        """What all steps together promise."""
        return self.trace.contract

    def __str__(self) -> str:
        name = self.module.path or "<text>"
        return f"{name}: {self.status}, {len(self.trace.steps)} steps ({self.note})"
