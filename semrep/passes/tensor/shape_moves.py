# ruff: noqa: E501 (patterns stay on one line)
"""Slices taken before the work instead of after it; rearrangements merged, cancelled or left
out where nobody sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from semrep.ir.dialects.catalogue import ops
from semrep.ir.dialects.op import DType
from semrep.ir.pattern import normalized_dims
from semrep.ir.values import OP, TUPLE, Value
from semrep.passes.base import Refusal
from semrep.passes.contract import BITWISE, REASSOCIATES, WITHIN_TOLERANCE
from semrep.passes.rule import rewrite, rule
from semrep.passes.rule_guards import Found, Guard, describe, is_structurally_unit, rank, unknown
from semrep.passes.rule_guards import refusal as refuse
from semrep.passes.tensor.activations import same_layout, unshared

_UNARY = sorted(
    op.name
    for op in ops()
    if op.is_elementwise and len(op.operands) == 1 and op.purity.kind == "pure"
)
_KERNELS = "a function of an infinity is the same whatever the order in memory"
_BINARY = ("add", "sub", "mul", "div", "maximum", "minimum", "pow")


def _attributes(name: str) -> str:
    """The attributes of an operation, each as a metavariable of its own."""
    op = next(o for o in ops() if o.name == name)
    return "".join(f", {p.name}=${p.name}_" for p in op.attributes)


# -- slices ---------------------------------------------------------------------------------


def _leading(found: Found, name: str) -> int | Refusal:
    """How many leading dimensions a plain index looks at: ints, and slices with constant
    bounds that select less than all."""
    index = found.value("$i")
    parts = index.elements if index.kind == TUPLE else (index,)
    for part in parts:
        given = part.constant
        if isinstance(given, bool) or not isinstance(given, (int, slice)) or part.kind == OP:
            return refuse("index", "the index is not made of constant ints and slices", index)
    source = found.tensor(name)
    if source is None:
        return unknown(found.value(name))
    if len(parts) > source.rank:
        return refuse("index", "the index has more parts than dimensions", index)
    return len(parts)


_INDEX = {"j": lambda found: found.constant("$i")}


def _plain_index(name: str, keeps: int) -> Guard:
    """The index leaves the last `keeps` dimensions of the array whole."""

    def check(found: Found) -> Refusal | None:
        count = _leading(found, name)
        if isinstance(count, Refusal):
            return count
        source = found.tensor(name)
        assert source is not None
        if count <= source.rank - keeps:
            return None
        return refuse(
            "index", "the index cuts a dimension that the operation works along", found.value("$i")
        )

    return check


def _not_sliced(name: str, of: str) -> Guard:
    """A second operand that the index does not reach: a number, or an array of the dimensions
    behind it."""

    def check(found: Found) -> Refusal | None:
        value, whole = found.value(name), found.tensor(of)
        if value.tensor is None:
            return None if value.is_constant else unknown(value)
        count = _leading(found, of)
        if isinstance(count, Refusal):
            return count
        if whole is not None and value.tensor.rank <= whole.rank - count:
            return None
        return refuse("broadcast", f"{describe(value)} has a part in the indexed dimensions", value)

    return check


def _same_size(first: str, second: str) -> Guard:
    def check(found: Found) -> Refusal | None:
        a, b = found.tensor(first), found.tensor(second)
        if a is None or b is None:
            return unknown(found.value(first if a is None else second))
        if a.shape == b.shape:
            return None
        return refuse("broadcast", "the arrays have different shapes", found.match.root)

    return check


rule(
    "slice-before-elementwise",
    """Take the slice first, and compute only the elements that are used.

    Rewrite:     gelu(x)[:, 0]   -->   gelu(x[:, 0]);   (x + b)[:, 0]   -->   x[:, 0] + b
    Legal when:  the index is made of constant ints and slices; a second operand has the same
                 shape, and is sliced alike, or has no part in the indexed dimensions. The whole
                 result is used nowhere else.
    Numerics:    within tolerance: a vectorised function may round a last element in another way
                 than the others.
    Refuses:     unknown-shape, index, broadcast, used-elsewhere, not-floating.
    """,
    *(
        rewrite(
            f"{name}($x{_attributes(name)})[$i]",
            f"{name}($x[$j]{_attributes(name)})",
            where=[_plain_index("$x", 0)],
            computed=_INDEX,
        )
        for name in _UNARY
    ),
    *(
        form
        for name in _BINARY
        for form in (
            rewrite(f"{name}($x, $y)[$i]", f"{name}($x[$j], $y[$j])", computed=_INDEX, where=[_plain_index("$x", 0), _same_size("$x", "$y")],
                screen=[_same_size("$x", "$y")]),
            rewrite(f"{name}($x, $y)[$i]", f"{name}($x[$j], $y)", computed=_INDEX, where=[_plain_index("$x", 0), _not_sliced("$y", "$x")]),
        )
    ),
    contract=WITHIN_TOLERANCE.assuming(_KERNELS),
    may_be_slower=True,
    example={"x": "f32(4, 8, 16)", "i": (slice(None), 0)},
)  # fmt: skip


def _norm_keeps(found: Found) -> Refusal | None:
    dims = found.constant("$s")
    value = found.value("$s")
    count = (
        len(value.elements)
        if value.kind == TUPLE
        else len(dims)
        if isinstance(dims, (tuple, list))
        else 1
    )
    return _plain_index("$x", count)(found)


_LAST_ONLY = [_plain_index("$x", 1)]


def _softmax_dim(found: Found) -> Refusal | None:
    dims, source = found.dims("d"), found.tensor("$x")
    if dims is None or source is None:
        return unknown(found.value("$x"))
    return _plain_index("$x", source.rank - min(dims))(found)


rule(
    "slice-before-rows",
    """Take the slice first, and compute only the rows that are used.

    Rewrite:     self.linear(x)[:, 0]   -->   self.linear(x[:, 0]);   the same for layer_norm,
                 rms_norm, softmax, and products with a matrix
    Legal when:  the index is made of constant ints and slices and leaves the dimensions whole
                 that the operation works along. The whole result is used nowhere else.
    Numerics:    reassociates: a smaller product may sum in another order.
    Refuses:     unknown-shape, index, rank, dims, used-elsewhere, not-floating.
    """,
    rewrite("linear($x, $w, $b)[$i]", "linear($x[$j], $w, $b)", computed=_INDEX, where=_LAST_ONLY),
    rewrite("layer_norm($x, $w, $b, normalized_shape=$s, eps=$e)[$i]", "layer_norm($x[$j], $w, $b, normalized_shape=$s, eps=$e)", computed=_INDEX, where=[_norm_keeps]),
    rewrite("rms_norm($x, $w, normalized_shape=$s, eps=$e)[$i]", "rms_norm($x[$j], $w, normalized_shape=$s, eps=$e)", computed=_INDEX, where=[_norm_keeps]),
    rewrite("matmul($x, $w)[$i]", "matmul($x[$j], $w)", computed=_INDEX, where=[rank("$w", 2), *_LAST_ONLY]),
    rewrite("softmax($x, dim=$d)[$i]", "softmax($x[$j], dim=-1)", computed=_INDEX, where=[_softmax_dim, lambda found: _is_last(found)]),
    rewrite("log_softmax($x, dim=$d)[$i]", "log_softmax($x[$j], dim=-1)", computed=_INDEX, where=[_softmax_dim, lambda found: _is_last(found)]),
    contract=REASSOCIATES,
    may_be_slower=True,
    example={"x": "f32(4, 8, 16)", "w": "f32(32, 16)", "b": "f32(32)", "i": (slice(None), 0)},
)  # fmt: skip


def _is_last(found: Found) -> Refusal | None:
    dims, source = found.dims("d"), found.tensor("$x")
    if source is not None and dims == (source.rank - 1,):
        return None
    return refuse("dims", "the operation does not work along the last dimension", found.match.root)


# -- repeats --------------------------------------------------------------------------------


def _is_size_of(value: Value, array: Value, dim: int) -> bool:
    """Whether the value is the array's size along a dimension, by construction."""
    assert array.tensor is not None
    if value.kind != OP:
        return False
    source, which = value.arguments.get("input"), None
    if value.op_name == "size":
        which = value.arguments["dim"].constant
    elif value.op_name == "getitem" and source is not None and source.op_name == "shape":
        which, source = value.arguments["index"].constant, source.arguments["input"]
    if not isinstance(which, int) or isinstance(which, bool):
        return False
    return source is array and which % array.tensor.rank == dim


