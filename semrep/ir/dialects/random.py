"""Operations that draw from a generator: never moved, repeated or removed."""

from semrep.ir.dialects.catalogue import layer, op
from semrep.ir.dialects.op import RANDOM

op(
    "dropout",
    "input: tensor, /, p=0.5, training=True",
    "F.dropout(input, p=0.5, training=True, inplace: _inplace=False)",
    "torch.dropout(input, p, train: training)",
    reference="torch.nn.functional.dropout",
    purity=RANDOM,
)
op(
    "dropout2d",
    "input: tensor, /, p=0.5, training=True",
    "F.dropout2d(input, p=0.5, training=True, inplace: _inplace=False)",
    reference="torch.nn.functional.dropout2d",
    purity=RANDOM,
)
op(
    "dropout3d",
    "input: tensor, /, p=0.5, training=True",
    "F.dropout3d(input, p=0.5, training=True, inplace: _inplace=False)",
    reference="torch.nn.functional.dropout3d",
    purity=RANDOM,
)
op("rand", "size, /", "torch.rand(*size)", "np.random.rand(*size)", purity=RANDOM)
op("randn", "size, /", "torch.randn(*size)", "np.random.randn(*size)", purity=RANDOM)
op("rand_like", "input: tensor, /", "torch.rand_like(input)", purity=RANDOM)
op("randn_like", "input: tensor, /", "torch.randn_like(input)", purity=RANDOM)
op("randint", "low, high, size, /", "torch.randint(low, high, size)", purity=RANDOM)
op("randperm", "n, /", "torch.randperm(n)", purity=RANDOM)
op("bernoulli", "input: tensor, /", "torch.bernoulli, Tensor.bernoulli(input)", purity=RANDOM)
op(
    "multinomial",
    "input: tensor, /, num_samples, replacement=False",
    "torch.multinomial, Tensor.multinomial(input, num_samples, replacement=False)",
    purity=RANDOM,
)
op("triton_rand", "seed, offset, /", "tl.rand(seed, offset)", reference=":identity")

layer("nn.Dropout", "dropout", p=".p", training=".training", inplace=".inplace")
layer("nn.Dropout2d", "dropout2d", p=".p", training=".training", inplace=".inplace")
layer("nn.Dropout3d", "dropout3d", p=".p", training=".training", inplace=".inplace")
