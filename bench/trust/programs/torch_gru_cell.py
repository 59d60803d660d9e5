"""One step of a gated recurrent unit."""

import torch


def gru_cell(x, h, w_in, w_hidden, b_in, b_hidden):
    assert x.shape[0] == h.shape[0] and w_hidden.shape == (3 * h.shape[1], h.shape[1])
    gates_in = torch.nn.functional.linear(x, w_in, b_in)
    gates_h = torch.nn.functional.linear(h, w_hidden, b_hidden)
    reset_in, update_in, new_in = gates_in.chunk(3, dim=1)
    reset_h, update_h, new_h = gates_h.chunk(3, dim=1)
    reset = torch.sigmoid(reset_in + reset_h)
    update = torch.sigmoid(update_in + update_h)
    new = torch.tanh(new_in + reset * new_h)
    return (1 - update) * new + update * h


def semrep_inputs():
    torch.manual_seed(0)
    return [(torch.randn(4, 10), torch.randn(4, 6), torch.randn(18, 10), torch.randn(18, 6),
             torch.randn(18), torch.randn(18))]  # fmt: skip
