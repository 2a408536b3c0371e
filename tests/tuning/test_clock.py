"""Adam's clock: a known speed is found again, from losses that a known speed made."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from ntkit import encodings
from ntkit.dynamics.adam import adam_trajectories
from ntkit.networks import mlp
from ntkit.tasks import Budget, Signal, psnr
from ntkit.tuning import clock
from ntkit.tuning.problems import PeriodicProblem
from tests.cases import randn, seeded

SIGNAL = Signal(randn(64).cumsum(0) / 10)
NET = mlp(
    encodings.Gaussian(1, 16, 3.0, seeded(), integer=True), 1, width=64, depth=2,
    generator=seeded(),
)  # fmt: skip
MODES = PeriodicProblem(NET, SIGNAL.values).modes


def fake_train(speed: float, asked: list[Budget]) -> Callable[..., list]:
    """Training whose batch losses are those of Adam's flow; constant over each tenth of the run."""

    def train(network, signal, budget, *, checkpoints, generator, on_step) -> list:
        asked.append(budget)
        tenth = max(1, budget.steps // 10)
        for step in range(1, budget.steps + 1):
            end = min(-(-step // tenth) * tenth, budget.steps)
            run = adam_trajectories(
                [MODES], [end], lr=budget.lr, batch_size=budget.batch_size, speed=speed
            )[0]
            on_step(step, float(MODES.error(run.decay)[0]))
        return []

    return train


@pytest.mark.parametrize("steps", [1, 40, 100, 5000])
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
    assert abs(found.error) < 0.1  # half-way, of a run that one speed describes
    slower = found.measured - found.predicted  # against the default speed
    assert (slower > 0) == (speed > clock.DEFAULT_SPEED)


def test_larger_batches_run_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the ratio of the samples of a step, to the power 0.3."""
    large = Signal(randn(20_000).cumsum(0) / 100)
    many = replace(MODES, n_samples=10_000)
    monkeypatch.setattr(clock, "train", fake_train(2.0, []))
    speeds = [
        clock.calibrate(NET, large, many, Budget("adam", 1e-4, 100, batch), encoding="").speed
        for batch in (256, 512, 4096, 10_000, 20_000)
    ]
    expected = [speeds[0] * (batch / 256) ** 0.3 for batch in (256, 512, 4096, 10_000, 10_000)]
    assert speeds == pytest.approx(expected)


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
        checkpoints=(),
        generator=seeded(),
        on_step=lambda _, loss: losses.append(loss),
    )
    run = adam_trajectories([MODES], [50], lr=1e-3, batch_size=256, speed=found.fitted)[0]
    middle = psnr(sum(losses[45:55]) / 10)
    assert abs(psnr(float(MODES.error(run.decay)[0])) - middle) < 1.5


def test_without_a_run_the_speed_is_the_default() -> None:
    assert clock.theory_clock().speed == clock.DEFAULT_SPEED
    assert clock.theory_clock().pilot is None


def test_a_run_that_blows_up_leaves_the_slowest_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(network, signal, budget, *, checkpoints, generator, on_step) -> list:
        for step in range(1, budget.steps + 1):
            on_step(step, float("nan"))
        return []

    monkeypatch.setattr(clock, "train", train)
    found = clock.calibrate(NET, SIGNAL, MODES, Budget("adam", 1e-3, 10), encoding="")
    assert found.fitted == pytest.approx(0.2, rel=2e-3)
    assert not torch.isfinite(torch.tensor(found.measured))
