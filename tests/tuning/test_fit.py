"""One call from a task to a trained network: what a training by hand gives, and what is refused."""

import sys
from math import isnan

import pytest
import torch
from torch import nn

import ntkit
from ntkit import encodings, networks, tasks
from tests.cases import seeded

ROWS, COLUMNS = torch.meshgrid(torch.arange(16.0) / 16, torch.arange(12.0) / 12, indexing="ij")
PICTURE = tasks.Image((0.5 + 0.4 * torch.sin(9 * ROWS * COLUMNS)).double())
SMALL = {"steps": 30, "width": 16, "depth": 2, "n_frequencies": 16, "batch_size": 64}


def gaussian() -> encodings.Gaussian:
    return encodings.Gaussian(2, 16, 2.0, seeded())


def same(one: nn.Module, two: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_it_is_the_training_by_hand() -> None:
    found = ntkit.fit(PICTURE, encoding=gaussian(), **SMALL)
    seed = torch.Generator().manual_seed(0)
    network = networks.mlp(gaussian(), 1, width=16, depth=2, generator=seed)
    whole = PICTURE.keep_out(0.0)
    budget = tasks.Budget("adam", 1e-3, 30, 64)
    batches = torch.Generator().manual_seed(0)
    errors = tasks.train(network, whole, budget, average=True, generator=batches)
    assert same(found.network, network)
    assert found.evaluations[-1].train == errors[-1].train
    assert len(found.task.measurement.index) == 16 * 12
    assert isnan(found.held_out_quality)


def test_samples_that_are_held_out_judge_it() -> None:
    found = ntkit.fit(PICTURE, encoding=gaussian(), hold_out=0.25, **SMALL)
    points, values = found.task.judged()
    assert len(points) == 48
    with torch.no_grad():
        missed = (found.network(points.float()) - values).double().square().mean()
    assert found.held_out_quality == pytest.approx(float(-10 * missed.log10()), abs=1e-4)
    own = ntkit.fit(PICTURE, encoding=gaussian(), hold_out=None, **SMALL)
    assert torch.equal(own.task.held_out, PICTURE.held_out)


def test_the_kernel_chooses_where_no_encoding_is_given() -> None:
    before = torch.random.get_rng_state()
    found = ntkit.fit(PICTURE, **SMALL)
    asked = ntkit.tune(PICTURE.keep_out(0.0), generator=torch.Generator().manual_seed(0), **SMALL)
    assert found.choice is not None
    assert found.choice.choice == asked.choice
    assert torch.equal(torch.random.get_rng_state(), before)


def test_where_a_step_says_so_it_ends_and_is_judged() -> None:
    losses: list[float] = []

    def enough(step: int, loss: float) -> bool:
        losses.append(loss)
        return step == 7

    found = ntkit.fit(PICTURE, encoding=gaussian(), on_step=enough, **SMALL)
    assert len(losses) == 7
    assert [e.step for e in found.evaluations] == [7]
    shorter = ntkit.fit(PICTURE, encoding=gaussian(), **{**SMALL, "steps": 7})
    assert same(found.network, shorter.network)


def test_a_module_of_ones_own_is_trained_in_place() -> None:
    own = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    start = [p.detach().clone() for p in own.parameters()]
    found = ntkit.fit(PICTURE, network=own, **SMALL)
    assert found.network is own
    assert any(not torch.equal(a, b) for a, b in zip(start, own.parameters(), strict=True))
    made = ntkit.fit(
        PICTURE, encoding=gaussian(), network=lambda e: nn.Sequential(e, nn.Linear(32, 1)), **SMALL
    )
    assert isinstance(made.network[0], encodings.Gaussian)


def test_a_sigmoid_keeps_values_between_0_and_1() -> None:
    """Of black and white, which a network overshoots."""
    chess = tasks.Image(((ROWS * 4).floor() + (COLUMNS * 4).floor()) % 2)
    ends = []
    for sigmoid in (True, False):
        options = {**SMALL, "steps": 300, "lr": 1e-2, "sigmoid": sigmoid}
        found = ntkit.fit(chess, encoding=gaussian(), **options).render(size=(64, 48))
        ends.append((found.values.min(), found.values.max()))
    assert ends[0][0] >= 0
    assert ends[0][1] <= 1
    assert ends[1][0] < 0
    assert ends[1][1] > 1


@pytest.mark.parametrize("call", [ntkit.tune, ntkit.fit])
def test_a_sigmoid_is_not_of_fields_that_it_cannot_reach(call) -> None:
    sound = tasks.Audio(torch.sin(torch.arange(400.0)))
    with pytest.raises(ValueError, match="those of this audio reach from -1 to"):
        call(sound, sigmoid=True, **SMALL)


def test_its_own_size_is_the_network_at_the_samples() -> None:
    found = ntkit.fit(PICTURE, encoding=gaussian(), **SMALL)
    with torch.no_grad():
        expected = found.network(PICTURE.points().float()).reshape(16, 12, 1)
    assert torch.equal(torch.from_numpy(found.render().values).float(), expected)


def test_a_time_becomes_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def within(seconds: float, *_: object) -> int:
        asked.append(seconds)
        return 5

    monkeypatch.setattr(sys.modules["ntkit.tuning.fit"], "steps_within", within)
    found = ntkit.fit(PICTURE, encoding=gaussian(), seconds=2.5, **SMALL)
    assert asked == [2.5]
    assert found.budget.steps == found.evaluations[-1].step == 5


def test_what_is_chosen_in_a_time_is_chosen_for_its_steps_and_takes_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = iter((7, 4))
    monkeypatch.setattr(sys.modules["ntkit.tuning.fit"], "steps_within", lambda *_: next(counts))
    found = ntkit.fit(PICTURE, seconds=2.5, **SMALL)
    assert found.choice is not None
    assert found.choice.budget.steps == 7
    assert found.budget.steps == 4


@pytest.mark.parametrize("falling", [0.0, 0.5])
def test_a_rate_falls_as_asked(falling: float) -> None:
    found = ntkit.fit(PICTURE, encoding=gaussian(), falling=falling, **SMALL)
    assert found.budget.falling == falling


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"network": nn.Linear(2, 1), "encoding": gaussian()}, "which is meant"),
        ({"network": nn.Linear(2, 1), "sigmoid": True}, "Put an `nn.Sigmoid"),
        ({"encoding": gaussian(), "seconds": 0.0}, "`seconds=0.0` must be"),
        ({"encoding": gaussian(), "width": 0}, "`width=0` must be at least 1"),
        ({"encoding": gaussian(), "hold_out": 2.0}, "`hold_out=2.0` must be a share"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_refusals(options: dict, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        ntkit.fit(PICTURE, **{**SMALL, **options})