def _repeats_to_x(found: Found) -> Refusal | None:
    """Only dimensions that the code itself makes 1 are repeated, as often as x is long there."""
    value, other, counts = found.value("$y"), found.value("$x"), found.value("$r")
    if value.tensor is None or other.tensor is None:
        return unknown(value if value.tensor is None else other)
    parts = counts.elements if counts.kind == TUPLE else (counts,)
    for position, count in enumerate(reversed(parts), 1):
        if count.constant == 1 and count.kind != OP:
            continue
        dim = other.tensor.rank - position
        if dim < 0 or not _is_size_of(count, other, dim):
            return refuse(
                "size",
                f"{describe(count)} is not known to be the size of {describe(other)}",
                counts,
            )
        own = value.tensor.rank - position
        if own >= 0 and not is_structurally_unit(value, own):
            message = (
                f"nothing in the code makes the size of {describe(value)} in dimension {own} 1"
            )
            return refuse("not-unit", message, value)
    return None


def _expands_to_x(found: Found) -> Refusal | None:
    """The shape is that of x: all of it, or x's own sizes and what stays."""
    value, other, shape = found.value("$y"), found.value("$x"), found.value("$r")
    if value.tensor is None or other.tensor is None:
        return unknown(value if value.tensor is None else other)
    if shape is other or (shape.op_name == "shape" and shape.arguments["input"] is other):
        return None
    parts = shape.elements if shape.kind == TUPLE else ()
    for position, part in enumerate(reversed(parts), 1):
        dim = other.tensor.rank - position
        stays = part.kind != OP and part.constant == -1
        if not stays and (dim < 0 or not _is_size_of(part, other, dim)):
            return refuse(
                "size", f"{describe(part)} is not known to be the size of {describe(other)}", shape
            )
    if parts:
        return None
    return refuse("size", "the shape is not that of the other array", shape)


