"""Trainings from several seeds: each is that of `ntkit.tasks.train`, and they differ."""

import pytest
import torch

from ntkit.tasks import Budget, Signal, train
from ntkit.tuning import Candidate, NetworkPlan, Seedling, train_seed
from tests.cases import randn

PLAN = NetworkPlan(2, 1, width=16, depth=1, n_frequencies=8, seed=3)
CANDIDATE = Candidate("gaussian", 2.0)
BUDGET = Budget(steps=30)


def task() -> Signal:
    return Signal(0.3 * randn(12, 10))


def seedling(seed: int, heard: list[Seedling] | None = None) -> Seedling:
    told = [] if heard is None else heard
    return train_seed(
        task(), CANDIDATE, budget=BUDGET, plan=PLAN, seed=seed, tell=told.append, looks=3
    )


def test_it_is_an_ordinary_training() -> None:
    heard: list[Seedling] = []
    last = seedling(0, heard)
    network = PLAN.trainable(CANDIDATE)
    draw = torch.Generator().manual_seed(3)
    wanted = train(network, task(), BUDGET, average=True, generator=draw)[-1]
    assert last.evaluation == wanted
    torch.testing.assert_close(last.field, task().shown(network))
    assert [s.step for s in heard] == list(range(1, 31))
    looks = [s.step for i, s in enumerate(heard) if i == 0 or s.field is not heard[i - 1].field]
    assert looks == [1, 10, 20, 30]


def test_seeds_differ_and_repeat() -> None:
    fields = [seedling(s).field for s in (0, 1, 1)]
    assert fields[0] is not None
    assert fields[1] is not None
    assert float((fields[0] - fields[1]).abs().max()) > 1e-3
    torch.testing.assert_close(fields[1], fields[2], rtol=0, atol=0)


def test_whoever_is_told_may_end_it() -> None:
    def told(known: Seedling) -> None:
        if known.step == 5:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        train_seed(task(), CANDIDATE, budget=BUDGET, plan=PLAN, seed=0, tell=told)
