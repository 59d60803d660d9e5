"""Functions over arrays in installed packages, found by reading their text."""

from __future__ import annotations

import ast
import importlib.util
import itertools
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.trust.program import JAX, NUMPY

# What is not installed is left out. A name that ends in a dot stands for the modules below it,
# which have a turn together.
_MODULES = {
    JAX: """
        optax. optax.losses. optax._src.loss optax._src.linear_algebra dm_pix._src. jaxopt.
        jaxopt._src.loss jaxopt._src.projection jaxopt._src.prox jaxopt._src.objective
        jax._src.nn.functions jax._src.numpy.lax_numpy jax._src.numpy.reductions
        jax._src.numpy.ufuncs jax._src.numpy.linalg jax._src.numpy.polynomial
        jax._src.numpy.window_functions jax._src.numpy.tensor_contractions jax._src.ops.special
        jax._src.image.scale jax._src.scipy.special jax._src.scipy.linalg jax._src.scipy.signal
        jax._src.scipy.cluster.vq jax._src.scipy.spatial.transform jax._src.scipy.stats.
        jax._src.third_party.scipy. jax.example_libraries.
    """,
    NUMPY: """
        transforms3d. trimesh. trimesh.transformations filterpy.common. filterpy.kalman.
        filterpy.stats. mir_eval. numpy.lib._function_base_impl numpy.lib._nanfunctions_impl
        numpy.lib._polynomial_impl numpy.lib._shape_base_impl numpy.lib._twodim_base_impl
        numpy.lib._arraysetops_impl numpy._core.numeric numpy.linalg._linalg numpy.polynomial.
        scipy.signal. scipy.signal.windows. scipy.spatial.distance scipy.spatial._procrustes
        scipy.stats._stats_py scipy.stats._morestats scipy.stats._mstats_basic
        scipy.stats._mstats_extras scipy.stats._entropy scipy.stats._correlation
        scipy.stats._ksstats scipy.stats.contingency scipy.stats._hypotests scipy.ndimage.
        scipy.integrate. scipy.linalg. scipy.special._basic scipy.special._logsumexp
        scipy.special._spfun_stats scipy.optimize._optimize scipy.optimize._numdiff
        scipy.optimize._lsq.common scipy.optimize._tstutils scipy.interpolate. scipy.cluster.
    """,
}
_ARRAYS = {JAX: {"jnp", "lax", "np"}, NUMPY: {"np", "xp", "numpy"}}
_MOST_PARAMETERS = 4
_LEAST_OPERATIONS = 2
# Names of arguments that are no arrays, numbers or tuples of them.
_NOT_DRAWN = """
self cls xp key keys rng random_state dtype func f fun function callable window method mode name
out file args kwargs opt_state graph system
"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """parameters: names of the arguments that must be given."""

    kind: str
    module: str
    function: str
    parameters: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.module}.{self.function}"


def candidates(kind: str, seed: int) -> list[Candidate]:
    """All of a kind that may be called with arrays alone, in a seeded order in which every
    group of modules has its turn."""
    rng = random.Random(seed)
    groups = [_of_group(kind, name) for name in _MODULES[kind].split()]
    for found in groups:
        rng.shuffle(found)
    rng.shuffle(groups)
    turns = itertools.zip_longest(*groups)
    listed = [one for turn in turns for one in turn if one is not None]
    return list(dict.fromkeys(listed))


def _of_group(kind: str, name: str) -> list[Candidate]:
    place = _place(name.rstrip("."))
    if place is None:
        return []
    if not name.endswith("."):
        return list(_of_file(kind, name, place.with_suffix(".py")))
    files = [f for f in sorted(place.glob("*.py")) if not re.search("test|__init__", f.name)]
    return [one for file in files for one in _of_file(kind, name + file.stem, file)]


def _place(module: str) -> Path | None:
    """Where a module's file lies, but for its ending. Nothing of its package is run."""
    top, *below = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or spec.origin is None:
        return None
    folders = spec.submodule_search_locations
    return Path(folders[0], *below) if folders else Path(spec.origin).with_suffix("")


def _of_file(kind: str, module: str, file: Path) -> Iterator[Candidate]:
    if not file.is_file():
        return
    barred = set(_NOT_DRAWN.split())
    for node in ast.parse(file.read_bytes()).body:
        if isinstance(node, ast.FunctionDef) and _computes(node, kind):
            parameters = _required(node.args)
            if 1 <= len(parameters) <= _MOST_PARAMETERS and not barred & set(parameters):
                yield Candidate(kind, module, node.name, parameters)


def _required(arguments: ast.arguments) -> tuple[str, ...]:
    """Those without a default; keyword-only ones among them cannot be drawn: `self` says so."""
    positional = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
    needed = positional[: len(positional) - len(arguments.defaults)]
    named_only = any(default is None for default in arguments.kw_defaults)
    return ("self",) if named_only else tuple(needed)


def _computes(node: ast.FunctionDef, kind: str) -> bool:
    """Whether it returns something and works on arrays itself, at least a little."""
    inside: Sequence[ast.AST] = [n for part in node.body for n in ast.walk(part)]
    if not any(isinstance(n, ast.Return) and n.value is not None for n in inside):
        return False
    if any(isinstance(n, (ast.Yield, ast.YieldFrom, ast.Await)) for n in inside):
        return False
    names = _ARRAYS[kind]
    operations = 0
    for n in inside:
        if isinstance(n, ast.BinOp) and not isinstance(n.op, ast.Mod):
            operations += 1
        elif isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name):
            operations += n.value.id in names
    return operations >= _LEAST_OPERATIONS
