"""The strength of total variation: its folds, its path, and what each says of what was held out."""

import math
from dataclasses import replace
from math import pi

import pytest
import torch

from ntkit import Grid
from ntkit.kernels import Matern
from ntkit.measurements import Radon, Samples
from ntkit.reconstruction.choice import Path, folds_of, try_variations
from ntkit.reconstruction.primal_dual import PrimalDual, Terms
from ntkit.reconstruction.result import Trial
from ntkit.reconstruction.system import System
from ntkit.reconstruction.torus import torus_prior
from tests.cases import randn, seeded


def test_folds_are_groups_in_turn() -> None:
    group = torch.tensor([0, 0, 1, 2, 3, 3, 4])
    assert folds_of(group).tolist() == [0, 0, 1, 2, 0, 0, 1]
    assert folds_of(group, 5).tolist() == group.tolist()
    with pytest.raises(ValueError, match="The data have 5 groups, and 6 folds"):
        folds_of(group, 6)


@pytest.fixture(scope="module")
def tried():
    """A step, every point measured, single points held out."""
    n = 10
    A, prior = Samples.everywhere((n, n)), torus_prior(Matern(0.5, 0.2), Grid((n, n)))
    group = torch.randperm(n * n, generator=seeded()) % 30
    system = System(A, None, group)
    step = torch.zeros(1, 1, n, n).double()
    step[..., 5:] = 1
    y = system.forward(step)[0] + 0.1 * randn(1, n * n)
    one = torch.ones(1).double()
    terms = Terms(torch.ones(1, 1, n * n).double(), 0.02 * one, 0 * one, prior.spectrum, 0.5, None)
    method = PrimalDual(system, y, scale=0.5, ridge=0.02)
    lines: list[str] = []
    path = try_variations(
        method, system, y, terms, share=0.3, unit=0.01, noise=0.1, say=lines.append
    )
    return system, y, terms, method, path, lines


def test_strengths_fall_by_the_same_factor_to_none(tried) -> None:
    """But one, between the best of them and a neighbour: where the parabola through the three scores is least."""
    *_, path, lines = tried
    for share in (0.3, 0.0):  # neither kernel nor total variation is no candidate
        own = [t for t in path.trials if t.share == share and t.total_variation > 0]
        places = [math.log(t.total_variation / own[0].total_variation, 1.8) for t in own]
        (odd,) = (k for k, x in enumerate(places) if abs(x - round(x)) > 1e-6)
        place, between = places.pop(odd), own.pop(odd)
        assert places == pytest.approx([-k for k in range(len(places))])
        best = min(range(len(own)), key=lambda k: own[k].score)
        larger, least, smaller = (own[k].score for k in (best - 1, best, best + 1))
        bend = larger - 2 * least + smaller
        assert place + best == pytest.approx((smaller - larger) / (2 * bend), abs=1e-6)
        assert between.score < least + 1e-3
    assert [t.share for t in path.trials if t.total_variation == 0] == [0.3]
    assert len(lines) == len(path.trials)


def test_with_the_kernel_the_path_begins_near_the_best_without(tried) -> None:
    *_, path, _ = tried
    first = next(t.total_variation for t in path.trials if t.share > 0)
    ratio = first / path.best(0.0).total_variation
    assert ratio == pytest.approx(1.8 ** round(math.log(ratio, 1.8)))
    assert ratio > 1.8


def test_the_best_is_neither_the_first_nor_none(tried) -> None:
    """Of a step with noise; it is the one of the smallest score, and a share has its own."""
    *_, path, _ = tried
    best = path.chosen()
    strengths = sorted({t.total_variation for t in path.trials})
    assert strengths[0] < best.total_variation < strengths[-1]
    assert best.score <= min(t.score for t in path.trials) + 0.005
    for share in (0.3, 0.0):
        own = [t for t in path.trials if t.share == share]
        assert path.best(share).score <= min(t.score for t in own) + 0.002


@pytest.mark.parametrize("above", [0, 2], ids=["best", "stronger"])
def test_trials_are_of_what_was_held_out(tried, above: int) -> None:
    """Each fold solved alone, from the beginning, with the strength that its two thirds of the data's noise ask for; errors over
    groups by plain loops."""
    system, y, terms, method, path, _ = tried
    beside = [t for t in path.trials if t.share == 0.3]
    trial, folds = beside[beside.index(path.best(0.3)) - above], folds_of(system.group)
    strength = trial.total_variation * (2 / 3) ** 0.5
    errors = torch.zeros(system.n_data).double()
    for k in range(3):
        keep = (folds != k).double()[None, None]
        own = replace(
            terms, keep=keep, weight=0.3 * terms.weight, variation=torch.tensor([strength])
        )
        state = method.solve(own, tolerance=3e-5, iterations=400)
        left = system.forward(method.field(state, own))[0, 0] - y[0]
        errors[folds == k] = left[folds == k] ** 2
    assert trial.held_out == pytest.approx(
        float((errors.mean() / y.square().mean()).sqrt()), rel=0.02
    )
    assert trial.score == pytest.approx(float(torch.log1p(errors / 0.01).mean()), rel=0.02)
    means = torch.stack([errors[system.group == g].mean() for g in range(30)]) / y.square().mean()
    spread = float(means.std()) / 30**0.5 / (2 * trial.held_out)
    assert trial.deviation == pytest.approx(spread, rel=0.1)


def test_a_smaller_share_of_the_kernel_must_gain_something() -> None:
    """Scores within 0.005 are alike: then the share that is closest to marginal likelihood is taken."""

    def chosen(*scores: float) -> float:
        shares = (0.3, 0.1, 0.0)
        trials = [Trial(s, 1.0, 1.0, 0.0, v) for s, v in zip(shares, scores, strict=True)]
        return Path(tuple(trials)).chosen().share

    assert chosen(1.0, 0.999, 0.998) == 0.3
    assert chosen(1.0, 0.99, 0.988) == 0.1
    assert chosen(1.0, 0.99, 0.9) == 0.0


def test_of_strengths_alike_the_largest_is_taken() -> None:
    trials = [Trial(0.0, b, 1.0, 0.0, s) for b, s in ((4.0, 1.0), (2.0, 0.9), (1.0, 0.899))]
    assert Path(tuple(trials)).best(0.0).total_variation == 2.0


def test_next_to_no_variation_is_judged_as_none_is() -> None:
    """On line integrals, too, of which no start is the end."""
    A = Radon.parallel((32, 32), torch.arange(15) * pi / 15)
    system = System(A, None, torch.arange(15).repeat_interleave(A.data_shape[1]))
    prior = torus_prior(Matern(0.5, 0.1), Grid((32, 32)))
    y = system.forward(0.5 + 0.2 * prior.sample(1, seeded())[None])[0]
    y = y + 0.01 * y.std() * randn(*y.shape)
    one = torch.ones(1).double()
    every = torch.ones(1, 1, system.n_data).double()
    terms = Terms(every, 1e-4 * one, 0 * one, prior.spectrum, 0.5, (0.0, None))
    method = PrimalDual(system, y, scale=0.2, ridge=1e-4)
    path = try_variations(
        method, system, y, terms, share=0.1, unit=2e-5, noise=0.002, say=lambda _: None
    )
    none, least = [t for t in path.trials if t.share > 0][:-3:-1]
    assert none.total_variation == 0
    assert none.score == pytest.approx(least.score, abs=0.02)
