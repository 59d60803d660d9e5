"""How fast one rewrite goes over files, side by side with LibCST and ast-grep.

One process, one thread, from bytes in memory to bytes in memory. The tools take turns on each
group of files; the clock counts the time that this process had the processor, so that other
load does not decide.
"""

from __future__ import annotations

import ast
import gc
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.corpus import File
from bench.rewriters import Rewriter, with_ast_grep, with_libcst, with_semrep
from bench.statistics import Interval, bootstrap, ratio_of_sums

SEMREP, UNSCREENED, LIBCST, AST_GREP = "semrep", "semrep-unscreened", "libcst", "ast-grep"


@dataclass(slots=True)
class Comparison:
    """seconds: by tool, one entry a group of files. sizes: bytes of each group."""

    rewrite: str
    sizes: list[int] = field(default_factory=list)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    files: int = 0
    changed: int = 0
    disagreements: list[str] = field(default_factory=list)
    left_out: int = 0

    def ratio(self, tool: str, base: str = SEMREP) -> Interval:
        """How many times as long the tool takes as `base`."""
        return ratio_of_sums(list(zip(self.seconds[tool], self.seconds[base], strict=True)))

    def speed(self, tool: str) -> Interval:
        """MB/s."""
        pairs = list(zip(self.sizes, self.seconds[tool], strict=True))
        return bootstrap(pairs, lambda p: sum(a for a, _ in p) / sum(b for _, b in p) / 1e6)


def compare(files: Sequence[File], rewrite: str, groups: int) -> Comparison:
    tools: Mapping[str, Rewriter] = {
        SEMREP: with_semrep(rewrite),
        LIBCST: with_libcst(rewrite),
        AST_GREP: with_ast_grep(rewrite),
        UNSCREENED: with_semrep(rewrite, screen=False),
    }
    found = Comparison(rewrite, seconds={name: [] for name in tools})
    sources: list[tuple[str, bytes]] = []
    for file in files:
        source = file.read()
        if _is_readable(source):
            sources.append((file.label, source))
        else:
            found.left_out += 1
    found.files = len(sources)
    for tool in tools.values():  # loads grammars and libraries
        tool(b"x = not a in b\n")
    for index in range(groups):
        group = sources[index::groups]
        if not group:
            continue
        found.sizes.append(sum(len(s) for _, s in group))
        results: dict[str, list[bytes]] = {}
        names = list(tools)
        for name in names[index % len(names) :] + names[: index % len(names)]:
            tool = tools[name]
            gc.collect()
            started = time.process_time()
            results[name] = [tool(source) for _, source in group]
            found.seconds[name].append(time.process_time() - started)
        for n, (label, source) in enumerate(group):
            found.changed += results[SEMREP][n] != source
            for name in (LIBCST, AST_GREP, UNSCREENED):
                if not _agree(results[SEMREP][n], results[name][n]):
                    found.disagreements.append(f"{label} ({name})")
    return found


def _is_readable(source: bytes) -> bool:
    """For all three: ast-grep takes UTF-8 alone, LibCST what it can parse."""
    import libcst as cst

    try:
        source.decode("utf-8")
        cst.parse_module(source)
    except (UnicodeDecodeError, cst.ParserSyntaxError, RecursionError):
        return False
    return True


def _agree(a: bytes, b: bytes) -> bool:
    """The same program: white space around the operator is the tools' own."""
    if a == b:
        return True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.dump(ast.parse(a)) == ast.dump(ast.parse(b))
        except SyntaxError:
            return False
