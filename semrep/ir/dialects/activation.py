"""Activation functions and their layers."""

from semrep.ir.dialects.catalogue import layer, op, unary
from semrep.ir.dialects.op import REDUCTION, TRANSCENDENTAL

unary(
    "sigmoid",
    "torch.sigmoid",
    "Tensor.sigmoid",
    "F.sigmoid",
    "torch.special.expit",
    "jnn.sigmoid",
    "jax.scipy.special.expit",
    "lax.logistic",
    "tl.sigmoid",
    monotone="nearly",
)
unary("logsigmoid", "F.logsigmoid", "jnn.log_sigmoid", reference="torch.nn.functional.logsigmoid")
op(
    "relu",
    "input: tensor, /",
    "torch.relu, Tensor.relu(input)",
    "F.relu(input, inplace: _inplace=False)",
    "jnn.relu(x: input)",
    elementwise=True,
    monotone="increasing",
)
op(
    "relu6",
    "input: tensor, /",
    "F.relu6(input, inplace: _inplace=False)",
    "jnn.relu6(x: input)",
    reference="torch.nn.functional.relu6",
    elementwise=True,
    monotone="increasing",
)
op(
    "leaky_relu",
    "input: tensor, /, negative_slope=0.01",
    "F.leaky_relu(input, negative_slope=0.01, inplace: _inplace=False)",
    "jnn.leaky_relu(x: input, negative_slope=0.01)",
    reference="torch.nn.functional.leaky_relu",
    elementwise=True,
)
op(
    "elu",
    "input: tensor, /, alpha=1.0",
    "F.elu(input, alpha=1.0, inplace: _inplace=False)",
    "jnn.elu(x: input, alpha=1.0)",
    reference="torch.nn.functional.elu",
    cost=TRANSCENDENTAL,
    elementwise=True,
)
op(
    "celu",
    "input: tensor, /, alpha=1.0",
    "F.celu(input, alpha=1.0, inplace: _inplace=False)",
    "jnn.celu(x: input, alpha=1.0)",
    reference="torch.nn.functional.celu",
    cost=TRANSCENDENTAL,
    elementwise=True,
)
op(
    "selu",
    "input: tensor, /",
    "F.selu(input, inplace: _inplace=False)",
    "torch.selu(input)",
    "jnn.selu(x: input)",
    reference="torch.nn.functional.selu",
    cost=TRANSCENDENTAL,
    elementwise=True,
)
op(
    "silu",
    "input: tensor, /",
    "F.silu(input, inplace: _inplace=False)",
    "jnn.silu, jnn.swish(x: input)",
    reference="torch.nn.functional.silu",
    cost=TRANSCENDENTAL,
    elementwise=True,
)
op(
    "mish",
    "input: tensor, /",
    "F.mish(input, inplace: _inplace=False)",
    "jnn.mish(x: input)",
    reference="torch.nn.functional.mish",
    cost=TRANSCENDENTAL,
    elementwise=True,
)
# jax.nn.gelu approximates unless told otherwise, torch does not.
op(
    "gelu",
    "input: tensor, /, approximate='none'",
    "F.gelu(input, approximate='none')",
    reference="torch.nn.functional.gelu",
    cost=TRANSCENDENTAL,
    elementwise=True,
)
op(
    "jax_gelu",
    "input: tensor, /, approximate=True",
    "jnn.gelu(x: input, approximate=True)",
    reference=":jax_gelu",
    cost=TRANSCENDENTAL,
    elementwise=True,
)
op(
    "hardtanh",
    "input: tensor, /, min_val=-1.0, max_val=1.0",
    "F.hardtanh(input, min_val=-1.0, max_val=1.0, inplace: _inplace=False)",
    reference="torch.nn.functional.hardtanh",
    elementwise=True,
    monotone="increasing",
)
op(
    "hardsigmoid",
    "input: tensor, /",
    "F.hardsigmoid(input, inplace: _inplace=False)",
    "jnn.hard_sigmoid(x: input)",
    reference="torch.nn.functional.hardsigmoid",
    elementwise=True,
)
op(
    "hardswish",
    "input: tensor, /",
    "F.hardswish(input, inplace: _inplace=False)",
    "jnn.hard_swish, jnn.hard_silu(x: input)",
    reference="torch.nn.functional.hardswish",
    elementwise=True,
)
# torch goes over to the identity above the threshold; jax.nn.softplus is log(1 + exp(x)).
op(
    "softplus",
    "input: tensor, /, beta=1.0, threshold=20.0",
    "F.softplus(input, beta=1.0, threshold=20.0)",
    reference="torch.nn.functional.softplus",
    cost=TRANSCENDENTAL,
    elementwise=True,
)
op(
    "jax_softplus",
    "input: tensor, /",
    "jnn.softplus(x: input)",
    reference="torch.nn.functional.softplus",
    cost=TRANSCENDENTAL,
    elementwise=True,
)
op(
    "softsign",
    "input: tensor, /",
    "F.softsign(input)",
    "jnn.soft_sign(x: input)",
    reference="torch.nn.functional.softsign",
    elementwise=True,
)
op(
    "tanhshrink",
    "input: tensor, /",
    "F.tanhshrink(input)",
    reference="torch.nn.functional.tanhshrink",
    cost=TRANSCENDENTAL,
    elementwise=True,
)
op(
    "prelu",
    "input: tensor, weight: tensor, /",
    "torch.prelu, F.prelu, Tensor.prelu(input, weight)",
    reference="torch.nn.functional.prelu",
    elementwise=True,
)
op(
    "glu",
    "input: tensor, /, dim=-1",
    "F.glu(input, dim=-1)",
    "jnn.glu(x: input, axis: dim=-1)",
    reference="torch.nn.functional.glu",
    cost=TRANSCENDENTAL,
)
op(
    "softmax",
    "input: tensor, /, dim, dtype=None",
    "F.softmax, torch.softmax, Tensor.softmax(input, dim, *, dtype=None)",
    "jnn.softmax(x: input, axis: dim=-1)",
    "tl.softmax(x: input) -> dict(dim=0)",
    reference="torch.softmax",
    cost=TRANSCENDENTAL,
)
op(
    "log_softmax",
    "input: tensor, /, dim, dtype=None",
    "F.log_softmax, torch.log_softmax, Tensor.log_softmax(input, dim, *, dtype=None)",
    "jnn.log_softmax(x: input, axis: dim=-1)",
    reference="torch.log_softmax",
    cost=TRANSCENDENTAL,
)
op(
    "normalize",
    "input: tensor, /, p=2.0, dim=1, eps=1e-12",
    "F.normalize(input, p=2.0, dim=1, eps=1e-12)",
    reference="torch.nn.functional.normalize",
    cost=REDUCTION,
)

