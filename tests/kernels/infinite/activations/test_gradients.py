"""First derivatives of two layers by scales and inputs, against differences, at every kind of point."""

import pytest
import torch
from torch import Tensor, nn

from ntkit import ntk
from ntkit._core.errors import NumericalError
from ntkit.kernels.infinite.activations import AbstractActivation
from ntkit.kernels.infinite.moments.distances import state_of_pairs
from ntkit.networks import Linear
from tests.kernels.infinite.activations.table import CLOSED, NUMERICAL, dual_of

pytestmark = pytest.mark.slow


A, B, SQUARE = (
    torch.tensor(v).double() for v in ([1.0, 0.5, -0.3], [0.2, 0.9, 0.4], [0.5, -1.0, 0.0])
)
POINTS = {
    "generic": (A, B),
    "orthogonal": (A, SQUARE),
    "zero row": (0 * A, B),
    "zeros": (0 * A, 0 * A),
    "equal": (A, A),
    "parallel": (A, 1.7 * A),
    "opposite": (A, -A),
    "opposite, unlike": (A, -1.7 * A),
    "close": (A, A + 0.03 * SQUARE),
    "long": (4 * A, 4 * B),
    "long, equal": (4 * A, 4 * A),
    "long and short": (4 * A, 0.05 * B),
    "short": (0.05 * A, 0.05 * B),
}
"""Pairs of inputs."""

EVERY = {
    **{name: row.module for name, row in CLOSED.items()},
    **{name: module for name, (module, _) in NUMERICAL.items()},
}
BENT_AT_ZERO = {
    *("relu", "leaky_relu", "prelu", "rrelu", "abs", "monomial1", "elu", "celu", "selu", "relu6"),
    *("softsign", "normalised_exp"),
}
"""Their kernels are no smooth functions of a vector at zero: a slope with a jump."""

JUMPS = {"sign", "step", "hardshrink", "threshold"}
CORNERS = {"equal", "parallel", "long, equal", "opposite", "opposite, unlike"}
"""Where the kernels of functions that jump have a corner, whose quotients are no derivatives."""

STEP = 1e-5


def kernels(
    activation: AbstractActivation, depth: int, scales: tuple[Tensor, Tensor], *points: Tensor
) -> Tensor:
    """NNGP and NTK `[2, k]` of so many hidden layers, for pairs of rows."""
    w, b = (scale**2 for scale in scales)
    state = state_of_pairs(*points, with_ntk=True)
    for _ in range(depth):
        state = state.affine(w, b, own_weight=w, own_bias=b).activated(activation)
    assert state.ntk is not None
    return torch.stack([state.cov, state.ntk])


@pytest.mark.parametrize("name", EVERY)
def test_first_derivatives_are_difference_quotients(name: str) -> None:
    """By the scales of weights and biases, by one input and by both."""
    activation, depth = dual_of(EVERY[name]), 2 if name in CLOSED else 1
    kept = [
        point
        for point in POINTS
        if not (point.startswith("zero") and name in BENT_AT_ZERO | JUMPS)
        and not (point in CORNERS and name in JUMPS)
        and not (point.startswith("long") and (name == "exp" or name not in CLOSED))
    ]
    x1, x2 = (torch.stack([POINTS[point][k] for point in kept]) for k in range(2))
    way1, way2 = torch.tensor([[0.3, -0.8, 0.5], [0.9, 0.4, -0.2]]).double()
    w, b, none = (torch.tensor(v).double() for v in (1.2, 0.4, 0.0))

    def moved(what: str, h: Tensor) -> Tensor:
        bias = none if what in {"w", "x1"} else b
        if what == "x1":
            return kernels(activation, depth, (w, bias), x1 + h[..., None] * way1, x2)
        if what == "both":
            points = x1 + h[..., None] * way1, x2 + h[..., None] * way2
            return kernels(activation, depth, (w, bias), *points)
        scales = (w, bias + h) if what == "b" else (w + h, bias)
        return kernels(activation, depth, scales, x1, x2)

    ways = ("w", "w with bias", "b", "x1", "both") if name in CLOSED else ("w with bias", "x1")
    for what in ways:
        # One parameter a pair, so that one backward pass gives the derivatives of all.
        zeros = torch.zeros(len(kept), dtype=torch.float64, requires_grad=True)
        values = moved(what, zeros)
        rows = [torch.autograd.grad(v.sum(), zeros, retain_graph=True)[0] for v in values]
        up, down = (moved(what, torch.tensor(step).double()) for step in (STEP, -STEP))
        expected = (up - down) / (2 * STEP)
        size = torch.maximum(expected.abs(), 1e-2 * values.detach().abs()) + 1e-2
        wrong = (torch.stack(rows) - expected).abs() > 5e-5 * size
        assert not bool(wrong.any()), [
            (what, kept[k], ("nngp", "ntk")[j], float(rows[j][k]), float(expected[j, k]))
            for j, k in wrong.nonzero().tolist()
        ]


@pytest.mark.parametrize("name", ["erf", "sin", "gaussian", "tanh", "silu"])
def test_second_derivatives_of_smooth_kernels(name: str) -> None:
    """`d^2 k / dx1 dx2`, at points that are equal too: what derivative observations take."""
    activation, (w, b) = dual_of(EVERY[name]), torch.tensor([1.2, 0.4]).double()
    x1, x2 = (torch.stack([POINTS[p][k] for p in ("generic", "equal", "close")]) for k in range(2))
    x1, x2 = x1.requires_grad_(), x2.requires_grad_()

    def first(points: Tensor) -> Tensor:
        value = kernels(activation, 1, (w, b), points, x2)[0].sum()
        return torch.autograd.grad(value, points, create_graph=True)[0][:, 0].sum()

    (found,) = torch.autograd.grad(first(x1), x2)
    step = 1e-4 * torch.eye(3).double()
    for axis in range(3):
        values = [
            kernels(activation, 1, (w, b), x1.detach() + s * step[0], x2.detach() + t * step[axis])
            for s, t in ((1, 1), (1, -1), (-1, 1), (-1, -1))
        ]
        expected = (values[0] - values[1] - values[2] + values[3])[0] / 4e-8
        assert (found[:, axis] - expected).abs().max() < 1e-6


def test_second_derivatives_of_bent_functions_are_refused() -> None:
    net = nn.Sequential(Linear(3, 8), nn.Hardtanh(), Linear(8, 1))
    x = torch.stack([A, B]).requires_grad_()
    value = ntk(net)(x).sum()
    (first,) = torch.autograd.grad(value, x, create_graph=True)
    with pytest.raises(NumericalError, match="second derivative"):
        torch.autograd.grad(first.sum(), x)


def test_a_weight_scale_of_a_kinked_network() -> None:
    """Hardtanh at six points, the diagonal among them: by differences of the whole matrix."""
    x = torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    net = nn.Sequential(Linear(3, 8), nn.Hardtanh(), Linear(8, 1))

    def total(scale: Tensor | float) -> Tensor:
        net[0].w_std = scale
        return ntk(net)(x).sum()

    scale = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(total(scale), scale)
    expected = (total(1.3 + 1e-5) - total(1.3 - 1e-5)) / 2e-5
    assert abs(float(found - expected)) < 1e-6 * abs(float(expected))