rule(
    "drop-repeat",
    """Let arithmetic broadcast an array instead of repeating it first.

    Rewrite:     x + y.unsqueeze(1).repeat(1, x.size(1), 1)   -->   x + y.unsqueeze(1);   the same
                 for expand, expand_as, broadcast_to, tile
    Legal when:  only dimensions that the code makes 1 are repeated, and as often as x is long
                 there by the code itself (x.shape[1], not the number it happens to be). The
                 repeated array is used nowhere else.
    Numerics:    bitwise. Gradients of the repeated array are the same sums.
    Refuses:     unknown-shape, not-unit, size, used-elsewhere, not-floating.
    """,
    *(
        rewrite(pattern.replace("REPEATED", repeated), pattern.replace("REPEATED", "$y"), where=where)
        for pattern in ("add($x, REPEATED)", "mul($x, REPEATED)", "sub($x, REPEATED)", "sub(REPEATED, $x)", "div($x, REPEATED)", "div(REPEATED, $x)", "maximum($x, REPEATED)", "minimum($x, REPEATED)")
        for repeated, where in (
            ("repeat($y, repeats=$r)", [_repeats_to_x]), ("tile($y, dims=$r)", [_repeats_to_x]),
            ("expand($y, size=$r)", [_expands_to_x]), ("expand_as($y, $r)", [_expands_to_x]),
            ("broadcast_to($y, shape=$r)", [_expands_to_x]),
        )
    ),
    contract=BITWISE.assuming("gradients of what was repeated may be summed in another order"),
    example={"x": "f32(4, 8, 16)", "y": "f32(4, 1, 16)", "r": (1, 8, 1)},
)  # fmt: skip


# -- reshapes and permutations ------------------------------------------------------------------

_RESHAPES = (
    "reshape($x, shape=$s)",
    "view($x, shape=$s)",
    "flatten($x, start_dim=$s, end_dim=$e)",
    "ravel($x)",
    "unflatten($x, dim=$d, sizes=$s)",
)


def _no_type(found: Found) -> Refusal | None:
    """`view(torch.int32)` reads the bytes as another type."""
    for name in ("$s", "$t"):
        if found.has(name) and isinstance(found.constant(name), DType):
            return refuse("dtype", "this view reads the bytes as another type", found.match.root)
    return None


