"""A network trained for real and looked at on the way: the training of `ntkit.tasks.train`."""

from itertools import islice

import pytest
import torch

from ntkit.tasks import Budget, Image, Points, psnr, train
from ntkit.tuning import Candidate, NetworkPlan, trained
from tests.cases import randn, smooth_picture


@pytest.mark.parametrize("name", ["gaussian", "siren"])
def test_it_is_the_training_of_the_network(name: str) -> None:
    task = Image(smooth_picture(16, 16))
    plan = NetworkPlan(2, 3, width=16, depth=2, n_frequencies=8)
    budget, candidate = Budget(steps=12, batch_size=32), Candidate(name, 2.0)
    acts = [*trained(task, candidate, budget=budget, plan=plan, looks=3)]
    assert [act.step for act in acts] == [*range(1, 13)]
    fields = [act.field for act in acts]
    assert [i for i, field in enumerate(fields, 1) if i > 1 and field is not fields[i - 2]] == [
        4,
        8,
        12,
    ]
    network = plan.trainable(candidate)
    train(
        network, task, plan.budget_of(candidate, budget), average=True,
        generator=torch.Generator().manual_seed(plan.seed),
    )  # fmt: skip
    with torch.no_grad():
        own = network(task.points().float()).double().reshape(16, 16, 3)
    last = acts[-1].field
    assert last is not None
    torch.testing.assert_close(last, own, rtol=1e-5, atol=1e-6)
    fitted, between = task.errors(last)
    assert (acts[-1].train, acts[-1].held_out) == (psnr(fitted), psnr(between))


def test_seeds_differ_and_repeat() -> None:
    task, plan = Image(smooth_picture(16, 16)), NetworkPlan(2, 3, width=8, depth=1, n_frequencies=4)
    asked = {"budget": Budget(steps=20), "plan": plan}
    ends = [[*trained(task, Candidate("gaussian", 2.0), **asked, seed=s)][-1] for s in (0, 1, 1)]
    fields = [end.field for end in ends]
    assert [end.seed for end in ends] == [0, 1, 1]
    assert fields[0] is not None
    assert fields[1] is not None
    assert float((fields[0] - fields[1]).abs().max()) > 1e-3
    torch.testing.assert_close(fields[1], fields[2], rtol=0, atol=0)
    torch.testing.assert_close(task.shown(ends[1].network), fields[1])


def test_whoever_leaves_takes_no_more_steps() -> None:
    task, plan = Image(smooth_picture(16, 16)), NetworkPlan(2, 3, width=8, depth=1, n_frequencies=4)
    run = trained(task, Candidate("basic"), budget=Budget(steps=10**6), plan=plan)
    assert [act.step for act in islice(run, 3)] == [1, 2, 3]


def test_scattered_samples_have_no_picture() -> None:
    points = Points(randn(64, 2), randn(64))
    with pytest.raises(ValueError, match="on none"):
        next(trained(points, Candidate("basic"), budget=Budget(steps=2), plan=NetworkPlan(2, 1)))