layer("nn.ReLU", "relu", inplace=".inplace")
layer("nn.ReLU6", "relu6", inplace=".inplace")
layer("nn.LeakyReLU", "leaky_relu", negative_slope=".negative_slope", inplace=".inplace")
layer("nn.ELU", "elu", alpha=".alpha", inplace=".inplace")
layer("nn.CELU", "celu", alpha=".alpha", inplace=".inplace")
layer("nn.SELU", "selu", inplace=".inplace")
layer("nn.SiLU", "silu", inplace=".inplace")
layer("nn.Mish", "mish", inplace=".inplace")
layer("nn.GELU", "gelu", approximate=".approximate")
layer("nn.Hardtanh", "hardtanh", min_val=".min_val", max_val=".max_val", inplace=".inplace")
layer("nn.Hardsigmoid", "hardsigmoid", inplace=".inplace")
layer("nn.Hardswish", "hardswish", inplace=".inplace")
layer("nn.Softplus", "softplus", beta=".beta", threshold=".threshold")
layer("nn.Softsign", "softsign")
layer("nn.Tanhshrink", "tanhshrink")
layer("nn.Sigmoid", "sigmoid")
layer("nn.LogSigmoid", "logsigmoid")
layer("nn.Tanh", "tanh")
layer("nn.PReLU", "prelu", weight=".weight")
layer("nn.GLU", "glu", dim=".dim")
layer("nn.Softmax", "softmax", dim=".dim")
layer("nn.LogSoftmax", "log_softmax", dim=".dim")
