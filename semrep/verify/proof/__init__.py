"""Proofs of equality with an SMT solver, for index arithmetic, masks and guards.

`prove(original, candidate)` runs both symbolically (`execute`, with what `python` and `triton`
say operations mean) and compares what can be seen of them (`compare`), z3 deciding whether two
terms are equal for all values. Needs the extra `smt`; see `is_available`.
"""

from semrep.verify.proof.prove import prove
from semrep.verify.proof.result import Proof, Unproved
from semrep.verify.proof.solver import is_available

__all__ = ["Proof", "Unproved", "is_available", "prove"]
