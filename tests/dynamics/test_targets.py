"""Targets, start values and points of every kind: taken as they are, or refused, never broadcast."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

import ntkit
from ntkit.dynamics.targets import start_values
from ntkit.kernels import RBF
from tests.cases import randn, seeded

X, Z = randn(5, 2), randn(3, 2, seed=1)
Y, THREE = randn(5), randn(5, 3)
KERNEL = RBF(0.7)
GRID = ntkit.Grid((3, 2))


def three(x: Tensor) -> Tensor:
    return x[:, :1] * torch.tensor([1.0, 2.0, 3.0]).to(x)


def square(f: Tensor, y: Tensor) -> Tensor:
    return ((f - y) ** 2).sum()


RULES = {
    "flow": ntkit.GradientFlow,
    "descent": partial(ntkit.GradientDescent, lr=0.1),
    "momentum": partial(ntkit.Momentum, lr=0.01, beta=0.5),
    "heavy ball": partial(ntkit.HeavyBallFlow, damping=1.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize(("trained", "given"), [((), (1,)), ((1,), ()), ((), ()), ((1,), (1,))])
def test_an_axis_for_one_output_changes_no_best_time(rule, trained, given) -> None:
    """`[m]` against `[m, 1]` would be all pairs."""
    right = rule(KERNEL, X, Y).best_time(Z, randn(3))
    found = rule(KERNEL, X, Y.reshape(5, *trained)).best_time(Z, randn(3).reshape(3, *given))
    assert (found.time, found.error) == pytest.approx((right.time, right.error))


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "best_time, too few": (
        lambda: ntkit.GradientFlow(KERNEL, X, THREE).best_time(Z, randn(3)),
        r"`y` has shape \(3,\), 1 outputs a point, and the function has 3",
    ),
    "best_time, too many": (
        lambda: ntkit.GradientFlow(KERNEL, X, Y).best_time(Z, randn(3, 3)),
        r"`y` has shape \(3, 3\), 3 outputs a point, and the function has 1",
    ),
    "best_time, other points": (
        lambda: ntkit.GradientFlow(KERNEL, X, Y).best_time(Z, randn(1)),
        r"`y` has shape \(1,\), but the points have \(3,\)",
    ),
    "best_time, turned": (
        lambda: ntkit.GradientFlow(KERNEL, X, Y).best_time(Z, randn(1, 3)),
        r"`y` has shape \(1, 3\), but the points have",
    ),
    "f0 of more outputs": (
        lambda: ntkit.GradientFlow(KERNEL, X, Y, f0=three),
        r"`f0\(points\)` has 3 outputs a point, and `y` has 1",
    ),
    "f0 of fewer": (
        lambda: ntkit.GradientFlow(KERNEL, X, THREE, f0=lambda x: x[:, :1]),
        r"`f0\(points\)` has 1 outputs a point, and `y` has 3",
    ),
    "f0 of one number": (
        lambda: ntkit.GradientFlow(KERNEL, X, Y, f0=lambda x: x.sum()),
        r"`f0\(points\)` must be one row a point, \[5\] or \[5, o\], got shape \(\)",
    ),
    "f0 turned": (
        lambda: ntkit.GradientFlow(KERNEL, X, THREE, f0=lambda x: three(x).T),
        r"must be one row a point, .* got shape \(3, 5\)",
    ),
    "LossFlow, f0 of three": (
        lambda: ntkit.LossFlow(KERNEL, X[:3], Y[:3], loss=square, f0=three),
        r"`loss\(f, y\)` mixes samples: `f` has shape \(3, 3\) and `y` \(3,\)",
    ),
    "LossFlow, an axis more": (
        lambda: ntkit.LossFlow(KERNEL, X, Y, loss=square, n_outputs=1),
        r"mixes samples: `f` has shape \(5, 1\) and `y` \(5,\)",
    ),
    "LossFlow, an axis less": (
        lambda: ntkit.LossFlow(KERNEL, X, Y[:, None], loss=square, f0=lambda x: x[:, 0]),
        r"mixes samples: `f` has shape \(5,\) and `y` \(5, 1\)",
    ),
    "LossFlow, other outputs": (
        lambda: ntkit.LossFlow(KERNEL, X, THREE, loss=square, f0=three, n_outputs=2),
        r"`n_outputs=2`, and `f0\(points\)` has 3",
    ),
    "weights of other samples": (
        lambda: ntkit.GradientFlow(KERNEL, X, Y, sample_weights=torch.ones(1)),
        "`sample_weights` must be 5 numbers",
    ),
    "compare, validation": (
        lambda: ntkit.compare(
            nn.Linear(2, 3).double(),
            ntkit.GradientDescent(KERNEL, X, THREE, lr=0.1),
            steps=1,
            validation=(Z, randn(3)),
        ),
        r"`validation\[1\]` has shape \(3,\), 1 outputs a point, and the function has 3",
    ),
    "compare, network": (
        lambda: ntkit.compare(
            nn.Linear(2, 3).double(), ntkit.GradientDescent(KERNEL, X, Y, lr=0.1), steps=1
        ),
        r"`module\(points\)` has shape \(5, 3\), and the targets have 5 points of 1 outputs",
    ),
    "train": (
        lambda: ntkit.tasks.train(
            nn.Linear(1, 3), ntkit.tasks.Signal(randn(8)), ntkit.tasks.Budget(steps=1)
        ),
        r"`network\(points\)` has shape \(4, 3\), and the samples of the task \(4, 1\)",
    ),
    "train, an axis less": (
        lambda: ntkit.tasks.train(
            nn.Sequential(nn.Linear(1, 1), nn.Flatten(0)),
            ntkit.tasks.Signal(randn(8)),
            ntkit.tasks.Budget(steps=1),
        ),
        r"`network\(points\)` has shape \(4,\), and the samples of the task \(4, 1\)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_be_broadcast_is_refused(name: str) -> None:
    call, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        call()


def test_a_loss_may_bring_other_shapes_together() -> None:
    """Three quantiles of one target, as a loss of its own."""

    def levels(f: Tensor, y: Tensor) -> Tensor:
        return ((f - y[:, None]) ** 2 * torch.tensor([1.0, 2.0, 3.0])).sum()

    found = ntkit.LossFlow(KERNEL, X, Y, loss=levels, f0=three)
    whole = ntkit.LossFlow(KERNEL, X, Y[:, None].expand(5, 3), loss=levels_of_all, f0=three)
    torch.testing.assert_close(found.predict(Z, [0.5]), whole.predict(Z, [0.5]))


def levels_of_all(f: Tensor, y: Tensor) -> Tensor:
    return ((f - y) ** 2 * torch.tensor([1.0, 2.0, 3.0])).sum()


def test_compare_on_a_grid_of_targets_weighs_each_point() -> None:
    """Targets in the shape of the grid, and as a list, train and count alike."""
    net = nn.Linear(2, 1, dtype=torch.float64)
    y, weights = randn(3, 2), torch.arange(1.0, 7.0).double()
    results = [
        ntkit.compare(
            net,
            ntkit.GradientDescent(
                ntkit.empirical_ntk(net), GRID, targets, lr=0.01, f0=net, sample_weights=weights
            ),
            steps=3,
        )
        for targets in (y, y.reshape(6), y.reshape(6, 1))
    ]
    for result in results:
        torch.testing.assert_close(result.trained, results[0].trained)
        torch.testing.assert_close(result.trained, result.predicted)  # a linear model


@pytest.mark.parametrize("of_net", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("of_y", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("kind", ["module", "method", "function"])
def test_f0_of_another_precision(of_net: torch.dtype, of_y: torch.dtype, kind: str) -> None:
    net = nn.Linear(2, 1).to(of_net)
    f0 = {"module": net, "method": net.forward, "function": lambda x: net(x)}[kind]
    for make in (ntkit.GradientFlow, partial(ntkit.LossFlow, loss=square)):
        flow = make(KERNEL, X, Y[:, None].to(of_y), f0=f0)
        assert flow.predict(Z, [0.0]).dtype == of_y
        torch.testing.assert_close(
            flow.predict(Z, [0.0])[0].double(), net(Z.to(of_net)).double(), rtol=1e-6, atol=1e-6
        )


def test_an_error_of_f0_comes_through() -> None:
    def wrong(x: Tensor) -> Tensor:
        raise RuntimeError("not today")

    with pytest.raises(RuntimeError, match="not today"):
        start_values(wrong, X, torch.float64)
    with pytest.raises(TypeError, match=r"`f0\(points\)` must be a torch.Tensor, got tuple"):
        start_values(lambda x: (x,), X, torch.float64)


class Words(nn.Module):
    """A network of token ids, which casts to floats would not reach."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(7, 3)
        self.out = nn.Linear(3, 1)

    def forward(self, ids: Tensor) -> Tensor:
        assert not ids.is_floating_point()
        return self.out(self.table(ids).mean(1))


