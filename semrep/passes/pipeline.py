"""Textual pipelines: `canonical,hoist-invariant{scope=loop},tensor.*,fold-constants@10-20`.

An element is a pass with options, a family (`scalar` or `scalar.*`), `*`, a pattern of names
(`fold-*`), or one step at one place (`name{…}@start-end`). The text of a pipeline parses back
to the same pipeline.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import re
from collections.abc import Iterator
from dataclasses import dataclass

from semrep.ir.text import Span
from semrep.passes import registry
from semrep.passes.base import OptionValue, Pass

_ELEMENT = re.compile(r"^([A-Za-z0-9_.*?-]+)(?:\{([^{}]*)\})?(?:@(\d+-\d+))?$")


class PipelineError(ValueError):
    """A pipeline's text is wrong; the message says where and what would be right."""


@dataclass(frozen=True, slots=True)
class Element:
    """One pass, at one place where `at` is given, else wherever it fires."""

    pass_: Pass
    at: Span | None = None

    def __str__(self) -> str:
        return f"{self.pass_}@{self.at}" if self.at is not None else str(self.pass_)


@dataclass(frozen=True, slots=True)
class Pipeline:
    elements: tuple[Element, ...] = ()

    def __str__(self) -> str:
        return ",".join(map(str, self.elements))

    def __iter__(self) -> Iterator[Element]:
        return iter(self.elements)

    def __len__(self) -> int:
        return len(self.elements)

    @property
    def passes(self) -> tuple[Pass, ...]:
        """The passes of the pipeline, each once, in order of first appearance."""
        return tuple({str(e.pass_): e.pass_ for e in self.elements}.values())

    @classmethod
    def parse(cls, text: str) -> Pipeline:
        """Raises PipelineError on bad syntax, unknown passes, and unknown or ill-typed options."""
        elements: list[Element] = []
        for part in _split(text):
            elements.extend(_parse_element(part))
        return cls(tuple(elements))


def _split(text: str) -> Iterator[str]:
    depth, start = 0, 0
    for index, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if character == "," and depth == 0:
            yield text[start:index].strip()
            start = index + 1
    if depth:
        raise PipelineError(f"unbalanced braces in {text!r}")
    if text[start:].strip() or start:
        yield text[start:].strip()


def _parse_element(part: str) -> Iterator[Element]:
    match = _ELEMENT.match(part)
    if match is None:
        raise PipelineError(
            f"{part!r} is no pipeline element; write name{{option=value}} or family.*"
        )
    name, inner, at = match.groups()
    if "*" in name or "?" in name or name in registry.FAMILIES:
        if inner or at:
            raise PipelineError(f"{part!r}: a pattern of passes takes neither options nor a place")
        pattern = f"{name}.*" if name in registry.FAMILIES else name
        found = [p for p in registry.all_passes() if _selects(pattern, p) and not p.is_opt_in]
        if not found and name not in registry.FAMILIES:
            raise PipelineError(f"{part!r} names no pass; see --list-passes")
        yield from map(Element, found)
        return
    yield Element(parse_pass(name, inner), Span.parse(at) if at else None)


def _selects(pattern: str, candidate: Pass) -> bool:
    return fnmatch.fnmatchcase(f"{candidate.family}.{candidate.name}", pattern) or (
        "." not in pattern and fnmatch.fnmatchcase(candidate.name, pattern)
    )


def parse_pass(name: str, options: str | None = None) -> Pass:
    """A pass from its name (with or without `family.`) and its options, as `{…}` holds them."""
    try:
        found = registry.find(name.rpartition(".")[2])
    except registry.UnknownPass as error:
        raise PipelineError(str(error)) from None
    given = (options or "").replace(",", " ").split()
    if isinstance(found, Pass):
        if given:
            raise PipelineError(f"{found.name} takes no options")
        return found
    fields = {f.name: f for f in dataclasses.fields(found)}
    values: dict[str, OptionValue] = {}
    for item in given:
        key, equals, text = item.partition("=")
        field = fields.get(key.replace("-", "_"))
        if field is None or not equals:
            known = ", ".join(f.replace("_", "-") for f in fields) or "none"
            raise PipelineError(f"{found.name} has no option {key!r}; its options: {known}")
        values[field.name] = _value(found.name, key, text, type(field.default))
    return found(**values)


def _value(owner: str, key: str, text: str, kind: type) -> OptionValue:
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        return kind(text)  # type: ignore[no-any-return]
    except (KeyError, ValueError):
        raise PipelineError(f"{owner}: option {key}={text!r} is no {kind.__name__}") from None
