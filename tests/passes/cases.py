"""Reads the literate case files of passes.

A case file is Markdown: `# pass-name` (or `# pass-name{option=value}`), then a case under each
`## Title`, with fenced blocks whose info string says what they are:

    python before / python after     the pass, run to its fixed point, makes the one the other
    python unchanged                 the pass has no site here, or makes no edit
    python refused                   it has a site and refuses; a comment line below the place
                                     reads `# ^ code: message`, the caret under its first column
                                     (`#^ code: message`: the place is above the `#`)
    python inputs                    a list of argument tuples for the last function of
                                     `before`: both versions are called and must agree
    signature                        type facts for the function (tests/passes/signature_text.py)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent
_CARET = re.compile(r"^(\s*)#(\s*)\^\s*([a-z0-9-]+):\s*(.*)$")


@dataclass(frozen=True)
class Caret:
    line: int
    column: int
    code: str
    message: str


@dataclass
class Case:
    path: Path
    spec: str
    title: str
    blocks: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"{self.spec}: {self.title}"

    def refused(self) -> tuple[str, list[Caret]]:
        """The block's code without its caret lines, and the carets."""
        code: list[str] = []
        carets: list[Caret] = []
        for line in self.blocks["python refused"].splitlines():
            if match := _CARET.match(line):
                # `#^` points at its own first column, which a caret behind `#` cannot reach.
                column = line.index("^") + bool(match.group(2))
                carets.append(Caret(len(code), column, match.group(3), match.group(4)))
            else:
                code.append(line)
        return "\n".join(code) + "\n", carets


def read(path: Path) -> list[Case]:
    cases: list[Case] = []
    spec, info, lines = "", None, []
    for line in path.read_text(encoding="utf-8").splitlines():
        if info is not None:
            if line.startswith("```"):
                cases[-1].blocks[info] = "".join(f"{x}\n" for x in lines)
                info = None
            else:
                lines.append(line)
        elif line.startswith("```"):
            info, lines = line.removeprefix("```").strip(), []
            if not cases:
                raise ValueError(f"{path}: a block stands before the first '## Title'")
            if info in cases[-1].blocks:
                raise ValueError(f"{path}: {cases[-1].title}: two blocks {info!r}")
        elif line.startswith("# "):
            spec = line.removeprefix("# ").strip().strip("`")
        elif line.startswith("## "):
            cases.append(Case(path, spec, line.removeprefix("## ").strip()))
    return cases


def files() -> list[Path]:
    return sorted(p for p in ROOT.glob("*/*.md"))


def rewrite(case: Case, after: str) -> None:
    """Replace the `after` block of a case in its file."""
    text = case.path.read_text(encoding="utf-8")
    head, rest = text.split(f"## {case.title}\n", 1)
    opening = "```python after\n"
    start = rest.index(opening) + len(opening)
    end = rest.index("```", start)
    case.path.write_text(f"{head}## {case.title}\n{rest[:start]}{after}{rest[end:]}", "utf-8")