rule(
    "merge-reshapes",
    """Reshape once instead of twice.

    Rewrite:     x.reshape(a).view(b)   -->   x.reshape(b);   the same where the first is flatten,
                 ravel or unflatten
    Legal when:  the inner result is used nowhere else. The order of the elements is the same.
    Numerics:    bitwise.
    Refuses:     unknown-shape, dtype, used-elsewhere.
    """,
    *(
        rewrite(f"{outer}({inner}, shape=$t)", "reshape($x, shape=$t)", where=[_no_type])
        for inner in _RESHAPES
        for outer in ("reshape", "view")
    ),
    *(rewrite(f"ravel({inner})", "ravel($x)", where=[_no_type]) for inner in _RESHAPES),
    *(rewrite(f"flatten({inner})", "flatten($x)", where=[_no_type]) for inner in _RESHAPES),
    types="any",
    contract=BITWISE.assuming("the shape in between fits"),
    example={"x": "f32(8, 16)", "s": (4, 32), "t": (2, 64)},
)  # fmt: skip


def _squeezes_new(found: Found) -> Refusal | None:
    """The squeezed dimension is the one that was added: unsqueeze counts in its result."""
    tensor = found.tensor("$x")
    added, dropped = found.constant("$d"), found.constant("$e")
    if tensor is None:
        return unknown(found.value("$x"))
    if isinstance(added, int) and isinstance(dropped, int):
        if added % (tensor.rank + 1) == dropped % (tensor.rank + 1):
            return None
    return refuse("dims", "another dimension is squeezed than was added", found.match.root)


def _adds_squeezed(found: Found) -> Refusal | None:
    value = found.value("$x")
    dropped, added = found.constant("$d"), found.constant("$e")
    if value.tensor is None:
        return unknown(value)
    if not isinstance(added, int) or not isinstance(dropped, int) or value.tensor.rank == 0:
        return refuse("dims", "the dimensions are not known", found.match.root)
    if added % value.tensor.rank != dropped % value.tensor.rank:
        return refuse("dims", "another dimension is added than was squeezed", found.match.root)
    if is_structurally_unit(value, dropped % value.tensor.rank):
        return None
    message = f"nothing in the code makes the squeezed dimension of {describe(value)} 1"
    return refuse("not-unit", message, value)


rule(
    "cancel-unit-dims",
    """Drop a dimension of size 1 that is added and taken away again.

    Rewrite:     x.unsqueeze(1).squeeze(1)   -->   x;   x.squeeze(1).unsqueeze(1) likewise
    Legal when:  both name one dimension. Squeezing comes first only where the code itself makes
                 the size 1: it does nothing to another size. All of these are views of x.
    Numerics:    bitwise.
    Refuses:     unknown-shape, dims, not-unit, used-elsewhere.
    """,
    rewrite("squeeze(unsqueeze($x, dim=$d), dim=$e)", "$x", where=[_squeezes_new]),
    rewrite("unsqueeze(squeeze($x, dim=$d), dim=$e)", "$x", where=[_adds_squeezed]),
    types="any",
    contract=BITWISE,
    example={"x": "f32(8, 16)", "d": 1, "e": 1},
)


def _inverse_permutations(found: Found) -> Refusal | None:
    inner, outer = found.constant("$p"), found.constant("$q")
    if isinstance(inner, tuple) and isinstance(outer, tuple) and len(inner) == len(outer):
        if tuple(inner[d] for d in outer) == tuple(range(len(inner))):
            return None
        return refuse("dims", "the second permutation does not undo the first", found.match.root)
    return refuse("dims", "the order of the dimensions is not known", found.match.root)


def _without_dims(found: Found) -> Refusal | None:
    """A second operand that is the same for every order of the dimensions."""
    value = found.value("$y")
    if value.tensor is None:
        if value.is_constant or value.type is not None:
            return None
        return unknown(value)
    if all(size == 1 for size in value.tensor.shape) and value.tensor.rank == 0:
        return None
    return refuse("broadcast", f"{describe(value)} has dimensions of its own", value)


