"""Trials of any network: factor one is the training itself, whatever stands beside it; noise and preferences by hand."""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from math import inf, isnan, sqrt

import pytest
import torch
from torch import Tensor

from ntkit.networks.families import FAMILIES
from ntkit.tasks import PSNR, Budget, Evaluation, RadianceField, Signal, Trainer
from ntkit.tuning import Candidate, NetworkPlan
from ntkit.tuning.comparison import lead_of, preferred
from ntkit.tuning.parts import parts_of, quantiles
from ntkit.tuning.pieces import Piece
from ntkit.tuning.trials import trials
from tests.cases import TASKS, randn, seeded

PLAN = NetworkPlan(2, 2, width=16, depth=2, n_frequencies=12, seed=4)
SMOOTH = Signal(randn(20, 24, 2).cumsum(0).cumsum(1) / 40)
BUDGET = Budget("adam", 2e-3, 12, 40)


def candidates(family: str) -> list[Candidate]:
    name = "gaussian" if family == "mlp" else family
    usual = FAMILIES[family].usual_bandwidth(2)
    return [Candidate(name, b) for b in (usual / 4, usual)]


class OneByOne(Signal):
    """A signal whose networks are not asked all at once."""

    takes_points = False


def trained(candidate: Candidate, budget: Budget, at: Sequence[int]) -> list[Evaluation]:
    trainer = Trainer(
        PLAN.trainable(candidate), SMOOTH, budget, average=True, generator=seeded(PLAN.seed)
    )
    trainer.run(evaluate_at=at)
    return trainer.evaluations


@pytest.mark.parametrize("family", FAMILIES)
def test_a_trial_of_the_whole_at_full_width_is_the_training(family: str) -> None:
    """Two bandwidths side by side, each as the trainer trains it alone, in batches of the same rows.

    On the way, and for other lengths, over the end of which the rate of networks of sines falls.
    """
    parts = parts_of(SMOOTH, 1, (0,))
    assert parts is not None
    tried = candidates(family)
    more = {"moments": (5,), "lengths": (9, 15)}
    found = trials(SMOOTH, parts, BUDGET, tried, plan=PLAN, scale=1, **more)
    for trial, candidate in zip(found, tried, strict=True):
        own = PLAN.budget_of(candidate, BUDGET)
        evaluations = [
            *trained(candidate, own, (5, 12)),
            *trained(candidate, own.with_steps(9), (9,)),
            *trained(candidate, own.with_steps(15), (15,)),
        ]
        for e in evaluations:
            metric = SMOOTH.metric
            errors = [metric.error(k[e.step].sum(0)) for k in (trial.train, trial.held_out)]
            assert errors == pytest.approx([e.train, e.held_out], rel=2e-3)


@pytest.mark.parametrize("family", ["siren", "hash"])
def test_networks_side_by_side_and_one_by_one_are_trained_alike(family: str) -> None:
    task = Signal(randn(72, 72).cumsum(0).cumsum(1) / 40)
    apart = OneByOne(task.values[..., 0])
    plan = replace(PLAN, n_outputs=1, width=48)
    parts = parts_of(task, 9, (1, 6))
    assert parts is not None
    tried = candidates(family)
    both = [trials(t, parts, BUDGET, tried, plan=plan, scale=3) for t in (task, apart)]
    for a, b in zip(*both, strict=True):
        torch.testing.assert_close(a.train[12], b.train[12], rtol=2e-3, atol=1e-5)
        torch.testing.assert_close(a.held_out[12], b.held_out[12], rtol=2e-3, atol=1e-5)


def test_one_seed_one_answer() -> None:
    parts = parts_of(SMOOTH, 1, (0,))
    assert parts is not None
    tried = candidates("finer")
    runs = [
        trials(SMOOTH, parts, BUDGET, tried, plan=replace(PLAN, seed=s), scale=1)[0].train[12]
        for s in (4, 4, 5)
    ]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_pieces_are_where_they_are_or_cubes_of_their_own() -> None:
    """From 0 to below 1, their samples as far apart on the signal as those of the whole."""
    task = Signal(randn(96, 96))
    parts = parts_of(task, 36, 4)
    assert parts is not None
    points = {tuple(p) for p in task.training()[0].float().tolist()}
    assert all(tuple(p) in points for p in parts.seen[0].flatten(0, 1).tolist())
    cubes = parts.as_cubes()
    rows = torch.cat([cubes.seen[0], cubes.judged[0]], 1)
    assert float(rows.min()) == 0.0
    assert 0.8 < float(rows.max()) < 1.0
    gap = rows[0, :, 0].unique().diff().min()
    assert float(gap) == pytest.approx(parts.crop / 96, rel=1e-3)
    assert torch.equal(cubes.as_cubes().corners, torch.zeros(4, 1, 2))


