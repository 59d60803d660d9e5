"""Losses over all elements."""

from semrep.ir.dialects.catalogue import layer, op
from semrep.ir.dialects.op import REDUCTION

for _name, _layer in (("mse_loss", "MSELoss"), ("l1_loss", "L1Loss")):
    op(
        _name,
        "input: tensor, target: tensor, /, reduction='mean'",
        f"F.{_name}(input, target, *, reduction='mean')",
        reference=f"torch.nn.functional.{_name}",
        cost=REDUCTION,
    )
    layer(f"nn.{_layer}", _name, reduction=".reduction")