rule(
    "cancel-transposes-around",
    """Drop two transpositions that undo each other around an elementwise function.

    Rewrite:     relu(x.transpose(1, 2)).transpose(1, 2)   -->   relu(x)
    Legal when:  the second permutation is the inverse of the first; a second operand is a number
                 or has no dimension. What lies in between is used nowhere else.
    Numerics:    within tolerance: a vectorised function may round elements that lie side by side
                 in another way than those that do not.
    Refuses:     unknown-shape, dims, broadcast, used-elsewhere, not-floating.
    """,
    *(
        rewrite(
            f"permute({name}(permute($x, dims=$p){_attributes(name)}), dims=$q)",
            f"{name}($x{_attributes(name)})",
            where=[_inverse_permutations],
        )
        for name in _UNARY
    ),
    *(
        form
        for name in _BINARY
        for form in (
            rewrite(f"permute({name}(permute($x, dims=$p), $y), dims=$q)", f"{name}($x, $y)", where=[_inverse_permutations, _without_dims]),
            rewrite(f"permute({name}(permute($x, dims=$p), permute($z, dims=$p)), dims=$q)", f"{name}($x, $z)", where=[_inverse_permutations, _same_size("$x", "$z")]),
        )
    ),
    contract=WITHIN_TOLERANCE.assuming(_KERNELS),
    example={"x": "f32(4, 8, 16)", "p": (0, 2, 1), "q": (0, 2, 1)},
)  # fmt: skip


_REDUCTIONS = ("sum", "mean", "amax", "amin", "prod")


def _source_dims(found: Found) -> Any:
    """The reduced dimensions, counted before the permutation."""
    order, dims = found.constant("$p"), found.dims("d")
    if not isinstance(order, tuple) or dims is None:
        return refuse("dims", "the dimensions are not known", found.match.root)
    found_dims = tuple(sorted(order[d] for d in dims))
    return found_dims[0] if len(found_dims) == 1 else found_dims


def _keeps_order(found: Found) -> Refusal | None:
    """What is left keeps its order, so that no permutation has to follow."""
    order, dims = found.constant("$p"), found.dims("d")
    if not isinstance(order, tuple) or dims is None:
        return refuse("dims", "the dimensions are not known", found.match.root)
    left = [d for position, d in enumerate(order) if position not in dims]
    if left == sorted(left):
        return None
    return refuse("dims", "the dimensions that are left would change places", found.match.root)


rule(
    "reduce-before-transpose",
    """Reduce over other dimensions instead of transposing first.

    Rewrite:     x.transpose(1, 2).sum(1)   -->   x.sum(2);   x.T.sum()   -->   x.sum()
    Legal when:  the dimensions that are left keep their order, or none are left. A reduction over
                 everything does not see a reshape or a flip either. The transposed array is used
                 nowhere else.
    Numerics:    reassociates.
    Refuses:     unknown-shape, dims, used-elsewhere, not-floating.
    """,
    *(
        form
        for name in _REDUCTIONS
        for form in (
            rewrite(f"{name}(permute($x, dims=$p), dim=$d)", f"{name}($x, dim=$e)", where=[_keeps_order], computed={"e": _source_dims},
                screen=[lambda found: _partial(found)]),
            rewrite(f"{name}(permute($x, dims=$p))", f"{name}($x)"),
            rewrite(f"{name}(reshape($x, shape=$s))", f"{name}($x)"),
            rewrite(f"{name}(flatten($x, start_dim=$s, end_dim=$e))", f"{name}($x)"),
            rewrite(f"{name}(ravel($x))", f"{name}($x)"),
            rewrite(f"{name}(flip($x, dims=$s))", f"{name}($x)"),
        )
    ),
    contract=REASSOCIATES,
    example={"x": "f32(8, 16, 4)", "p": (0, 2, 1), "d": 1},
)  # fmt: skip


def _partial(found: Found) -> Refusal | None:
    if found.constant("$d") is not None:
        return None
    return refuse("dims", "everything is reduced", found.match.root)


# -- flips, rolls, triangles ------------------------------------------------------------------


def _flipped(found: Found) -> set[int] | Refusal:
    tensor = found.tensor("$x")
    if tensor is None:
        return unknown(found.value("$x"))
    sets = []
    for name in ("$a", "$b"):
        dims = (
            normalized_dims(found.constant(name), tensor.rank)
            if found.value(name).is_constant
            else None
        )
        if dims is None:
            return refuse("dims", "the flipped dimensions are not known", found.match.root)
        sets.append(set(dims))
    return sets[0] ^ sets[1]


