"""Adam's clock: a known speed is found again, from losses that a known speed made."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from ntkit import encodings
from ntkit.dynamics.modes import Modes
from ntkit.networks import mlp
from ntkit.tasks import Budget, Signal, psnr
from ntkit.tuning.optimisers import clock
from ntkit.tuning.optimisers.adam_flow import adam_trajectories
from ntkit.tuning.problems import PeriodicProblem
from tests.cases import randn, seeded

SIGNAL = Signal(randn(64).cumsum(0) / 10)
NET = mlp(
    encodings.Gaussian(1, 16, 3.0, seeded(), integer=True), 1, width=64, depth=2,
    generator=seeded(),
)  # fmt: skip
MODES = PeriodicProblem(NET, SIGNAL.values).modes


def fake_train(speed: float, asked: list[Budget], modes: Modes = MODES) -> Callable[..., list]:
    """Training with the losses of Adam's flow: that of a step is the error before it."""

    def train(network, signal, budget, *, evaluate_at, generator, on_step) -> list:
        asked.append(budget)
        steps = list(range(1, budget.steps + 1))
        run = adam_trajectories(
            [modes], steps, lr=budget.lr, batch_size=budget.batch_size, speed=speed
        )[0]
        errors = [float(modes.energy.sum()) / modes.n_samples, *modes.error(run.decay).tolist()]
        for step in steps:
            on_step(step, errors[step - 1])
        return []

    return train


@pytest.mark.parametrize("steps", [10, 40, 100, 5000])
@pytest.mark.parametrize("speed", [0.7, 2.0, 9.0])
def test_a_known_speed_is_found_again(
    speed: float, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Budget] = []
    monkeypatch.setattr(clock, "train", fake_train(speed, asked))
    budget = Budget("adam", 1e-4, steps, 4096)
    found = clock.calibrate(NET, SIGNAL, MODES, budget, encoding="gaussian 3")
    assert found.fitted == pytest.approx(speed, rel=2e-3)  # twelve bisections of a factor of 60
    assert (
        found.speed == found.fitted
    )  # 32 samples: batches of 256 are full ones, as those of 4,096
    assert asked == [found.pilot]
    assert asked[0].lr == budget.lr
    assert asked[0].steps == min(100, steps)
    assert asked[0].batch_size == 256
    assert found.encoding == "gaussian 3"
    assert abs(found.error) < 0.01  # half-way, of a run that one speed describes
    slower = found.measured - found.predicted  # against the default speed
    assert (slower > 0) == (speed > clock.theory_clock(budget, MODES.n_samples).speed)


def test_larger_batches_run_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the ratio of the samples of a step, to the power 0.4; so does the default."""
    large = Signal(randn(20_000).cumsum(0) / 100)
    many = replace(MODES, n_samples=10_000)
    monkeypatch.setattr(clock, "train", fake_train(2.0, [], many))
    for batch in (256, 512, 4096, 10_000, 20_000):
        budget = Budget("adam", 1e-4, 100, batch)
        found = clock.calibrate(NET, large, many, budget, encoding="")
        ratio = min(batch, 10_000) / 256
        assert found.fitted == pytest.approx(2.0, rel=2e-3)
        assert found.speed == pytest.approx(found.fitted * ratio**0.4)
        least = clock.theory_clock(Budget("adam", 1e-4, 100, 256), 10_000).speed
        default = clock.theory_clock(budget, 10_000).speed
        assert default == pytest.approx(least * ratio**0.4)


@pytest.mark.parametrize(("speed", "end"), [(0.01, 0.2), (300.0, 12.0)])
def test_speeds_out_of_range_stop_at_its_ends(
    speed: float, end: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "train", fake_train(speed, []))
    found = clock.calibrate(NET, SIGNAL, MODES, Budget("adam", 1e-5, 60), encoding="")
    assert found.fitted == pytest.approx(end, rel=2e-3)


def test_a_real_run_is_followed_at_the_fitted_speed() -> None:
    """At the speed that its end gave, the prediction holds half-way to within 1.5 dB."""
    budget = Budget("adam", 1e-3, 100)
    found = clock.calibrate(
        mlp(NET[0], 1, width=64, depth=2, generator=seeded()),
        SIGNAL,
        MODES,
        budget,
        encoding="",
        generator=seeded(),
    )
    assert 0.2 < found.fitted < 12
    losses: list[float] = []
    clock.train(
        mlp(NET[0], 1, width=64, depth=2, generator=seeded()),
        SIGNAL,
        found.pilot,
        evaluate_at=(),
        generator=seeded(),
        on_step=lambda _, loss: losses.append(loss),
    )
    run = adam_trajectories([MODES], [50], lr=1e-3, batch_size=256, speed=found.fitted)[0]
    middle = psnr(sum(losses[45:55]) / 10)
    assert abs(psnr(float(MODES.error(run.decay)[0])) - middle) < 1.5


def test_without_a_run_or_with_too_short_a_one_the_speed_is_the_default() -> None:
    assert clock.theory_clock(Budget(batch_size=4096), 10_000).speed == 3.7
    assert clock.theory_clock(Budget(), 10_000).pilot is None
    budget = Budget("adam", 1e-3, 9)
    short = clock.calibrate(NET, SIGNAL, MODES, budget, encoding="")
    assert short.speed == clock.theory_clock(budget, MODES.n_samples).speed
    assert short.pilot is None


def test_a_run_that_blows_up_leaves_the_slowest_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(network, signal, budget, *, evaluate_at, generator, on_step) -> list:
        for step in range(1, budget.steps + 1):
            on_step(step, float("nan"))
        return []

    monkeypatch.setattr(clock, "train", train)
    found = clock.calibrate(NET, SIGNAL, MODES, Budget("adam", 1e-3, 10), encoding="")
    assert found.fitted == pytest.approx(0.2, rel=2e-3)
    assert not torch.isfinite(torch.tensor(found.measured))