def test_most_parts_are_where_most_is_to_be_learned() -> None:
    def pieces(*roughness: float) -> list[Piece]:
        return [Piece(torch.tensor([0]), torch.tensor([0]), r) for r in roughness]

    assert quantiles(pieces(*[1.0] * 8), 8) == tuple(range(8))
    assert quantiles(pieces(*[1.0] * 8), 4) == (0, 2, 4, 6)
    assert quantiles(pieces(0, 0, 0, 0, 0, 0, 1e-3, 1), 3) == (5, 6, 7)
    assert quantiles(pieces(0, 0, 0, 0, 1, 1, 1, 1), 2) == (4, 6)


def test_parts_of_a_scene_are_rays_of_the_whole() -> None:
    task = TASKS[RadianceField]()
    for own in (task, task.keep_out(0.0)):
        parts = parts_of(own, 4, (0, 1))
        assert parts is not None
        assert parts.crop == 1.0
        assert parts.share == pytest.approx(0.25 if own.judges else 0.225, rel=0.05)
        rows = {tuple(r) for r in own.training()[0].float().tolist()}
        assert all(tuple(r) in rows for r in parts.seen[0][0].tolist())
        assert not torch.equal(parts.seen[0][0], parts.seen[0][1])


def test_what_is_too_small_has_no_parts() -> None:
    assert parts_of(Signal(randn(16, 16)), 36, (0,)) is None
    assert parts_of(Signal(randn(8, 8)), 1, (0,)) is None


def sums(*errors: float, n: int = 50) -> Tensor:
    """Of PSNR: parts of `n` values each, of these mean square errors."""
    return torch.tensor([[e * n, n] for e in errors], dtype=torch.float64)


def test_a_lead_is_of_all_parts_together_and_its_noise_the_jackknifes() -> None:
    ours, theirs = [0.01, 0.02, 0.09], [0.02, 0.03, 0.05]
    lead = lead_of(sums(*ours), sums(*theirs), PSNR())

    def gain(kept: list[int]) -> float:
        a, b = (sum(of[i] for i in kept) for of in (ours, theirs))
        return 10 * torch.log10(torch.tensor(b / a, dtype=torch.float64)).item()

    without = [gain([j for j in range(3) if j != i]) for i in range(3)]
    mean = sum(without) / 3
    assert lead.gain == pytest.approx(gain([0, 1, 2]))
    assert lead.noise == pytest.approx(sqrt(2 / 3 * sum((d - mean) ** 2 for d in without)))
    assert not lead.is_sure


def test_the_usual_is_kept_inside_of_the_noise() -> None:
    usual, better, mixed = sums(0.02, 0.03, 0.04), sums(0.01, 0.014, 0.02), sums(0.06, 0.01, 0.01)
    metric = PSNR()
    assert preferred({"usual": usual, "better": better}, "usual", metric) == "better"
    assert preferred({"usual": usual, "mixed": mixed}, "usual", metric) == "usual"
    assert preferred({"usual": usual, "same": usual}, "usual", metric) == "usual"
    one = {"usual": usual[:1], "better": better[:1]}  # one part alone shows no noise
    assert preferred(one, "usual", metric) == "usual"


def test_what_diverged_is_worse_for_sure() -> None:
    fine, gone = sums(0.02, 0.03), sums(0.01, float("nan"))
    metric = PSNR()
    assert lead_of(fine, gone, metric).gain == inf
    assert lead_of(gone, fine, metric).gain == -inf
    assert lead_of(gone, gone, metric).gain == 0.0
    assert not isnan(lead_of(gone, fine, metric).noise)
    assert preferred({"usual": gone, "fine": fine}, "usual", metric) == "fine"
    assert preferred({"usual": copy(gone), "gone": gone}, "usual", metric) == "usual"
