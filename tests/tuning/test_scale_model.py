"""Scale models against ordinary training of the same small networks, one at a time."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from ntkit.networks import mlp
from ntkit.tasks import Budget, Signal, psnr
from ntkit.tasks.trainer import decayed_average
from ntkit.tuning import NetworkPlan, trials
from ntkit.tuning.candidates import Candidate
from ntkit.tuning.pieces import PIECES, Piece, pieces_of
from ntkit.tuning.scale_model import scale_models
from tests.cases import randn

PHOTO = Signal(randn(192, 144, 2).cumsum(0).cumsum(1) / 100)
TRIED = [Candidate("gaussian", 2.0), Candidate("gaussian", 9.0)]
PLAN = NetworkPlan(2, 2, width=96, depth=2, n_frequencies=48, seed=3)


def trained_alone(candidate: Candidate, piece: Piece, budget: Budget, seed: int) -> list[float]:
    """Errors of one model, in full batches of the 32 x 24 samples of a piece."""
    draw = torch.Generator().manual_seed(seed)
    encoding = candidate.build(2, 8, draw)
    network = mlp(encoding, 2, width=16, depth=2, generator=draw)
    points, values = PHOTO.points().float(), PHOTO.values.reshape(-1, 2).float()
    adam = torch.optim.Adam(network.parameters(), lr=6**0.5 * budget.lr)
    means = [p.detach().clone() for p in network.parameters()]
    for step in range(budget.steps):
        adam.zero_grad()
        nn.functional.mse_loss(network(points[piece.seen]), values[piece.seen]).backward()
        adam.step()
        for i, p in enumerate(network.parameters()):
            means[i] = decayed_average(means[i], p.detach(), step) if step else p.detach().clone()

    def errors() -> list[float]:
        with torch.no_grad():
            return [
                float((network(points[kind]) - values[kind]).square().mean())
                for kind in (piece.seen, piece.held_out)
            ]

    own = errors()
    nn.utils.vector_to_parameters(torch.cat([m.flatten() for m in means]), network.parameters())
    return min(own, errors())


def test_models_are_trained_as_each_would_be_alone() -> None:
    budget = Budget("adam", 3e-3, 25, 8192)
    parts = pieces_of(PHOTO, 36)
    models = scale_models(PHOTO, budget, TRIED, plan=PLAN)
    for model, candidate in zip(models, TRIED, strict=True):
        errors = torch.tensor([
            trained_alone(candidate, part, budget, 3 + i) for i, part in enumerate(parts)
        ])
        assert (model.train, model.held_out) == pytest.approx(
            [psnr(float(e)) for e in errors.mean(0)], abs=2e-3
        )


@pytest.mark.parametrize("shape", [(192, 144), (190, 107), (3000,), (48, 60, 52)])
def test_pieces_hold_1_in_36_samples_and_keep_what_is_held_out(shape) -> None:
    """Corners on training samples, and so the training samples of a piece are those of the whole."""
    signal = Signal(randn(*shape), n_axes=len(shape))
    pieces = pieces_of(signal, 36)
    assert len(pieces) == PIECES
    seen, held_out = signal.measurement.seen.flatten(), signal.held_out.flatten()
    for piece in pieces:
        share = len(piece.seen) / len(signal.measurement.index)
        assert share == pytest.approx(1 / 36, rel=0.35)
        assert bool(seen[piece.seen].all())
        assert bool(held_out[piece.held_out].all())
        assert len(piece.seen) * (2 ** len(shape) - 1) == len(piece.held_out)


def test_pieces_are_of_all_degrees_of_roughness() -> None:
    """Noise in the lower half: as many pieces of each."""
    values = torch.linspace(0, 1, 96).expand(96, 96).clone()
    values[48:] += randn(48, 96).float()
    rough = [int(p.seen[0]) >= 48 * 96 for p in pieces_of(Signal(values), 36)]
    assert rough == 4 * [False] + 4 * [True]


@pytest.mark.parametrize("batch_size", [2304, 8192])  # 64 of the 192 samples of a piece; all
def test_features_are_kept_or_made_anew_for_each_batch(
    batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = Budget("adam", 3e-3, 20, batch_size)
    kept = scale_models(PHOTO, budget, TRIED, plan=PLAN)
    monkeypatch.setattr(trials, "_ENCODED", 0)
    anew = scale_models(PHOTO, budget, TRIED, plan=PLAN)
    for a, b in zip(kept, anew, strict=True):
        assert (a.train, a.held_out) == pytest.approx((b.train, b.held_out), abs=2e-3)


def test_what_a_model_would_say_nothing_of_is_not_modelled() -> None:
    budget = Budget("adam", 1e-3, 10, 4096)
    assert scale_models(Signal(randn(96, 80)), budget, TRIED, plan=PLAN) == ()
    assert scale_models(PHOTO, budget, TRIED, plan=replace(PLAN, width=47)) == ()
    assert scale_models(PHOTO, Budget("adam", 1e-3, 5001, 4096), TRIED, plan=PLAN) == ()
