"""Amplitudes of a first layer that Adam has trained: where they go, and when they stay."""

import pytest
import torch

from ntkit import Grid
from ntkit.encodings import Basic, Gaussian
from ntkit.networks import mlp
from ntkit.tasks import Budget, Signal, train
from ntkit.tuning.lattice import trimmed
from ntkit.tuning.optimisers import optimiser_of
from ntkit.tuning.optimisers.alignment import align
from tests.cases import randn, seeded
from tests.tolerances import assert_near

ADAM = Budget("adam", 1e-3, 300, 64)


def wave(n: int, *cycles: int) -> Signal:
    x = Grid(n).points()[:, 0]
    return Signal(sum(torch.sin(2 * torch.pi * c * x) for c in cycles) + 1e-3 * randn(n))


def encoding() -> Gaussian:
    return Gaussian(1, 64, 40.0, seeded(), integer=True)


def aligned(signal: Signal, budget: Budget) -> Gaussian:
    found = encoding()
    optimiser_of(budget).align(found, signal)
    return found


def test_the_sum_of_squares_stays() -> None:
    for steps in (1, 100, 300, 5000):
        found = aligned(wave(2048, 5), Budget("adam", 1e-3, steps, 64))
        assert abs(found.energy - encoding().energy) < 1e-4


def test_frequencies_of_the_signal_grow_and_the_others_shrink() -> None:
    first = int(encoding().frequencies.abs().sort(0).values[3])
    found = aligned(wave(2048, first), ADAM)
    on = found.frequencies[:, 0].abs() == first
    assert float(found.amplitudes[on].min()) > 3 * float(found.amplitudes[~on].max())
    assert float(found.amplitudes[~on].max()) < 1 < float(found.amplitudes[on].min())


def test_the_constant_of_a_signal_does_not_count() -> None:
    signal = wave(2048, 7)
    shifted = Signal(signal.values[:, 0] + 100)
    assert_near(aligned(shifted, ADAM).amplitudes, aligned(signal, ADAM).amplitudes)


@pytest.mark.parametrize("budget", [Budget("sgd", 1e-3, 300, 64), Budget("adam", 1e-9, 300, 64)])
def test_sgd_and_tiny_rates_leave_the_kernel_as_it_is(budget: Budget) -> None:
    assert_near(aligned(wave(2048, 5), budget).amplitudes, encoding().amplitudes, loosen=10)


def test_batches_of_all_samples_and_of_all_but_one_are_alike() -> None:
    signal = wave(2048, 7)
    whole, less = (aligned(signal, Budget("adam", 1e-3, 300, b)) for b in (1024, 1023))
    assert float((whole.amplitudes - less.amplitudes).abs().max()) < 1e-3
    beyond = aligned(signal, Budget("adam", 1e-3, 300, 10**6))
    assert torch.equal(beyond.amplitudes, whole.amplitudes)


@pytest.mark.parametrize("shape", [(65,), (24, 18), (10, 12, 9)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("steps", [120, 700])
def test_against_a_loop_over_frequencies(shape, channels: int, steps: int) -> None:
    """The correlation of the training samples with each wave, from its definition."""
    lr, batch = 2e-3, 20
    signal = Signal(randn(*shape, channels) + 0.3, n_axes=len(shape))
    found = Gaussian(len(shape), 12, 2.0, seeded(), integer=True)
    start = found.amplitudes.clone()
    align(found, signal, Budget("adam", lr, steps, batch))
    y = trimmed(signal)[signal.measurement.lattice]
    points = Grid(y.shape[:-1]).points()
    y = y.reshape(len(points), -1)
    y = y - y.mean(0)
    squares = []
    for frequency in found.frequencies.double():
        phase = 2 * torch.pi * (points @ frequency)
        power = sum(
            float((y[:, k] * wave(phase)).mean() ** 2)
            for k in range(channels)
            for wave in (torch.cos, torch.sin)
        )
        ratio = batch * power / float(y.square().sum(1).mean())
        early, late = min(steps, 200), max(0, steps - 200)
        walk = early**2 * ratio / (1 + ratio) + late**2 * batch / (len(y) + batch) + steps
        squares.append(1 + lr**2 * walk * 3 * found.out_dim)
    wanted = torch.tensor(squares)
    wanted = (wanted * float(start.square().sum()) / wanted.sum()).sqrt()
    assert_near(found.amplitudes, wanted.to(found.amplitudes), loosen=10)


def test_samples_of_one_value_leave_the_kernel_as_it_is() -> None:
    held_out_alone = 0.3 + torch.arange(2048) % 2 * randn(2048)
    found = aligned(Signal(held_out_alone), ADAM)
    assert torch.equal(found.amplitudes, encoding().amplitudes)


def test_in_long_runs_all_weights_grow_alike() -> None:
    """The spread of the amplitudes falls with the steps once the signal's own are learned."""
    signal = wave(2048, int(encoding().frequencies.abs().max()))
    spreads = [
        float(aligned(signal, Budget("adam", 1e-3, steps, 64)).amplitudes.std())
        for steps in (10, 50, 200, 1000, 10_000, 100_000)
    ]
    assert spreads[:3] == sorted(spreads[:3])
    assert spreads[2:] == sorted(spreads[2:], reverse=True)
    assert spreads[-1] < 0.01 * spreads[2]


def test_frequencies_count_by_the_whole_cycle_next_to_them() -> None:
    off = Gaussian(2, 32, 5.0, seeded())
    on = Gaussian(2, 32, 5.0, seeded())
    on.frequencies.copy_(on.frequencies.round())
    signal = Signal(randn(64, 48, 3), n_axes=2)
    for e in (off, on):
        align(e, signal, ADAM)
    assert torch.equal(off.amplitudes, on.amplitudes)


def test_features_of_one_axis_are_reached() -> None:
    basic = Basic(2)
    along_first = randn(128, 1).cumsum(0).expand(128, 128)
    align(basic, Signal(along_first, n_axes=2), ADAM)
    assert float(basic.amplitudes[0]) > float(basic.amplitudes[1])


def test_a_real_first_layer_turns_to_the_same_frequencies() -> None:
    """Its weights move most where the amplitudes grow, by more than chance would have it.

    How far is another matter (see `align`). Of 512 unrelated frequencies, a correlation has the standard
    deviation `512^-1/2`.
    """
    signal, budget = Signal(randn(4096).cumsum(0) / 50), Budget("adam", 1e-3, 100, 256)
    many = Gaussian(1, 512, 40.0, seeded(), integer=True)
    net = mlp(many, 1, width=128, depth=2, generator=seeded(1))
    first_layer = net[1]
    assert isinstance(first_layer, torch.nn.Linear)
    start = first_layer.weight.detach().clone()
    train(net, signal, budget, evaluate_at=(), generator=seeded(2))
    moved = (first_layer.weight.detach() - start).square().mean(0).reshape(2, -1).mean(0)
    align(many, signal, budget)
    both = torch.stack([moved.double().log(), many.amplitudes.double().log()])
    assert float(torch.corrcoef(both)[0, 1]) > 5 * 512**-0.5
