"""Several inputs, several outputs, outputs with positions; the module is left as it was."""

import pytest
import torch
from torch import Tensor, nn

from ntkit import nngp, ntk
from ntkit.networks import Conv2d, Linear
from tests.cases import randn
from tests.tolerances import assert_near


class TwoInputs(nn.Module):
    """A dense layer for each of two inputs, their sum through ReLU, a read-out."""

    def __init__(self) -> None:
        super().__init__()
        self.left = Linear(3, 8, b_std=0.3)
        self.right = Linear(2, 8, w_std=0.7, b_std=0.2)
        self.last = Linear(8, 1)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.last(torch.relu(self.left(x) + self.right(y)))


class TwoOutputs(nn.Module):
    """The first hidden layer read out, and the second."""

    def __init__(self) -> None:
        super().__init__()
        self.first = Linear(3, 8)
        self.second = Linear(8, 8)
        self.early = Linear(8, 1)
        self.late = Linear(8, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = torch.relu(self.first(x))
        return self.early(y), self.late(torch.relu(self.second(y)))


@pytest.mark.parametrize("make", [nngp, ntk])
def test_a_sum_of_two_dense_inputs_is_one_dense_layer_on_both(make) -> None:
    """`w1^2 x.x'/3 + w2^2 y.y'/2 + b1^2 + b2^2`: features stretched and stacked."""
    x, y = (randn(5, 3), randn(4, 3, seed=1)), (randn(5, 2, seed=2), randn(4, 2, seed=3))
    features = [
        torch.cat([(5 / 3) ** 0.5 * a, 0.7 * (5 / 2) ** 0.5 * b], 1)
        for a, b in zip(x, y, strict=True)
    ]
    one = make(nn.Sequential(Linear(5, 8, b_std=0.13**0.5), nn.ReLU(), Linear(8, 1)))
    both = make(TwoInputs())
    assert_near(both((x[0], y[0]), (x[1], y[1])), one(*features), loosen=10)
    assert_near(both((x[0], y[0])), one(features[0]), loosen=10)
    assert_near(both.diag((x[0], y[0])), one.diag(features[0]), loosen=10)


def test_each_output_has_the_kernel_of_its_own_network() -> None:
    net, x1, x2 = TwoOutputs(), randn(5, 3), randn(4, 3, seed=1)
    early = nn.Sequential(net.first, nn.ReLU(), net.early)
    late = nn.Sequential(net.first, nn.ReLU(), net.second, nn.ReLU(), net.late)
    for make in (nngp, ntk):
        found = make(net)(x1, x2)
        assert isinstance(found, tuple)
        assert_near(found[0], make(early)(x1, x2))
        assert_near(found[1], make(late)(x1, x2))
        on_diagonal = make(net).diag(x1)
        assert_near(on_diagonal[0], make(early).diag(x1))
        assert_near(on_diagonal[1], make(late).diag(x1))


@pytest.mark.parametrize("make", [nngp, ntk])
def test_outputs_with_positions(make) -> None:
    """Without windows, each position is a network on its own pixels; all pairs hold the rest."""
    net = nn.Sequential(Conv2d(3, 8, 1, b_std=0.3), nn.ReLU(), Conv2d(8, 1, 1))
    dense = make(nn.Sequential(Linear(3, 8, b_std=0.3), nn.ReLU(), Linear(8, 1)))
    x1, x2 = randn(3, 3, 2, 4), randn(2, 3, 2, 4, seed=1)
    pixels1, pixels2 = (x.movedim(1, -1).reshape(-1, 3) for x in (x1, x2))
    expected = dense(pixels1, pixels2).reshape(3, 2, 4, 2, 2, 4).permute(0, 3, 1, 2, 4, 5)
    pairs = make(net, positions="pairs")
    assert_near(pairs(x1, x2), expected, loosen=10)
    assert_near(pairs(x1), pairs(x1, x1.clone()), loosen=10)
    each = torch.einsum("nmabab->nmab", expected)
    assert_near(make(net)(x1, x2), each, loosen=10)
    assert_near(make(net).diag(x1), torch.einsum("nnab->nab", make(net)(x1)))
    assert_near(pairs.diag(x1), torch.einsum("nnabcd->nabcd", pairs(x1)), loosen=10)


def test_symmetric_tables_of_pairs_turn_their_positions_too() -> None:
    """`K[i, j, p, q] = K[j, i, q, p]`."""
    net = nn.Sequential(Conv2d(2, 8, 2, padding=1), nn.ReLU(), Conv2d(8, 1, 2))
    table = ntk(net, positions="pairs")(randn(3, 2, 3, 2))
    assert_near(table, table.permute(1, 0, 4, 5, 2, 3), loosen=10)


def test_the_module_is_left_as_it_was() -> None:
    """A frozen normalisation stays frozen; no weight, buffer or random state moves."""
    net = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))
    net[1].eval()
    modes = [m.training for m in net.modules()]
    before = {k: v.clone() for k, v in net.state_dict().items()}
    state = torch.random.get_rng_state()
    ntk(net)(randn(4, 3))
    assert modes == [m.training for m in net.modules()]
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("points", "error", "match"),
    [
        (randn(3, 3), ValueError, "`x1` has 1 tensors for a module with 2 inputs"),
        ((randn(3, 3), randn(2, 2)), ValueError, r"`x1\[1\]` has 2 points, and the first input 3"),
        (
            (randn(3, 3), randn(3, 2).float().half()),
            TypeError,
            r"`x1\[1\]` must be float32 or float64",
        ),
    ],
)
def test_inputs_that_are_refused(unchecked, points, error, match: str) -> None:
    with pytest.raises(error, match=match):
        ntk(TwoInputs())(points)
