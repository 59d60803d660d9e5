"""What leaves its input as it is, and answers that need no computing."""

from __future__ import annotations

from semrep.passes.contract import BITWISE, REASSOCIATES
from semrep.passes.rule import rewrite, rule
from semrep.passes.rule_guards import same_shape
from semrep.passes.tensor.activations import same_layout, unshared

rule(
    "drop-identity",
    """Drop a layer that gives its input back.

    Rewrite:     nn.Identity()(x)   -->   x;   F.dropout(x, 0.0)   -->   x
    Legal when:  the layer is nn.Identity, or the probability of a dropout is the constant 0:
                 both return their input itself, and draw no random numbers.
    Numerics:    bitwise.
    Refuses:     unknown-shape.
    """,
    rewrite("identity($x)", "$x"),
    rewrite("dropout($x, p=0, training=$t)", "$x"),
    types="any",
    contract=BITWISE,
    example={"x": "f32(8, 16)"},
)

_SAME = [same_layout("$x"), unshared("$x")]

rule(
    "drop-neutral-array",
    """Drop arithmetic with an array of ones or zeros made on the spot.

    Rewrite:     x * torch.ones_like(x)   -->   x;   x - torch.zeros(n)   -->   x
    Legal when:  the type and shape of the result stay, on every call where ones_like is of x
                 itself or of an array of its shape. Nobody may see that memory is shared.
    Numerics:    bitwise, but for zeros added, which turn -0.0 into 0.0.
    Refuses:     unknown-shape, broadcast, layout, may-alias, used-elsewhere, not-floating.
    """,
    rewrite("mul($x, ones_like($x))", "$x", where=_SAME),
    rewrite("div($x, ones_like($x))", "$x", where=_SAME),
    rewrite("add($x, zeros_like($x))", "$x", where=_SAME),
    rewrite("sub($x, zeros_like($x))", "$x", where=_SAME),
    rewrite("mul($x, ones_like($y))", "$x", where=[same_shape("$x", "$y"), *_SAME]),
    rewrite("add($x, zeros_like($y))", "$x", where=[same_shape("$x", "$y"), *_SAME]),
    rewrite("sub($x, zeros_like($y))", "$x", where=[same_shape("$x", "$y"), *_SAME]),
    contract=REASSOCIATES,
    example={"x": "f32(8, 16)"},
)

rule(
    "argmax-before-softmax",
    """Ask for the largest element before softmax instead of after it.

    Rewrite:     softmax(x, 1).argmax(1)   -->   x.argmax(1);   the same for sigmoid, tanh, exp
    Legal when:  both work along one dimension; the softmax is used nowhere else.
    Numerics:    bitwise where the largest result is not rounded to its neighbour: two different
                 logits can give one probability, and the first of them is taken then.
    Refuses:     unknown-shape, used-elsewhere, not-floating.
    """,
    rewrite("argmax(softmax($x, dim=$d), dim=$d, keepdim=$k)", "argmax($x, dim=$d, keepdim=$k)"),
    rewrite(
        "argmax(log_softmax($x, dim=$d), dim=$d, keepdim=$k)", "argmax($x, dim=$d, keepdim=$k)"
    ),
    *(
        rewrite(f"argmax({name}($x), dim=$d, keepdim=$k)", "argmax($x, dim=$d, keepdim=$k)")
        for name in ("sigmoid", "tanh", "exp")
    ),
    types="any",
    contract=BITWISE.assuming("no two of the largest results round to one number"),
    is_opt_in=True,
    example={"x": "f32(64, 256)", "d": 1, "k": False},
)
