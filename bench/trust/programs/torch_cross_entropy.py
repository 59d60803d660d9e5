"""Cross entropy with smoothed labels and rows to ignore."""

import torch


def smoothed_cross_entropy(logits, target, smoothing=0.1, ignored=-100):
    kept = target != ignored
    safe = torch.where(kept, target, 0)
    log_p = torch.log_softmax(logits, dim=-1)
    nll = -log_p.gather(-1, safe.unsqueeze(-1)).squeeze(-1)
    smooth = -log_p.mean(dim=-1)
    loss = (1.0 - smoothing) * nll + smoothing * smooth
    loss = torch.where(kept, loss, torch.zeros_like(loss))
    return loss.sum() / kept.sum().clamp(min=1)


def semrep_inputs():
    torch.manual_seed(0)
    return [(torch.randn(7, 20), torch.tensor([3, 5, -100, 0, 19, 7, -100]))]
