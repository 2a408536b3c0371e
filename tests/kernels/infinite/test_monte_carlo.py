"""Estimates by finite networks: seedable, without side effects, and of the kernel that they say."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ntkit import networks, nngp, ntk
from ntkit.networks import Linear, symmetrise
from tests import oracles
from tests.cases import randn, seeded
from tests.layer_networks import LAYERS, Mean, OfTokens, Placed, as_standard, tokens
from tests.rates import fitted_exponent
from tests.tolerances import assert_near

WIDTH = 96
OUTPUTS = 4


def dense() -> nn.Module:
    g = seeded()
    return nn.Sequential(
        Linear(2, WIDTH, w_std=1.4, b_std=0.3, generator=g),
        nn.ReLU(),
        Linear(WIDTH, WIDTH, w_std=1.2, b_std=0.3, generator=g),
        nn.Tanh(),
        Linear(WIDTH, OUTPUTS, generator=g),
    )


def convolutional() -> nn.Module:
    g = seeded()
    return nn.Sequential(
        networks.Conv1d(2, WIDTH, 2, w_std=1.4, generator=g),
        nn.ReLU(),
        networks.Conv1d(WIDTH, WIDTH, 2, padding=1, generator=g),
        nn.ReLU(),
        Mean(),
        Linear(WIDTH, OUTPUTS, generator=g),
    )


def attentive() -> nn.Module:
    g = seeded()
    inner = networks.SelfAttention(
        WIDTH, WIDTH, 24, 4, 2, scores="identity", scaling="sqrt", generator=g
    )
    return OfTokens(WIDTH, inner, g)


def default() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv1d(2, WIDTH, 3, padding=1),
            nn.GroupNorm(2, WIDTH),
            nn.ReLU(),
            nn.ConvTranspose1d(WIDTH, WIDTH, 2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(6 * WIDTH, OUTPUTS),
        )


CASES: dict[str, tuple[Any, tuple[int, ...], Any]] = {
    "dense": (dense, (2,), "measured"),
    "dense, standard": (lambda: as_standard(dense()), (2,), "measured"),
    "convolutional": (convolutional, (2, 4), "measured"),
    "convolutional, standard": (lambda: as_standard(convolutional()), (2, 4), "measured"),
    "attentive": (attentive, (3, 2), "measured"),
    "default": (default, (2, 5), "default"),
    "default weights, measured": (default, (2, 5), "measured"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("kernel", "n_samples"), [(ntk, 30), (nngp, 200)], ids=["ntk", "nngp"])
def test_agrees_with_the_kernel(name: str, kernel: Any, n_samples: int) -> None:
    """Within four standard errors, and a bias of a few parts in the width."""
    make, shape, variances = CASES[name]
    limit = kernel(make(), variances=variances)
    x = randn(2, *shape)
    found = limit.monte_carlo(x, n_samples, seeded(1))
    exact = limit(x)
    size = exact.diagonal().mean()
    assert bool(((found.mean - exact).abs() < 4 * found.standard_error + 6 / WIDTH * size).all())
    assert bool((found.standard_error < 0.2 * size).all())


SMALL = nn.Sequential(
    Linear(2, 16, generator=seeded()), nn.ReLU(), Linear(16, 1, generator=seeded())
)


@pytest.mark.parametrize("kernel", [ntk, nngp])
@pytest.mark.parametrize("variances", ["measured", "default"])
def test_a_seed_fixes_the_draw_and_nothing_else_changes(kernel: Any, variances: Any) -> None:
    net = nn.Sequential(
        nn.Linear(2, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 8), nn.LayerNorm(8), Linear(8, 2)
    )
    before = {name: p.clone() for name, p in net.state_dict().items()}
    with pytest.warns(UserWarning, match="training mode"):
        limit = kernel(net, variances=variances)
        limit(randn(3, 2))
    state = torch.get_rng_state()
    first, again, other = (limit.monte_carlo(randn(3, 2), 5, seeded(s)) for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first.mean, again.mean)
    assert torch.equal(first.standard_error, again.standard_error)
    assert not torch.equal(first.mean, other.mean)
    assert all(torch.equal(p, before[name]) for name, p in net.state_dict().items())
    assert net.training


def test_the_default_generator_moves_on() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        first = nngp(SMALL).monte_carlo(randn(2, 2), 3)
        assert not torch.equal(first.mean, nngp(SMALL).monte_carlo(randn(2, 2), 3).mean)
        torch.manual_seed(0)
        assert torch.equal(first.mean, nngp(SMALL).monte_carlo(randn(2, 2), 3).mean)


def test_the_error_falls_as_one_over_the_root_of_the_samples() -> None:
    sizes = [100, 400, 1600]
    errors = [
        float(nngp(SMALL).monte_carlo(randn(2, 2), n, seeded(n)).standard_error.norm())
        for n in sizes
    ]
    assert abs(fitted_exponent(sizes, errors) + 0.5) < 0.1


@pytest.mark.slow
def test_the_error_is_that_of_repeated_estimates() -> None:
    found = [ntk(SMALL).monte_carlo(randn(2, 2), 10, seeded(s)) for s in range(40)]
    spread = torch.stack([f.mean for f in found]).std(0)
    stated = torch.stack([f.standard_error for f in found]).square().mean(0).sqrt()
    assert bool((torch.log(spread / stated).abs() < 3.5 / (2 * 39) ** 0.5).all())


def test_the_mean_over_draws_is_that_of_the_jacobians() -> None:
    """Two networks of one output, by the definition: the draw is the only thing left to chance."""
    estimate = ntk(SMALL).monte_carlo(randn(3, 2), 2, seeded(5))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**62, (), generator=seeded(5))))
        kernels = []
        net = deepcopy(SMALL).double()
        for _ in range(2):
            for parameter in net.parameters():
                parameter.detach().normal_()
            kernels.append(oracles.jacobian_kernel(net, randn(3, 2)))
    assert_near(estimate.mean, (kernels[0] + kernels[1]) / 2)
    assert_near(estimate.standard_error, (kernels[0] - kernels[1]).abs() / 2)


def test_modules_of_several_inputs_and_of_attention() -> None:
    graph = LAYERS[networks.Aggregate]
    points = graph.points(2, seeded())
    limit = nngp(graph.network(64))
    found = limit.monte_carlo(points, 300, seeded())
    gap = (found.mean - limit(points)).abs()
    assert bool((gap < 4 * found.standard_error + 0.1 * limit.diag(points).mean()).all())
    limit = ntk(LAYERS[nn.MultiheadAttention].network(16))
    with pytest.warns(UserWarning, match="identity query-key"):
        found = limit.monte_carlo(randn(2, 3, 2), 3, seeded())
    assert bool((found.mean.diagonal() > 0).all())


def test_default_attention_has_no_bias_at_its_output() -> None:
    """`MultiheadAttention` puts the bias of its output layer back to zero after that layer's draw."""
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    net = nn.Sequential(Linear(2, 8, bias=False), OfTokens(8, attention, seeded()))
    net[1].first = nn.Identity()
    with pytest.warns(UserWarning, match="identity query-key"):
        found = nngp(net, variances="default").monte_carlo(torch.zeros(1, 3, 2), 4, seeded())
    assert float(found.mean) == 0


