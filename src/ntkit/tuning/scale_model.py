"""Scale models of a training: all that is counted is smaller by one factor, and the steps are the same.

A network that is a sixth as wide, with a sixth of the frequencies, has 1/36 of the parameters. Trained on a
piece of the signal that holds 1/36 of the samples, in batches of 1/36, it is as crowded as the whole, and sees
each sample as often. Samples lie as densely, so that a bandwidth means the same. What such a model reaches
after the steps of the budget shows what the tangent kernel at the start cannot: how the features that the
network learns favour one bandwidth over another. It says little of decibels, which are the piece's; of two
bandwidths, mostly, which is better.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from statistics import fmean

import torch
from torch import Tensor, nn

from ntkit.encodings import AbstractEncoding
from ntkit.tasks.budget import Budget
from ntkit.tasks.metrics import psnr
from ntkit.tasks.samples import AbstractSamples
from ntkit.tasks.trainer import average_share
from ntkit.tuning.candidates import Candidate
from ntkit.tuning.pieces import PIECES, Piece, pieces_of
from ntkit.tuning.plan import NetworkPlan

__all__ = ["EVERY", "FIRST_HALF", "SECOND_HALF", "ScaleModel", "joined", "scale_models"]

SCALE = 6
"""Width and frequencies are smaller by this; parameters, samples and batches by its square."""

EVERY, FIRST_HALF, SECOND_HALF = range(PIECES), range(0, PIECES, 2), range(1, PIECES, 2)
"""Pieces of all degrees of roughness, by their place in the ranking."""

_LONGEST = 5000  # steps: models of longer budgets would take minutes
_FEWEST_SAMPLES = 64  # of a piece
_NARROWEST = 8  # units of a model
_ENCODED = 2**25  # features kept for all models; beyond it they are made anew for each batch
_JUDGED = 2048  # samples of a piece and kind at the end


@dataclass(frozen=True)
class ScaleModel:
    """What the scale models of one candidate reached, over the pieces of the signal.

    Attributes:
        candidate: Encoding and bandwidth.
        train: PSNR on the training samples of the pieces, dB.
        held_out: PSNR on their held-out samples, dB.
    """

    candidate: Candidate
    train: float
    held_out: float


def scale_models(
    task: AbstractSamples,
    budget: Budget,
    tried: Sequence[Candidate],
    *,
    plan: NetworkPlan,
    pieces: Sequence[int] = EVERY,
) -> tuple[ScaleModel, ...]:
    """Train models of all candidates at once, for the steps of the budget.

    A step of Adam at one rate moves the output of a network in proportion to its width where all weights
    pull together, and less where they do not. The models take the learning rate times the root of the
    scale, half way between; which of the two matters little for their ranking.

    Args:
        task: What is fitted; models see pieces of it, eight evenly through the ranking by roughness.
        budget: What is asked about, with Adam.
        tried: Fourier encodings.
        plan: The network that is asked about. Models have its seed, for the other pieces the next ones, so that
            the draw of a few frequencies counts less; the same for all candidates, which then differ in
            bandwidth alone.
        pieces: Which of the eight pieces.

    Returns:
        One a candidate; nothing where a model would say nothing (a piece of fewer than 64 training
        samples, fewer than 8 units) or the budget is longer than 5,000 steps.

    Cost: for a candidate and piece `SCALE^-4` (1/1,296) of the multiplications of its training in full.
    """
    parts = pieces_of(task, SCALE**2)
    parts = [parts[i] for i in pieces] if parts else []
    n_piece = min((len(p.seen) for p in parts), default=0)
    if n_piece < _FEWEST_SAMPLES or plan.width < _NARROWEST * SCALE or budget.steps > _LONGEST:
        return ()
    encodings: list[AbstractEncoding] = []
    networks: list[nn.Module] = []  # one a piece: candidates differ in their encodings alone
    smaller = replace(
        plan, width=plan.width // SCALE, n_frequencies=max(1, plan.n_frequencies // SCALE)
    )
    for piece in pieces:
        own = replace(smaller, seed=plan.seed + piece)
        built = [own.build(c) for c in tried]
        encodings += [encoding for _, encoding in built]
        networks.append(built[-1][0])
    kinds = [_Samples(task, parts, encodings, held_out=h) for h in (False, True)]
    fleet = _Fleet(networks, len(tried), lr=budget.lr * SCALE**0.5)
    share = n_piece / len(task.measurement.index)
    batch = max(1, round(budget.batch_size * share))
    draw = torch.Generator().manual_seed(plan.seed)
    for step in range(budget.steps):
        fleet.step(*kinds[0].batch(batch, draw), step)
    errors = fleet.best_errors(*(kind.judged() for kind in kinds))
    means = errors.reshape(2, len(parts), len(tried)).mean(1).tolist()
    return tuple(ScaleModel(c, psnr(a), psnr(b)) for c, a, b in zip(tried, *means, strict=True))


def joined(first: Sequence[ScaleModel], second: Sequence[ScaleModel]) -> tuple[ScaleModel, ...]:
    """Models of two halves of the pieces, the second of some candidates only, as of all pieces.

    The others stand where their distance from those, in the mean, was on the first half.
    """
    more = {m.candidate: m for m in second}
    whole: dict[Candidate, ScaleModel] = {}
    gains: list[tuple[float, float]] = []
    for m in first:
        if n := more.get(m.candidate):
            of_all = _mean(m.train, n.train), _mean(m.held_out, n.held_out)
            whole[m.candidate] = ScaleModel(m.candidate, *of_all)
            if all(map(isfinite, (*of_all, m.train, m.held_out))):
                gains.append((of_all[0] - m.train, of_all[1] - m.held_out))
    train, held_out = (fmean(g[k] for g in gains) if gains else 0.0 for k in range(2))
    return tuple(
        whole.get(m.candidate, ScaleModel(m.candidate, m.train + train, m.held_out + held_out))
        for m in first
    )


def _mean(a: float, b: float) -> float:
    """PSNR of the mean of the errors."""
    return psnr((10 ** (-a / 10) + 10 ** (-b / 10)) / 2)


class _Samples:
    """The training samples of the pieces, or the held-out ones: inputs and outputs of every model."""

    def __init__(
        self,
        task: AbstractSamples,
        pieces: Sequence[Piece],
        encodings: Sequence[AbstractEncoding],
        *,
        held_out: bool,
    ) -> None:
        every = [piece.held_out if held_out else piece.seen for piece in pieces]
        n = min(map(len, every))
        index = torch.stack([_thinned(places, n) for places in every])
        copies = len(encodings) // len(pieces)
        index = index.repeat_interleave(copies, 0)
        self._points = task.points()[index].float()
        self._values = task.values.reshape(-1, task.n_outputs)[index].float()
        self._encodings = encodings
        kept = not held_out and index.numel() * encodings[0].out_dim <= _ENCODED
        self._features = self._encoded(self._points) if kept else None

    def _encoded(self, points: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.stack([e(x) for e, x in zip(self._encodings, points, strict=True)])

    def _at(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Features and outputs of samples of each model's own, `[models, n]`."""
        values = _taken(self._values, index)
        if self._features is None:
            return self._encoded(_taken(self._points, index)), values
        return _taken(self._features, index), values

    def batch(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Drawn anew for each model; all samples, in full batches."""
        models, n = self._values.shape[:2]
        if n > size:
            return self._at(torch.randint(n, (models, size), generator=generator))
        features = self._encoded(self._points) if self._features is None else self._features
        return features, self._values

    def judged(self) -> tuple[Tensor, Tensor]:
        """Some thousands of them, spread evenly."""
        models, n = self._values.shape[:2]
        index = torch.linspace(0, n - 1, min(n, _JUDGED)).round().long()
        return self._at(index.expand(models, -1))


def _thinned(places: Tensor, n: int) -> Tensor:
    """So many of them, spread evenly: pieces with scattered samples do not all have as many."""
    if len(places) == n:
        return places
    return places[torch.linspace(0, len(places) - 1, n).round().long()]


def _taken(of: Tensor, index: Tensor) -> Tensor:
    """Rows `[models, k, f]` of `[models, n, f]`, each model's own."""
    models, n, width = of.shape
    own = index + n * torch.arange(models)[:, None]
    return of.view(-1, width).index_select(0, own.flatten()).view(models, -1, width)


class _Fleet:
    """Networks of one shape, some copies of each, trained by Adam together, each as it would be alone."""

    def __init__(self, networks: Sequence[nn.Module], copies: int, *, lr: float) -> None:
        layers = [
            [m for m in network.modules() if isinstance(m, nn.Linear)] for network in networks
        ]
        self._weights: list[Tensor] = []
        for layer in zip(*layers, strict=True):
            self._weights.append(torch.stack([m.weight.detach().T for m in layer]))
            self._weights.append(torch.stack([m.bias.detach()[None] for m in layer]))
        self._weights = [w.repeat_interleave(copies, 0) for w in self._weights]
        self._mean = [w.clone() for w in self._weights]
        for w in self._weights:
            w.requires_grad_()
        self._adam = torch.optim.Adam(self._weights, lr=lr, fused=True)

    @staticmethod
    def outputs(weights: Sequence[Tensor], x: Tensor) -> Tensor:
        """`[models, n, features]` to `[models, n, o]`."""
        for i in range(0, len(weights), 2):
            x = torch.baddbmm(weights[i + 1], x if i == 0 else x.relu(), weights[i])
        return x

    def step(self, x: Tensor, y: Tensor, done: int) -> None:
        """One step of Adam, and of the running averages of the weights."""
        self._adam.zero_grad()
        (self.outputs(self._weights, x) - y).square().mean((1, 2)).sum().backward()
        self._adam.step()
        with torch.no_grad():
            for mean, w in zip(self._mean, self._weights, strict=True):
                mean.lerp_(w, average_share(done))

    @torch.no_grad()
    def best_errors(self, *kinds: tuple[Tensor, Tensor]) -> Tensor:
        """`[kinds, models]` mean square errors, of the weights or their average: what fits the first better."""
        own, mean = (
            torch.stack([(self.outputs(w, x) - y).square().mean((1, 2)) for x, y in kinds])
            for w in (self._weights, self._mean)
        )
        errors = torch.where(mean[0] < own[0], mean, own)
        return errors.nan_to_num(nan=torch.inf).double()
