"""Coordinate networks as ordinary chains."""

import pytest
import torch
from torch import nn

from ntkit.encodings import Basic, Gaussian
from ntkit.networks import Linear, mlp
from tests.cases import randn, seeded
from tests.tolerances import assert_near


@pytest.mark.parametrize(("parametrisation", "kind"), [("standard", nn.Linear), ("ntk", Linear)])
def test_layers_in_order(parametrisation, kind: type) -> None:
    net = mlp(Basic(2), 3, width=16, depth=2, parametrisation=parametrisation)
    assert [type(layer) for layer in net] == [Basic, kind, nn.ReLU, kind, nn.ReLU, kind]
    sizes = [(layer.in_features, layer.out_features) for layer in net if type(layer) is kind]
    assert sizes == [(4, 16), (16, 16), (16, 3)]


@pytest.mark.parametrize("parametrisation", ["standard", "ntk"])
def test_one_seed_one_network(parametrisation) -> None:
    before = torch.get_rng_state()
    nets = [
        mlp(Basic(2), 1, width=8, parametrisation=parametrisation, generator=seeded(s))
        for s in (0, 0, 1)
    ]
    outputs = [net(randn(5, 2).float()).detach() for net in nets]
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])
    if parametrisation == "ntk":
        assert torch.equal(before, torch.get_rng_state())


def test_standard_layers_are_drawn_as_pytorch_draws_them() -> None:
    """Uniform within `1/sqrt(fan_in)`: the extremes come close, the variance is a third."""
    weight = mlp(Basic(1), 1, width=400, depth=2, generator=seeded())[3].weight.detach()
    bound = 400**-0.5
    assert 0.999 * bound < float(weight.abs().max()) <= bound
    assert abs(float(weight.square().mean()) * 3 / bound**2 - 1) < 0.02


def test_ntk_parametrisation_keeps_the_variance_through_relu() -> None:
    """`w_std^2 = 2` undoes the half that ReLU takes; 1e-2 is added by each bias."""
    net = mlp(
        Gaussian(2, 64, 1.0, seeded()), 1, width=3000, depth=3, parametrisation="ntk",
        generator=seeded(),
    )  # fmt: skip
    with torch.no_grad():
        hidden = net[:6](randn(8, 2).float())  # what enters the last ReLU
    per_feature = 0.5  # mean square of a cosine and a sine
    expected = 2 * per_feature + 3 * 0.01
    assert_near(hidden.square().mean(), torch.tensor(expected), loosen=0.1 / 2e-6)


def test_errors(unchecked) -> None:
    with pytest.raises(ValueError, match="`parametrisation='mup'` must be"):
        mlp(Basic(2), 1, parametrisation="mup")
    for wrong in ("width", "depth"):
        with pytest.raises(ValueError, match=f"`{wrong}=0` must be at least 1"):
            mlp(Basic(2), 1, **{wrong: 0})
    with pytest.raises(ValueError, match="`out_dim=0` must be at least 1"):
        mlp(Basic(2), 0)
