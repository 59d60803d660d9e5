# ruff: noqa: E501 (one spelling, one line)
"""Normalisation layers. Batch norm writes its running statistics while it trains."""

from semrep.ir.dialects.catalogue import layer, op
from semrep.ir.dialects.op import REDUCTION

op(
    "batch_norm",
    "input: tensor, running_mean, running_var, weight, bias, /, training=False, momentum=0.1, eps=1e-5",
    "F.batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5)",
    reference="torch.nn.functional.batch_norm",
    cost=REDUCTION,
)
op(
    "layer_norm",
    "input: tensor, weight, bias, /, normalized_shape, eps=1e-5",
    "F.layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5)",
    reference=":layer_norm",
    cost=REDUCTION,
)
op(
    "rms_norm",
    "input: tensor, weight, /, normalized_shape, eps=None",
    "F.rms_norm(input, normalized_shape, weight=None, eps=None)",
    reference=":rms_norm",
    cost=REDUCTION,
)
op(
    "group_norm",
    "input: tensor, weight, bias, /, num_groups, eps=1e-5",
    "F.group_norm(input, num_groups, weight=None, bias=None, eps=1e-5)",
    reference=":group_norm",
    cost=REDUCTION,
)
op(
    "instance_norm",
    "input: tensor, running_mean, running_var, weight, bias, /, use_input_stats=True, momentum=0.1, eps=1e-5",
    "F.instance_norm(input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1, eps=1e-5)",
    reference="torch.nn.functional.instance_norm",
    cost=REDUCTION,
)
op(
    "local_response_norm",
    "input: tensor, /, size, alpha=1e-4, beta=0.75, k=1.0",
    "F.local_response_norm(input, size, alpha=1e-4, beta=0.75, k=1.0)",
    reference="torch.nn.functional.local_response_norm",
    cost=REDUCTION,
)

for _n in (1, 2, 3):
    layer(
        f"nn.BatchNorm{_n}d",
        "batch_norm",
        {"track_running_stats": True},
        running_mean=".running_mean",
        running_var=".running_var",
        weight=".weight",
        bias=".bias",
        training=".training",
        momentum=".momentum",
        eps=".eps",
    )
    layer(
        f"nn.InstanceNorm{_n}d",
        "instance_norm",
        {"track_running_stats": False},
        running_mean=None,
        running_var=None,
        weight=".weight",
        bias=".bias",
        eps=".eps",
    )
layer(
    "nn.LayerNorm",
    "layer_norm",
    weight=".weight",
    bias=".bias",
    normalized_shape=".normalized_shape",
    eps=".eps",
)
layer("nn.RMSNorm", "rms_norm", weight=".weight", normalized_shape=".normalized_shape", eps=".eps")
layer(
    "nn.GroupNorm",
    "group_norm",
    weight=".weight",
    bias=".bias",
    num_groups=".num_groups",
    eps=".eps",
)
