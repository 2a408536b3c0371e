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


def test_larger_batches_run_faster_by_a_power_of_their_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a short run as without one, up to all samples: more of them than there are make no larger batch."""
    large = Signal(randn(20_000).cumsum(0) / 100)
    many = replace(MODES, n_samples=10_000)
    monkeypatch.setattr(clock, "train", fake_train(2.0, [], many))
    batches = (256, 512, 1024, 4096, 10_000, 20_000)
    budgets = [Budget("adam", 1e-4, 100, batch) for batch in batches]
    measured = [clock.calibrate(NET, large, many, b, encoding="") for b in budgets]
    assert [c.fitted for c in measured] == pytest.approx([2.0] * 6, rel=2e-3)
    assert measured[0].speed == measured[0].fitted  # the short run's own batches
    for clocks in (measured, [clock.theory_clock(b, 10_000) for b in budgets]):
        least, twice, fourfold, sixteenfold, whole, more = (c.speed for c in clocks)
        assert least < twice < fourfold < sixteenfold < whole == more
        assert fourfold * least == pytest.approx(twice**2)
        assert sixteenfold * least == pytest.approx(fourfold**2)
    ratios = [
        m.speed / clock.theory_clock(b, 10_000).speed
        for m, b in zip(measured, budgets, strict=True)
    ]
    assert ratios == pytest.approx([ratios[0]] * 6)


def test_speeds_out_of_range_stop_at_its_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for speed in (1e-3, 1e-2, 0.5, 8.0, 100.0, 300.0):
        monkeypatch.setattr(clock, "train", fake_train(speed, []))
        made = clock.calibrate(NET, SIGNAL, MODES, Budget("adam", 1e-5, 60), encoding="")
        found.append(made.fitted)
    slowest, slow, *inner, fast, fastest = found
    assert inner == pytest.approx([0.5, 8.0], rel=2e-3)
    assert slowest == pytest.approx(slow)
    assert slow < 0.5
    assert fastest == pytest.approx(fast)
    assert fast > 8.0


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
    monkeypatch.setattr(clock, "train", fake_train(1e-3, []))
    slowest = clock.calibrate(NET, SIGNAL, MODES, Budget("adam", 1e-3, 10), encoding="")
    assert found.fitted == pytest.approx(slowest.fitted)
    assert not torch.isfinite(torch.tensor(found.measured))
