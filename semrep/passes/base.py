"""The pass framework's words: `Site`, `Refusal`, `Pass`, and the base for passes on Python."""

from __future__ import annotations

import dataclasses
import dis
import functools
import types
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.effects import Facts, facts
from semrep.ir.module import Module
from semrep.ir.text import Edit, EditSet, OverlapError, Span
from semrep.ir.tree import Node
from semrep.ir.unit import Unit, may_be_written
from semrep.passes.contract import BITWISE, Contract

PYTHON, TRITON, TENSOR = "python", "triton", "tensor"

_TRITON_ALONE = frozenset({TRITON})

OptionValue = int | float | bool | str
Options = tuple[tuple[str, OptionValue], ...]


@dataclass(frozen=True, slots=True)
class Site:
    """One place where one pass may act, in one module.

    pass_spec: the pass with its options, as in a pipeline. digest: of the module's text.
    """

    pass_spec: str
    span: Span
    digest: str

    def __str__(self) -> str:
        return f"{self.pass_spec}@{self.span}#{self.digest}"

    @classmethod
    def parse(cls, text: str) -> Site:
        """The inverse of str(). Raises ValueError on anything else."""
        spec, at, rest = text.rpartition("@")
        span, hash_sign, digest = rest.partition("#")
        if not at or not hash_sign:
            raise ValueError(
                f"not a site: {text!r}; a site looks like name{{option=1}}@10-20#digest"
            )
        return cls(spec, Span.parse(span), digest)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a pass does not act at a site. code: kebab-case. span: what stands in the way, in
    the module's own offsets (None: the site itself)."""

    code: str
    message: str
    span: Span | None = None

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


@dataclass(frozen=True, slots=True)
class Pass(ABC):
    """A semantics-preserving rewrite. Frozen; dataclass fields of a subclass are its options.

    name: verb phrase in kebab-case, unique. summary: one line. family: the folder it lives in.
    dialects: what it acts on. contract: what it promises about results. inverse: name of the
    pass that undoes it, where there is one. objectives: what it may improve; empty for passes
    that only change the representation.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    family: ClassVar[str] = ""
    dialects: ClassVar[frozenset[str]] = frozenset({PYTHON})
    contract: ClassVar[Contract] = BITWISE
    inverse: ClassVar[str | None] = None
    is_opt_in: ClassVar[bool] = False
    """Left out of wildcards (`scalar.*`): must be asked for by name."""
    is_independent: ClassVar[bool] = False
    """Acting at one site never changes whether, or what, another site may do."""

    @abstractmethod
    def sites(self, module: Module) -> Iterator[Site]:
        """Places where the pass may act, in source order. Cheap: legality is for `rewrite`."""

    @abstractmethod
    def rewrite(self, module: Module, site: Site) -> EditSet | Refusal:
        """The edits that the pass makes at a site, or why it makes none. Pure.

        Raises ValueError for a site of another module or of another pass."""

    @property
    def options(self) -> Options:
        """Options that differ from their defaults."""
        return tuple(
            (f.name, getattr(self, f.name))
            for f in dataclasses.fields(self)
            if getattr(self, f.name) != f.default
        )

    def __str__(self) -> str:
        if not self.options:
            return self.name
        inner = " ".join(f"{k.replace('_', '-')}={_option(v)}" for k, v in self.options)
        return f"{self.name}{{{inner}}}"

    def check(self, module: Module, site: Site) -> None:
        if site.digest != module.digest:
            raise ValueError(f"{site} is a site of another text (this one is #{module.digest})")
        if site.pass_spec != str(self):
            raise ValueError(f"{site} is not a site of {self}")


def _option(value: OptionValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True)
class NodePass(Pass):
    """A pass that acts at syntax nodes of one unit at a time.

    Subclasses name the node kinds they look at and give `matches` and `edit`. What `matches`
    answers is cached with the unit, so it may depend on nothing but the unit's text and the
    module's environment.
    """

    anchors: ClassVar[frozenset[str]] = frozenset()

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        """Whether a node of an anchor kind looks like a place to act. Syntactic and fast."""
        return True

    @abstractmethod
    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        """The edits at a matching node, in the unit's own offsets, or a refusal with a span
        in them. All proofs of legality belong here."""

    def sites(self, module: Module) -> Iterator[Site]:
        anchors, key = self.anchors, ""
        if module.language != "python" or not may_be_written(module.source, anchors):
            return  # without having parsed it
        if self.dialects == _TRITON_ALONE and b"triton" not in module.source:
            return  # no name there can stand for one of its functions
        if not module.is_rewritable:
            return
        spec, digest = str(self), module.digest
        for placed in module.holding(anchors):
            unit = placed.unit
            if not key:
                asks = _asks_module(type(self).matches)
                key = f"{spec}/{module.facts_key}" if asks else spec
            spans = unit.known(key)
            if spans is None:
                spans = unit.fact(key, lambda u=unit: self._spans(module, u))  # type: ignore[misc]
            if spans:
                start = placed.start
                for span in spans:
                    yield Site(spec, Span(span.start + start, span.end + start), digest)

    def _spans(self, module: Module, unit: Unit) -> tuple[Span, ...]:
        found = {
            node.span
            for kind in self.anchors
            for node in unit.by_kind.get(kind, ())
            if self._matches(module, unit, node)
        }
        return tuple(sorted(found))

    def _matches(self, module: Module, unit: Unit, node: Node) -> bool:
        try:
            return self.matches(module, unit, node)
        except RecursionError:
            return False  # nests deeper than can be followed: no place to act

    def rewrite(self, module: Module, site: Site) -> EditSet | Refusal:
        self.check(module, site)
        placed = module.unit_at(site.span)
        if placed is None:
            raise ValueError(f"{site} lies in no unit")
        span = site.span.shifted(-placed.start)
        for kind in sorted(self.anchors):
            for node in placed.unit.by_kind.get(kind, ()):
                if node.start == span.start and node.end == span.end:
                    if self.matches(module, placed.unit, node):
                        return self._place(self.edit(module, placed.unit, node), placed.start)
        raise ValueError(f"{site}: nothing for this pass to act on")

    def _place(self, result: Iterable[Edit] | Refusal, offset: int) -> EditSet | Refusal:
        if isinstance(result, Refusal):
            if result.span is None:
                return result
            return Refusal(result.code, result.message, result.span.shifted(offset))
        try:
            return EditSet(edit.shifted(offset) for edit in result)
        except OverlapError as error:
            raise OverlapError(f"{self}: {error}") from error

    def facts(self, module: Module, unit: Unit, node: Node) -> Facts:
        """Names, flow, types and effects of the function that holds a node."""
        return facts(module, unit, node)


@functools.cache
def _asks_module(matches: types.FunctionType) -> bool:
    """False where `matches` does not so much as name its `module`, so that its answers hold in
    any module: most do not, and what a module's names stand for is dear to find out."""
    name = matches.__code__.co_varnames[1]
    return any(i.argval == name for i in dis.get_instructions(matches))


def refuse(code: str, message: str, at: Node | None = None) -> Refusal:
    """A refusal that points at a node of the unit."""
    return Refusal(code, message, at.span if at is not None else None)