@pytest.fixture
def words() -> Words:
    net = Words()
    for p in net.parameters():
        nn.init.normal_(p, generator=seeded())
    return net


IDS = torch.tensor([[0, 1], [2, 3], [4, 5], [6, 0]])


@pytest.mark.parametrize("structure", ["auto", "dense", "low-rank", "tiled", "matrix-free"])
def test_token_ids_stay_whole_numbers(words: Words, structure) -> None:
    kernel, y = ntkit.empirical_ntk(words), randn(4, 1)
    flow = ntkit.GradientFlow(kernel, IDS, y, f0=words, structure=structure)
    matrix, start = kernel(IDS).double(), words(IDS).double()
    expected = y - torch.matrix_exp(-matrix) @ (y - start)
    torch.testing.assert_close(flow.predict(IDS, [0.0])[0], start.detach())
    found = flow.predict(IDS, [1.0])[0]
    torch.testing.assert_close(found, expected.detach(), rtol=1e-4, atol=1e-4)


def test_token_ids_in_every_other_door(words: Words) -> None:
    kernel, y = ntkit.empirical_ntk(words), randn(4, 1)
    flow = ntkit.LossFlow(kernel, IDS, y, loss=lambda f, y: square(f, y) / 2, f0=words)
    linear = ntkit.GradientFlow(kernel, IDS, y, f0=words)
    torch.testing.assert_close(flow.predict(IDS, [0.1]), linear.predict(IDS, [0.1]))
    process = ntkit.GaussianProcess(kernel, IDS, y, noise=0.1)
    matrix = kernel(IDS).double().detach()
    mean = matrix @ torch.linalg.solve(matrix + 0.1 * torch.eye(4).double(), y)
    torch.testing.assert_close(process.predict(IDS).mean, mean)
    assert ntkit.Ensemble(kernel, kernel, IDS, y).predict(IDS, [1.0]).mean.shape == (1, 4, 1)
    rule = ntkit.GradientDescent(kernel, IDS, y, lr=1e-3, f0=words)
    result = ntkit.compare(words, rule, steps=3, validation=(IDS, y))
    assert bool((result.distance[1:] < 0.1).all())


@pytest.mark.parametrize(
    "make",
    [
        lambda x: ntkit.GradientFlow(KERNEL, x, Y).predict(Z, [1.0]),
        lambda x: ntkit.GradientFlow(KERNEL, X, Y).predict(x, [1.0]),
        lambda x: ntkit.gram(KERNEL, x),
        lambda x: ntkit.gram(KERNEL + 1, x),
        lambda x: ntkit.ntk(nn.Linear(2, 1))(x),
        lambda x: ntkit.empirical_ntk(nn.Linear(2, 1))(x),
    ],
)
def test_sparse_points_are_refused(make, unchecked) -> None:
    with pytest.raises(TypeError, match=r"must be dense, .* Pass `\w+.to_dense\(\)`"):
        make(X.to_sparse())
