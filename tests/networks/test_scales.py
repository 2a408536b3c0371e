"""Scales of layers that are learned: gradients of kernels and outputs, and a state without them."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

import ntkit
from ntkit.networks import Conv1d, ConvTranspose1d, Linear, LocalConv1d
from ntkit.networks.scales import Scale


def dense(w: Scale, b: Scale) -> nn.Module:
    return nn.Sequential(Linear(3, 8, w_std=w, b_std=b), nn.ReLU(), Linear(8, 1))


def pooled(first: nn.Module) -> nn.Module:
    return nn.Sequential(
        first, nn.ReLU(), Conv1d(4, 4, 3), nn.ReLU(), nn.Flatten(), Linear(4 * 4, 1)
    )


NETWORKS = {
    "Linear": (dense, (5, 3)),
    "Conv1d": (lambda w, b: pooled(Conv1d(2, 4, 3, padding=1, w_std=w, b_std=b)), (5, 2, 6)),
    "LocalConv1d": (
        lambda w, b: pooled(LocalConv1d(2, 4, (6,), 3, padding=1, w_std=w, b_std=b)),
        (5, 2, 6),
    ),
    "ConvTranspose1d": (
        lambda w, b: pooled(ConvTranspose1d(2, 4, 3, padding=1, w_std=w, b_std=b)),
        (5, 2, 6),
    ),
}


@pytest.mark.parametrize("kind", [ntkit.ntk, ntkit.nngp])
@pytest.mark.parametrize("name", NETWORKS)
def test_kernels_have_derivatives_by_scales(name: str, kind) -> None:
    make, shape = NETWORKS[name]
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    scales = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (1.3, 0.4)]
    value = kind(make(*scales))(x)
    plain = kind(make(1.3, 0.4))(x)
    assert torch.allclose(value.detach(), plain, rtol=1e-12)
    with torch.no_grad():
        assert torch.allclose(kind(make(*scales))(x), plain, rtol=1e-12)
    found = torch.autograd.grad(value.sum(), scales)
    step = 1e-5
    for k in range(2):
        numbers = [[1.3, 0.4], [1.3, 0.4]]
        numbers[0][k] += step
        numbers[1][k] -= step
        up, down = (kind(make(*pair))(x).sum() for pair in numbers)
        assert float(found[k]) == pytest.approx(float(up - down) / (2 * step), rel=1e-6)


def test_a_scale_is_no_parameter_and_no_state() -> None:
    layer = Linear(3, 8, w_std=nn.Parameter(torch.tensor(1.3)), b_std=torch.tensor(0.2))
    assert set(layer.state_dict()) == {"weight", "bias"} == {n for n, _ in layer.named_parameters()}
    assert layer.b_std == pytest.approx(0.2) and isinstance(layer.b_std, float)
    assert "w_std=1.3" in repr(layer)
    assert isinstance(deepcopy(layer).w_std, Tensor)
    layer(torch.ones(2, 3)).sum().backward()
    assert isinstance(layer.w_std, Tensor) and layer.w_std.grad is not None


def test_scales_that_are_set_after_the_first_call() -> None:
    net, x = dense(1.0, 0.5), torch.randn(4, 3, dtype=torch.float64)
    kernel = ntkit.ntk(net)
    kernel(x)
    scale = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
    net[0].w_std = scale
    (found,) = torch.autograd.grad(kernel(x).sum(), scale)
    assert float(found) != 0


def test_flows_of_networks_have_derivatives_by_scales() -> None:
    x = torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def value(w: Scale) -> Tensor:
        flow = ntkit.GradientFlow(ntkit.ntk(dense(w, 0.3)), x, x[:, 0])
        return flow.predict(x + 0.1, [3.0]).sum()

    scale = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(value(scale), scale)
    expected = float(value(1.3 + 1e-5) - value(1.3 - 1e-5)) / 2e-5
    assert float(found) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (torch.ones(2, requires_grad=True), "without axes"),
        (torch.tensor(-1.0, requires_grad=True), "above 0"),
        (float("nan"), "above 0"),
    ],
    ids=["axes", "negative", "nan"],
)
def test_bad_scales_are_refused(value: Scale, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Linear(3, 8, w_std=value)