def _flips_cancel(found: Found) -> Refusal | None:
    both = _flipped(found)
    if isinstance(both, Refusal):
        return both
    return refuse("dims", "they flip different dimensions", found.match.root) if both else None


def _flips_differ(found: Found) -> Refusal | None:
    both = _flipped(found)
    if isinstance(both, Refusal) or both:
        return None
    return refuse("dims", "they cancel", found.match.root)


def _flips_left(found: Found) -> Any:
    both = _flipped(found)
    return both if isinstance(both, Refusal) else tuple(sorted(both))


rule(
    "merge-flips",
    """Flip once, or not at all, instead of twice.

    Rewrite:     x.flip(1).flip(1)   -->   x;   x.flip(0).flip(1)   -->   x.flip(0, 1)
    Legal when:  the dimensions are constants, and the inner result is used nowhere else. Where
                 both cancel, nobody may see that the result shares memory with x.
    Numerics:    bitwise.
    Refuses:     unknown-shape, dims, layout, may-alias, used-elsewhere.
    """,
    rewrite("flip(flip($x, dims=$a), dims=$b)", "$x", where=[_flips_cancel, same_layout("$x")], screen=[lambda found: None if _flips_differ(found) else refuse("dims", "they differ", found.match.root)]),
    rewrite("flip(flip($x, dims=$a), dims=$b)", "flip($x, dims=$c)", computed={"c": _flips_left}, screen=[_flips_differ]),
    types="any",
    contract=BITWISE,
    example={"x": "f32(8, 16)", "a": (1,), "b": (1,)},
)  # fmt: skip


def _rolled(found: Found) -> Any:
    first, second = found.constant("$a"), found.constant("$b")
    if not isinstance(first, int) or not isinstance(second, int):
        return refuse("not-constant", "a shift is not a known number", found.match.root)
    return first + second


def _rolls_alike(found: Found) -> Refusal | None:
    tensor = found.tensor("$x")
    if tensor is None:
        return unknown(found.value("$x"))
    dims = [found.constant(n) for n in ("$d", "$e")]
    if all(isinstance(d, int) for d in dims) and dims[0] % tensor.rank == dims[1] % tensor.rank:
        return None
    return refuse("dims", "they roll different dimensions", found.match.root)


rule(
    "merge-rolls",
    """Roll once instead of twice.

    Rewrite:     x.roll(2, 1).roll(-1, 1)   -->   x.roll(1, 1)
    Legal when:  both roll one dimension by a constant; the inner result is used nowhere else.
    Numerics:    bitwise.
    Refuses:     unknown-shape, dims, not-constant, used-elsewhere.
    """,
    rewrite("roll(roll($x, shifts=$a, dims=$d), shifts=$b, dims=$e)", "roll($x, shifts=$c, dims=$d)", where=[_rolls_alike], computed={"c": _rolled}),
    types="any",
    contract=BITWISE,
    example={"x": "f32(8, 16)", "a": 2, "b": -1, "d": 1, "e": 1},
)  # fmt: skip


def _extreme(pick: Callable[[int, int], int]) -> Callable[[Found], Any]:
    def compute(found: Found) -> Any:
        first, second = found.constant("$a"), found.constant("$b")
        if not isinstance(first, int) or not isinstance(second, int):
            return refuse("not-constant", "a diagonal is not a known number", found.match.root)
        return pick(first, second)

    return compute


rule(
    "merge-triangles",
    """Cut a triangle out once instead of twice.

    Rewrite:     x.tril().tril(-1)   -->   x.tril(-1);   the same for triu
    Legal when:  the diagonals are constants; the inner triangle is used nowhere else.
    Numerics:    bitwise.
    Refuses:     unknown-shape, not-constant, used-elsewhere.
    """,
    rewrite("tril(tril($x, diagonal=$a), diagonal=$b)", "tril($x, diagonal=$c)", computed={"c": _extreme(min)}),
    rewrite("triu(triu($x, diagonal=$a), diagonal=$b)", "triu($x, diagonal=$c)", computed={"c": _extreme(max)}),
    types="any",
    contract=BITWISE,
    example={"x": "f32(8, 8)", "a": 0, "b": -1},
)  # fmt: skip


# -- copies and indices -----------------------------------------------------------------------

