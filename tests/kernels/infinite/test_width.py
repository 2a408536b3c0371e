"""The infinite-width kernel is the limit of the finite ones, at the rate `width^-1/2`.

For every layer type with a rule, and every way to join branches: the kernel of a network's own
Jacobian, by `torch.func`, against `ntkit.ntk` of the very same object, over seeded initialisations.
`benchmarks/infinite_rates.py` fits the exponent, at widths up to 1,024 and in both parametrisations
throughout; here two widths must do.
"""

from math import log, sqrt

import pytest
import torch
from torch import Generator, nn

from ntkit import encodings, nngp, ntk
from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels.infinite.meanings import meanings
from ntkit.kernels.infinite.rules.kinds import Pools
from ntkit.networks import Linear, mlp
from tests.cases import randn, seeded
from tests.layer_networks import COMPOSED, LAYERS, Example, Mean, Parametrisation, Written
from tests.rates import deviations_from_limit, fitted_exponent, sizes

MAPS = {nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.Upsample, nn.ZeroPad2d, nn.ReflectionPad3d}
"""Of the many modules that map positions by one handler, those that are trained here; all of them are
in the benchmark."""

SEEDS = {64: 4, 256: 6}
"""Initialisations at each width."""

SCATTER = 0.76
"""Standard deviation of one distance over seeds, as a share of the mean distance: that of the size of
a normal number, as where the deviation is mainly one of scale."""


def cases() -> list:
    """Networks in the parametrisation of their layer; normalisations, which have none, in both."""
    found = []
    for kind, example in LAYERS.items():
        if isinstance(meanings.get(kind), Pools) and kind not in MAPS:
            continue
        name = f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
        for parametrisation in example.parametrisations[: 2 if "Norm" in kind.__name__ else 1]:
            if not example.why_no_rate:
                whole = f"{name}, {parametrisation}"
                found.append(pytest.param(example, parametrisation, False, id=whole))
    for name, example in COMPOSED.items():
        first = example.parametrisations[0]
        found.append(pytest.param(example, first, "dropout" in name, id=name))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("example", "parametrisation", "training"), cases())
def test_networks_tend_to_the_kernel(
    example: Example, parametrisation: Parametrisation, training: bool
) -> None:
    """The distance halves as the width grows by four, and the mean over seeds is near the kernel."""
    found = {
        width: deviations_from_limit(
            example, width, range(seeds), parametrisation, training=training
        )
        for width, seeds in SEEDS.items()
    }
    narrow, wide = (sum(sizes(d)) / len(d) for d in found.values())
    scatter = SCATTER * sqrt(sum(1 / seeds for seeds in SEEDS.values()))
    assert abs(log(narrow / wide) - log(2)) < 3 * scatter
    assert wide < 0.5
    mean, spread = found[256].mean(0).norm(), found[256].std(0).norm()
    # Student's t with 5 degrees of freedom exceeds 5.9 in 0.2 % of draws; the bias is of order 1/w
    assert float(mean) < 5.9 * float(spread) / sqrt(SEEDS[256]) + 4 / 256


@pytest.mark.slow
def test_a_wrong_rule_would_not_pass() -> None:
    """The same kernel a quarter too large: its distance stops falling."""
    found = [
        deviations_from_limit(LAYERS[Linear], width, range(6), "ntk") for width in (64, 256, 1024)
    ]
    point = LAYERS[Linear].points(2, torch.Generator().manual_seed(1))
    limit = ntk(LAYERS[Linear].network(64))(point)
    wrong = [sum(sizes(d - limit / limit.norm() / 4)) / 6 for d in found]
    right = [sum(sizes(d)) / 6 for d in found]
    assert fitted_exponent([64, 256, 1024], right) < -0.35
    assert fitted_exponent([64, 256, 1024], wrong) > -0.35


def drawn_by_torch(width: int, generator: Generator) -> nn.Module:
    """Plain layers as torch makes them."""
    return nn.Sequential(
        nn.Conv1d(2, width, 2),
        nn.ReLU(),
        nn.ConvTranspose1d(width, width, 2, groups=2),
        nn.ReLU(),
        nn.Conv1d(width, width, 2, groups=2),
        nn.ReLU(),
        Mean(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, 1, bias=False),
    )


def test_default_variances_are_those_that_torch_draws_with() -> None:
    example = Example(drawn_by_torch, (2, 4))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = example.network(512)
    x = randn(3, 2, 4)
    for kernel in (ntk, nngp):
        default, measured = kernel(net, variances="default")(x), kernel(net)(x)
        assert float((default - measured).norm() / default.norm()) < 0.06
    wide = deviations_from_limit(example, 256, range(4), "standard", variances="default")
    assert float(wide.mean(0).norm()) < 0.2


@pytest.mark.filterwarnings("ignore:The infinite-width limit of softmax attention")
def test_default_variances_of_attention() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = LAYERS[nn.MultiheadAttention].network(256)
    x = randn(3, 3, 2)
    for kernel in (ntk, nngp):
        default, measured = kernel(net, variances="default")(x), kernel(net)(x)
        assert float((default - measured).norm() / default.norm()) < 0.02


def test_groups_need_many_channels() -> None:
    """Of one channel, or of a concatenation whose parts differ."""
    both = Written(
        lambda m, x: m.norm(torch.cat([m.a(x), m.b(x)], -1)),
        a=Linear(2, 4),
        b=Linear(2, 4),
        norm=nn.GroupNorm(2, 8),
    )
    for middle in (nn.Sequential(Linear(2, 8), nn.GroupNorm(8, 8)), both):
        net = nn.Sequential(middle, nn.ReLU(), Linear(8, 1))
        with pytest.raises(
            UnsupportedLayerError, match="groups of one channel, or a concatenation"
        ):
            ntk(net)(randn(2, 2))


def test_a_mean_that_is_not_known_cannot_be_taken_off() -> None:
    net = nn.Sequential(Linear(2, 8), nn.ReLU(), nn.LayerNorm((3, 8)), Linear(8, 1))
    with pytest.raises(UnsupportedLayerError, match=r"`nn.RMSNorm` may stand anywhere"):
        ntk(net)(randn(2, 3, 2))


def test_dropout_of_channels_wants_them_first() -> None:
    net = nn.Sequential(Linear(2, 8), nn.Dropout1d(0.5), Linear(8, 1)).train()
    with pytest.raises(
        UnsupportedLayerError, match="drops entries of axis 1, which are no channels"
    ):
        ntk(net)(randn(2, 3, 2))


@pytest.mark.slow
def test_covariance_of_outputs_converges_to_nngp() -> None:
    """Over draws of the network, at the Monte Carlo rate `draws^-1/2`."""
    x = randn(4, 2)

    def net(seed: int) -> nn.Module:
        options = {"width": 256, "depth": 2, "parametrisation": "ntk"}
        return mlp(encodings.Basic(2), 1, generator=seeded(seed), **options)

    limit = nngp(net(0))(x)
    with torch.no_grad():
        samples = torch.stack([net(100 + s)(x.float())[:, 0].double() for s in range(600)])
    covariance = samples.T @ samples / len(samples)
    assert float((covariance - limit).norm() / limit.norm()) < 4 * (2 / len(samples)) ** 0.5