def test_symmetrised_networks_and_slopes() -> None:
    """The pair has its half's tangent kernel and no variance; a frozen slope is a constant."""
    pair = symmetrise(SMALL)
    x = randn(2, 2)
    assert_near(
        ntk(pair).monte_carlo(x, 3, seeded()).mean, ntk(SMALL).monte_carlo(x, 3, seeded()).mean
    )
    assert torch.equal(nngp(pair).monte_carlo(x, 3, seeded()).mean, torch.zeros(2, 2).double())
    with_slope = nn.Sequential(SMALL[0], nn.PReLU(init=0.0).requires_grad_(False), SMALL[2])
    assert_near(
        ntk(with_slope).monte_carlo(x, 3, seeded()).mean,
        ntk(SMALL).monte_carlo(x, 3, seeded()).mean,
    )


def test_float32_points_are_computed_in_float64() -> None:
    x = randn(2, 2).float()
    found = ntk(SMALL).monte_carlo(x, 4, seeded())
    exact = ntk(SMALL).monte_carlo(x.double(), 4, seeded())
    assert found.mean.dtype == found.standard_error.dtype == torch.float32
    assert torch.equal(found.mean, exact.mean.float())


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = Linear(2, 1), Linear(2, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.a(x), self.b(x)


@pytest.mark.parametrize(
    ("net", "x", "n_samples", "match"),
    [
        (SMALL, randn(2, 2), 1, "`n_samples` must be at least 2"),
        (Two(), randn(2, 2), 3, "one result without positions"),
        (networks.Conv1d(2, 3, 2), randn(2, 2, 5), 3, "one result without positions"),
    ],
)
def test_what_is_refused(net: nn.Module, x: Tensor, n_samples: int, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        ntk(net).monte_carlo(x, n_samples)


def test_a_default_draw_that_is_not_known() -> None:
    net = tokens(Placed).network(8, parametrisation="standard")
    with pytest.raises(ValueError, match="no default draw is known"):
        ntk(net, variances="default").monte_carlo(randn(2, 3, 2), 2)


@pytest.mark.parametrize("end", [nn.Sigmoid(), nn.Softplus(), nn.Flatten(0)], ids=repr)
def test_covariances_of_outputs_with_a_mean(end: nn.Module) -> None:
    """Both are without it; outputs may be one unit, without an axis."""
    net = nn.Sequential(Linear(2, 128), nn.ReLU(), Linear(128, 1, w_std=2.0), end)
    x, limit = randn(3, 2), nngp(net)
    found = limit.monte_carlo(x, 400, seeded(2))
    assert bool(((found.mean - limit(x)).abs() < 4.5 * found.standard_error).all())
    assert float(found.standard_error.max()) < 0.2 * float(limit.diag(x).max())