# Operations that read their operands whatever the order in memory, and make a new array whose
# own order only matters to those that look at it.
_ORDERLESS = frozenset(
    {"sum", "mean", "amax", "amin", "prod", "logsumexp", "matmul", "linear", "embedding", "cat",
     "stack", "max_dim", "min_dim", "argmax", "argmin", "any", "all", "norm", "vector_norm"}
)  # fmt: skip


def _order_unseen(found: Found) -> Refusal | None:
    """Every use reduces, multiplies or copies; through elementwise functions it goes on."""
    seen: set[int] = set()
    todo: list[Value] = [found.match.root]
    while todo:
        value = todo.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        for use in value.uses:
            user = use.user
            if user is None:
                return refuse(
                    "layout",
                    f"{describe(value)} is {use.how}, and its order in memory with it",
                    value,
                )
            if user.op_name in _ORDERLESS:
                continue
            if user.op is not None and user.op.is_elementwise and not user.is_in_place:
                todo.append(user)
                continue
            if user.kind == TUPLE and all(
                u.user is not None and u.user.op_name in ("cat", "stack") for u in user.uses
            ):
                continue
            return refuse("layout", f"{describe(user)} may depend on the order in memory", user)
    return None


rule(
    "drop-contiguous",
    """Leave the elements where they are if nothing needs them in order.

    Rewrite:     x.transpose(1, 2).contiguous().sum(1)   -->   x.transpose(1, 2).sum(1)
    Legal when:  all uses are reductions, products, concatenations, or elementwise functions of
                 which the same is true: none of these needs an order in memory. A view does.
                 Nobody may see that memory is shared.
    Numerics:    reassociates: a reduction may go through the elements in another order.
    Refuses:     unknown-shape, layout, may-alias.
    """,
    rewrite("contiguous($x)", "$x", where=[_order_unseen, unshared("$x")]),
    types="any",
    contract=REASSOCIATES,
    may_be_slower=True,
    example={"x": "f32(8, 16)"},
)


def _range(found: Found) -> tuple[int, int] | Refusal:
    start, end = found.constant("$a"), found.constant("$b")
    if end is None:
        start, end = 0, start
    for part in (start, end):
        if isinstance(part, bool) or not isinstance(part, int) or part < 0:
            return refuse(
                "not-constant", "the range has no constant bounds from 0 on", found.match.root
            )
    assert isinstance(start, int) and isinstance(end, int)
    if end <= start:
        return refuse("empty", "the range is empty", found.match.root)
    return start, end


def _start(found: Found) -> Any:
    bounds = _range(found)
    return bounds if isinstance(bounds, Refusal) else bounds[0]


def _length(found: Found) -> Any:
    bounds = _range(found)
    return bounds if isinstance(bounds, Refusal) else bounds[1] - bounds[0]


rule(
    "slice-by-range",
    """Take a slice instead of gathering by consecutive indices.

    Rewrite:     torch.index_select(x, 1, torch.arange(2, 6))   -->   x.narrow(1, 2, 4)
    Legal when:  the bounds are constants, from 0 on. Nobody may see that the slice shares memory
                 with x, where the copy did not.
    Numerics:    bitwise; an index out of range is an error both ways.
    Refuses:     unknown-shape, not-constant, empty, may-alias, used-elsewhere.
    """,
    rewrite("index_select($x, dim=$d, index=arange($a, end=$b))", "narrow($x, dim=$d, start=$s, length=$n)", computed={"s": _start, "n": _length}),
    types="any",
    contract=BITWISE,
)  # fmt: skip

rule(
    "index-by-one-hot",
    """Look rows up instead of multiplying by one-hot vectors.

    Rewrite:     F.one_hot(i, n).float() @ w   -->   F.embedding(i, w)
    Legal when:  w is a matrix. Only in torch: jax makes a row of zeros for an index out of
                 range, where the others raise.
    Numerics:    reassociates where all elements of w are finite; a product with zero turns
                 infinities of other rows into NaN, and looking up does not. An index that is out
                 of range is an error both ways.
    Refuses:     unknown-shape, rank, used-elsewhere.
    """,
    rewrite(
        "matmul(to_dtype(one_hot($i, num_classes=$n), dtype=$t), $w)",
        "embedding($i, $w)",
        where=[rank("$w", 2)],
    ),
    types="any",
    contract=REASSOCIATES.assuming("the elements of the second factor are finite"),
    is_opt_in=True,
)
