"""Proofs of equality, where they are cheap: `prove`."""

from __future__ import annotations

import ast
import threading

from semrep.verify.proof import python
from semrep.verify.proof.compare import Comparison
from semrep.verify.proof.names import Names, Pair, differing_functions, names_of
from semrep.verify.proof.result import Proof, Refused, Unproved
from semrep.verify.proof.screen import screen
from semrep.verify.proof.solver import Solver, z3
from semrep.verify.proof.triton_modes import THEORY as TRITON_THEORY
from semrep.verify.proof.triton_modes import compare_kernels

# z3's main context belongs to one thread at a time.
_LOCK = threading.Lock()


def prove(
    original: bytes, candidate: bytes, *, query_s: float = 2.0, total_s: float = 10.0
) -> Proof | Unproved:
    """Whether two modules are shown to do the same for all inputs.

    query_s and total_s limit one question to the solver, and all of it. Raises ImportError,
    with the name of the extra, where z3 is missing. Everything besides the integer arithmetic,
    comparisons and guards of `python` and `triton` has to be the same on both sides and in the
    same order.
    """
    z3()
    try:
        one, two = ast.parse(original), ast.parse(candidate)
        if ast.dump(one) == ast.dump(two):
            return Proof("syntax (the trees are the same)", ())
        names = names_of(one), names_of(two)
        if names[0].is_opaque or names[1].is_opaque:
            raise Refused("the module imports unknown names or looks at its own")
        pairs = differing_functions(one, two, *names)
        for pair in pairs:
            screen(pair)
        with _LOCK:
            return _prove(pairs, names, Solver(query_s, total_s))
    except Refused as refusal:
        return Unproved(refusal.reason, refusal.counterexample)
    except (SyntaxError, ValueError) as error:
        return Unproved(f"does not parse: {error}")
    except RecursionError:
        return Unproved("nested too deep")


def _prove(pairs: list[Pair], names: tuple[Names, Names], solver: Solver) -> Proof:
    steps: dict[str, None] = {}
    theories: dict[str, None] = {}
    for pair in pairs:
        if pair.is_kernel:
            steps |= compare_kernels(pair, names, solver)
            theories[TRITON_THEORY] = None
        else:
            steps |= _compare_functions(pair, names, solver)
            theories[python.THEORY] = None
    return Proof("; ".join(theories), tuple(steps))


def _compare_functions(pair: Pair, names: tuple[Names, Names], solver: Solver) -> dict[str, None]:
    runs = [python.PythonExecutor(solver, tag, n) for tag, n in zip("oc", names, strict=True)]
    for run, function in zip(runs, (pair.original, pair.candidate), strict=True):
        run.run(function)
    comparison = Comparison(solver, [f for run in runs for f in run.facts])
    comparison.run(runs[0].trace, runs[1].trace)
    return comparison.steps
