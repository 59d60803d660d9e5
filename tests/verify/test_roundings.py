"""How far a torch program moves when what lies between its inputs and results is rounded."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from semrep.verify.roundings import rounded  # noqa: E402

ROUNDOFF = 2.0**-24


def moved(function, *arguments):
    with rounded(ROUNDOFF, seed=0):
        return function(*arguments)


def test_a_sum_moves_by_the_magnitude_of_its_terms():
    x = torch.tensor([1e6, 1.0, -1e6], dtype=torch.float64)
    change = (moved(torch.sum, x) - 1.0).abs().item()
    assert change == pytest.approx(2e6 * ROUNDOFF, rel=1e-3)


def test_a_product_moves_by_its_own_magnitude():
    x = torch.full((100,), 3.0, dtype=torch.float64)
    change = (moved(torch.mul, x, x) - 9.0).abs()
    assert change.min() == change.max() == pytest.approx(9 * ROUNDOFF, rel=1e-6)


@pytest.mark.parametrize(
    "function",
    [torch.relu, torch.neg, torch.clone, torch.t, lambda x: x[1:], lambda x: x.max(0).values,
     lambda x: torch.cat([x, x]), lambda x: x.clamp(-1, 1), lambda x: x.argmax(1)],
)  # fmt: skip
def test_what_rounds_nothing_moves_nothing(function):
    x = torch.randn(3, 4, dtype=torch.float64)
    assert torch.equal(moved(function, x), function(x))


def test_random_numbers_stay_what_they_are():
    torch.manual_seed(1)
    before = torch.rand(5)
    torch.manual_seed(1)
    assert torch.equal(moved(torch.rand, 5), before)


def test_gradients_move_by_the_terms_that_a_bias_adds_up():
    layer = torch.nn.Conv2d(1, 1, 1).double()
    x = torch.zeros(2, 1, 4, 4, dtype=torch.float64)
    cotangent = torch.ones_like(x)
    cotangent[1] = -1  # 32 terms that cancel

    def gradient():
        return torch.autograd.grad(layer(x), [layer.bias], [cotangent])[0]

    assert gradient().item() == 0
    assert moved(gradient).abs().item() == pytest.approx(32 * ROUNDOFF, rel=1e-3)


def test_results_that_are_not_there_are_passed_on():
    x = torch.randn(1, 1, 4, 4, dtype=torch.float64)
    layer = torch.nn.Conv2d(1, 1, 3, bias=False).double()
    made = moved(lambda: torch.autograd.grad(layer(x).sum(), [layer.weight])[0])
    assert made.shape == (1, 1, 3, 3)
