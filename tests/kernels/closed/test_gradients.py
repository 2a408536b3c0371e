"""Derivatives in points and hyperparameters: right, and finite where points coincide."""

from collections.abc import Callable
from math import inf

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from ntkit import encodings, kernels
from ntkit.kernels import EmpiricalKernel, InfiniteKernel
from tests.cases import KERNELS, randn, seeded
from tests.tolerances import assert_near

OF_NETWORKS = {EmpiricalKernel, InfiniteKernel}
CLOSED = [make() for kind, makers in KERNELS.items() if kind not in OF_NETWORKS for make in makers]
every_kernel = pytest.mark.parametrize("kernel", CLOSED, ids=repr)
SMOOTH = [
    kernels.Linear(),
    kernels.Polynomial(3),
    kernels.RBF(0.7),
    kernels.Matern(1.5, 0.7),
    kernels.Matern(2.5, [0.3, 2.0]),
    kernels.ArcCosine(1),
    kernels.ArcCosine(2),
    kernels.Stationary(encodings.Basic(2)),
]


@every_kernel
def test_in_points(kernel) -> None:
    x, y = randn(3, 2).requires_grad_(), randn(2, 2, seed=1).requires_grad_()
    assert gradcheck(kernel, (x, y))
    assert gradcheck(kernel, (x,))
    assert gradcheck(kernel.diag, (x,))


@every_kernel
def test_finite_at_coinciding_and_zero_points(kernel) -> None:
    base = torch.cat([randn(2, 2), torch.zeros(1, 2).double()])
    x = base[[0, 1, 2, 0, 2]].requires_grad_()
    for value in (kernel(x), kernel(x, x.detach().clone()), kernel(x, -x.detach())):
        (gradient,) = torch.autograd.grad(value.sum() + 0 * x.sum(), x)
        assert bool(gradient.isfinite().all())


@pytest.mark.parametrize("kernel", SMOOTH, ids=repr)
def test_smooth_kernels_have_their_derivative_at_coinciding_points(kernel) -> None:
    """What is taken there is the limit of the derivatives near by."""
    x = randn(4, 2)

    def slope(step: float) -> Tensor:
        moved = (x + step * randn(4, 2, seed=1)).requires_grad_()
        return torch.autograd.grad(kernel(moved, x).diagonal().sum(), moved)[0]

    scale = 1 + slope(0.0).abs().max()
    assert float((slope(0.0) - slope(1e-9)).abs().max() / scale) < 1e-7


HYPERPARAMETERS: dict[str, tuple[Callable[[Tensor], kernels.AbstractKernel], Tensor]] = {
    "rbf": (kernels.RBF, torch.tensor(0.7)),
    "rbf, axes": (kernels.RBF, torch.tensor([0.3, 2.0])),
    "laplace": (kernels.Laplace, torch.tensor(0.7)),
    "laplace, axes": (kernels.Laplace, torch.tensor([0.3, 2.0])),
    **{
        f"matern {nu}": (lambda s, nu=nu: kernels.Matern(nu, s), torch.tensor([0.3, 2.0]))
        for nu in (0.5, 1.5, 2.5, inf)
    },
    "polynomial": (lambda c: kernels.Polynomial(3, c), torch.tensor(0.5)),
    "scale": (lambda c: c * kernels.RBF(), torch.tensor(0.5)),
    "shift": (lambda c: kernels.Linear() + c, torch.tensor(0.5)),
    "right scale": (lambda c: kernels.Linear() * c, torch.tensor(0.5)),
}


@pytest.mark.parametrize("name", HYPERPARAMETERS)
def test_in_hyperparameters(name: str) -> None:
    make, value = HYPERPARAMETERS[name]
    x = randn(3, 2)[[0, 1, 2, 0]]
    lags = [torch.linspace(-1, 1, 3).double(), torch.linspace(0, 1, 2).double()]
    value = value.double().requires_grad_()
    assert gradcheck(lambda v: make(v)(x), (value,))
    assert gradcheck(lambda v: make(v).diag(x), (value,))
    kernel = make(value)
    if isinstance(kernel, kernels.AbstractLagKernel) and kernel.is_stationary:
        assert gradcheck(lambda v: make(v).lag_table(lags), (value,))


def test_in_amplitudes() -> None:
    encoding = encodings.Gaussian(2, 4, 1.0, seeded()).double()
    encoding.amplitudes = encoding.amplitudes.clone().requires_grad_()
    kernel = kernels.Stationary(encoding)
    x = randn(3, 2)
    (whole,) = torch.autograd.grad(kernel(x).diagonal().sum(), encoding.amplitudes)
    (diagonal,) = torch.autograd.grad(kernel.diag(x).sum(), encoding.amplitudes)
    assert_near(whole, diagonal)
    assert_near(diagonal, 6 * encoding.amplitudes.detach())
