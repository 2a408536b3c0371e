"""Uses of one layer that cancel: the digits of single samples are kept by every way."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from ntkit.kernels import Structured, empirical_ntk
from tests.cases import randn
from tests.derivative_networks import network
from tests.kernels.empirical import oracle
from tests.tolerances import relative_error

NAMES = ["finite difference", "finite difference, stacked"]
KEPT = 2e-3
"""Relative error allowed in float32, where per-sample gradients have 1e-4 and pairs of positions 20 %."""


@pytest.mark.parametrize("memory", [2**30, 2**10])
@pytest.mark.parametrize("name", NAMES)
def test_a_finite_difference_inside_forward_keeps_its_digits(name: str, memory: int) -> None:
    """In float32 and float64, of samples within and across, of one output, all, and the diagonal."""
    net, x = network(name)
    for dtype, allowed in ((torch.float64, 1e-11), (torch.float32, KEPT)):
        expected = oracle.full(deepcopy(net), x)
        few = deepcopy(net).to(dtype)
        full = empirical_ntk(few, "full", method=Structured(memory))
        mean = expected.diagonal(dim1=2, dim2=3).mean(-1)
        trace = empirical_ntk(few, method=Structured(memory))
        assert relative_error(full(x), expected) < allowed
        assert relative_error(full(x[:3], x), expected[:3]) < allowed
        assert relative_error(trace(x), mean) < allowed
        assert relative_error(trace.diag(x), mean.diagonal()) < allowed
        assert relative_error(full.diag(x), torch.einsum("nnop->nop", expected)) < allowed


def test_convolutions_that_cancel_keep_their_digits() -> None:
    class Difference(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Conv1d(1, 3, 3), nn.Tanh(), nn.Conv1d(3, 2, 3))

        def forward(self, x: Tensor) -> Tensor:
            h = self.body(torch.cat([x + 1e-3, x - 1e-3], 2))
            return (h[:, :, 0] - h[:, :, 9]) / 2e-3

    net, x = Difference().double(), randn(4, 1, 9, seed=2)
    expected = oracle.trace(net, x)
    kernel = empirical_ntk(deepcopy(net).float(), method=Structured())
    assert relative_error(kernel(x), expected) < KEPT
    assert relative_error(kernel.diag(x), expected.diagonal()) < KEPT
