"""Expansions of networks that mix samples are right for the batch, and say that they are of it."""

import copy
import pickle
import warnings

import pytest
import torch
from torch import Tensor, nn

import ntkit
from tests.cases import randn
from tests.mixing import COUPLED, OWN, points_of

MIXES = r"`module` mixes the samples.*right for the batch as a whole.*one sample at a time"


@pytest.mark.parametrize("name", COUPLED)
def test_it_warns_once_of_samples_that_mix(name: str) -> None:
    module = COUPLED[name]().double()
    x = points_of(module)
    linear = ntkit.linearize(module)
    with pytest.warns(UserWarning, match=MIXES) as seen:
        found = linear(x)
    assert [w.filename for w in seen] == [__file__]
    assert torch.allclose(found, module(x))
    linear(x)
    linear(x[:3])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", OWN)
def test_samples_on_their_own_are_not_warned_of(name: str, training: bool) -> None:
    module = OWN[name]().double().train(training)
    ntkit.taylor(module, 1)(points_of(module))


class Scaled(nn.Module):
    """What all samples share may have as many entries as there are samples."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4).double()

    def forward(self, x: Tensor, scale: Tensor) -> Tensor:
        return self.layer(x) * scale


def test_batch_statistics_dropout_and_shared_inputs_are_not_warned_of() -> None:
    net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))
    ntkit.linearize(net)(randn(6, 4).float())
    ntkit.linearize(Scaled())(randn(4, 4), randn(4, seed=1))
    ntkit.linearize(Scaled())(randn(4, 4), randn(4, 4, seed=1))


def test_batch_statistics_in_evaluation_mode_are() -> None:
    net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8, track_running_stats=False)).double()
    with pytest.warns(UserWarning, match=MIXES):
        ntkit.linearize(net.eval())(randn(6, 4))


def test_it_looks_once_whoever_runs_the_expansion() -> None:
    net = COUPLED["recurrent along samples"]().double()
    linear, x = ntkit.linearize(net), points_of(net)
    with pytest.warns(UserWarning, match=MIXES):
        linear(x)
    copy.deepcopy(linear)(x)
    pickle.loads(pickle.dumps(linear))(x)
    runs = []
    plain = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    plain.register_forward_hook(lambda *_: runs.append(1))
    twice = ntkit.linearize(ntkit.linearize(plain))
    twice(randn(5, 3))
    first, _ = len(runs), runs.clear()
    twice(randn(5, 3))
    assert len(runs) < first  # the second call does not look again, nor does the inner one
    kernel = ntkit.empirical_ntk(ntkit.linearize(plain))
    assert torch.allclose(kernel(randn(5, 3)), ntkit.empirical_ntk(plain)(randn(5, 3)))


def test_a_probe_without_kernels_says_so_once() -> None:
    net = COUPLED["recurrent along samples"]().double()
    x = points_of(net)
    with pytest.warns(UserWarning, match=MIXES) as seen:
        probe = ntkit.LazyProbe(net, x, has_kernel=False)
    assert [w.filename for w in seen] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        probe.record(1)
    with pytest.raises(ValueError, match="mixes the samples"):
        ntkit.LazyProbe(net, x)
