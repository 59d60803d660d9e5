"""What the figures mean, and the bars that they are held against."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass

from bench.records import Record, number


@dataclass(frozen=True, slots=True)
class Bar:
    """at_most: whether the figure must stay below the limit, or reach it."""

    limit: float
    at_most: bool

    def holds(self, value: float) -> bool:
        compare: Callable[[float, float], bool] = operator.le if self.at_most else operator.ge
        return compare(value, self.limit)

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {number(self.limit)}"


@dataclass(frozen=True, slots=True)
class Figure:
    name: str
    meaning: str
    bar: Bar | None = None


def _at_most(limit: float) -> Bar:
    return Bar(limit, True)


def _at_least(limit: float) -> Bar:
    return Bar(limit, False)


_FRONTEND = (
    Figure(
        "roundtrip_failures",
        "Every Python file of the standard library, NumPy, PyTorch and JAX, as installed, "
        "goes through the module and through each canonical pass, opt-in ones too: one sweep "
        "of all sites that do not touch, then a reparse. A failure is a crash, a byte that "
        "changed outside the edits, a new syntax error, or a text that Python no longer "
        "compiles.",
        _at_most(0),
    ),
    Figure(
        "throughput_vs_libcst",
        "The same rewrite (`not a in b` → `a not in b`, `not a is b` → `a is not b`) by the "
        "registered pass and by a LibCST transformer: one process, bytes to bytes, taking "
        "turns on groups of files; processor time. semrep leaves out files and functions "
        "whose text lacks the tokens of the pass's anchors, and finds the others by the "
        "parser's own search before it copies a tree.",
        _at_least(10),
    ),
    Figure(
        "throughput_vs_ast_grep",
        "The same against an ast-grep rule through its Python binding (its own matcher in "
        "Rust, one process as well; its command line would add threads and file writes). "
        "Below 1, ast-grep is faster: it copies no tree into Python.",
    ),
    Figure(
        "throughput_vs_libcst_unscreened",
        "The same where semrep copies the whole tree of every file first, as it must for "
        "a pipeline of many passes.",
    ),
    Figure(
        "throughput_vs_libcst_split",
        "The inverse rewrite, which finds something to do in most files. The tools disagree "
        "where semrep leaves alone a function that its grammar cannot read or a file that "
        "looks like Python 2, and where the ast-grep rule takes a `#` in a string for a "
        "comment.",
        _at_least(10),
    ),
    Figure("throughput_vs_ast_grep_split", "The inverse rewrite against ast-grep."),
    Figure(
        "throughput_vs_libcst_unscreened_split",
        "The inverse rewrite with the whole tree of every file copied first.",
    ),
    Figure(
        "sites_10k_lines_s",
        "All sites of all registered passes on a file of 10,000 lines made of functions and "
        "classes of the standard library, read anew each time.",
        _at_most(1),
    ),
    Figure(
        "step_ms",
        "One random legal edit in that file applied, and all sites of all passes listed again.",
        _at_most(50),
    ),
    Figure(
        "sites_10k_lines_s_torch",
        "The same with functions and classes of PyTorch, dense with array code that the "
        "tensor rules look into.",
        _at_most(1),
    ),
    Figure("step_ms_torch", "One edit in the PyTorch file.", _at_most(50)),
    Figure(
        "random_pipeline_differences",
        "Random pipelines of all passes that promise the same bits, on functions of the "
        "standard library, NumPy code and random programs; both versions are run on odd "
        "inputs, and values, exceptions, mutated arguments, output and the order of "
        "operators are compared.",
        _at_most(0),
    ),
    Figure("corpus", "Size of the files of the round trip."),
    Figure("parse_and_units", "Parsing, and copying every unit's tree into Python objects."),
)
_TRUST = (
    Figure(
        "mutants_killed",
        "Share of seeded faults in Triton, torch, JAX and NumPy programs, most of them not "
        "ours, that `semrep.verify` tells from the original. Counted are faults that some "
        "checker or an independent fuzzer tells apart; operators and corpus were written "
        "without looking at the verifier. Peers: the checkers of other projects on the very "
        "same pairs.",
        _at_least(0.99),
    ),
    Figure(
        "subtle_mutants_killed",
        "The same of those faults that at least one of the other checkers accepts.",
        _at_least(0.95),
    ),
    Figure(
        "false_rejects",
        "Equivalent rewrites of the same programs, generic ones and others written by hand, "
        "that are called different.",
        _at_most(0),
    ),
    Figure(
        "trivial_accepted",
        "Candidates that compute nothing (zeros, one constant, the first input, the first "
        "output again) for each KernelBench problem of levels 1 to 3 with smaller sizes, "
        "where the problem's output depends on its inputs at all.",
        _at_most(0),
    ),
    Figure("trivial_and_right", "Trivial candidates that nothing tells from the original."),
    Figure(
        "trivial_problems_not_run",
        "KernelBench problems whose original does not run with smaller sizes.",
    ),
    Figure(
        "exploits_accepted",
        "Known ways to cheat a checker or a clock that are taken for equivalent, or faster.",
        _at_most(0),
    ),
    Figure(
        "pass_faults_escaped",
        "Faults planted in semrep's own passes (cosmic-ray's operators, and mistakes that "
        "pass authors make) whose wrong rewrites are verified.",
        _at_most(0),
    ),
    Figure(
        "hostile_source_failures",
        "Fuzzed files on which reading, rewriting or writing crashes, hangs, changes what is "
        "outside its edits, or makes text that Python no longer compiles.",
        _at_most(0),
    ),
    Figure(
        "rows_lost",
        "Rows of the store that were acknowledged before a kill -9 and are gone or torn.",
        _at_most(0),
    ),
    Figure(
        "uncontained",
        "Harmful candidates that outlive, outgrow or reach beyond their process.",
        _at_most(0),
    ),
    Figure(
        "warm_verify_ms",
        "Verifying one more candidate for a small torch function on all cases, in a fresh "
        "process, the worker and the original's results being there.",
        _at_most(150),
    ),
    Figure(
        "warm_verify_reference_ms",
        "The same where the results differ in roundings and float64 references decide.",
    ),
    Figure(
        "warm_verify_pair_ms",
        "A new original and its first candidate: the original learnt and run twice as well.",
    ),
)
_MAIN = (
    Figure(
        "examples_verified",
        "`python -m semrep.opt FILE` finds something faster in a file of examples/ and "
        "verifies it by running both versions.",
    ),
    Figure(
        "examples_seconds_worst",
        "Wall time of the slowest of these commands, start and imports included.",
    ),
)
_NPBENCH = (
    Figure(
        "wrong",
        "Rewrites of NPBench's kernels that semrep verified and that gave other results on inputs "
        "that nobody had seen.",
        _at_most(0),
    ),
    Figure(
        "kernels_done",
        "Kernels that were optimised, checked and timed within their limit; a call takes 1 to "
        "300 ms with size S, a larger one, or a halved one.",
    ),
    Figure(
        "speedup_over_numpy",
        "NumPy's time over the result's, both timed in turns in one process; 1 where nothing was "
        "kept. Beside it the same for NPBench's own versions in Numba and jax.jit, compiled "
        "before.",
        _at_least(2),
    ),
    Figure(
        "share_at_least_numba",
        "Kernels on which the result, still NumPy, is as fast as Numba's version.",
        _at_least(0.5),
    ),
)
_FUNCTIONS = (
    Figure(
        "wrong",
        "Functions of installed packages that semrep rewrote and verified and that differ from the "
        "original for a fuzzer of its own, which shares nothing with the verifier: about a hundred "
        "draws each of what the search was given, of another precision, and of whole numbers, with "
        "other sizes, magnitudes and strides, NaN and infinities. Exceptions, changed arguments "
        "and shared memory count as well.",
        _at_most(0),
    ),
    Figure(
        "functions_jax",
        "JAX functions that were searched, out of all that were tried, in a seeded order. Each is "
        "a text of its own, without decorators; its arguments are found by trying shapes.",
        _at_least(100),
    ),
    Figure("functions_numpy", "The same of functions that compute with NumPy.", _at_least(100)),
    Figure(
        "refusals_without_reason",
        "Functions that were left as they were without a word on why.",
        _at_most(0),
    ),
    Figure("rewritten", "Functions that became faster in a search of a few seconds."),
    Figure(
        "speedup",
        "Time of the original over the result's, both called in turns in one process, over all "
        "functions.",
    ),
)
_SUITES = (
    ("frontend", _FRONTEND), ("trust", _TRUST), ("main", _MAIN), ("npbench", _NPBENCH),
    ("functions", _FUNCTIONS),
)  # fmt: skip
FIGURES = {(suite, figure.name): figure for suite, figures in _SUITES for figure in figures}


def figure(record: Record) -> Figure:
    found = FIGURES.get((record.suite, record.name))
    if found is not None:
        return found
    if record.name.startswith("pass_"):
        name = record.name.removeprefix("pass_")
        return Figure(record.name, f"Sites and rewrites of `{name}` over the corpus.")
    if record.name.startswith("speedup_"):
        name = record.name.removeprefix("speedup_")
        return Figure(record.name, f"What the search makes of `examples/{name}.py`.")
    return Figure(record.name, "")
