"""Scale models of a training: all that is counted is smaller by one factor, and the steps are the same.

A network that is a sixth as wide, with a sixth of the frequencies, has 1/36 of the parameters. Trained on a
piece of the signal that holds 1/36 of the samples, in batches of 1/36, it is as crowded as the whole, and sees
each sample as often. Samples lie as densely, so that a bandwidth means the same. What such a model reaches
after the steps of the budget shows what the tangent kernel at the start cannot: how the features that the
network learns favour one bandwidth, or one family of networks, over another. It says little of decibels, which
are the piece's; of two candidates, mostly, which is better.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit._core.denormals import flushed_denormals
from ntkit.encodings import AbstractEncoding
from ntkit.tasks.base import AbstractTask
from ntkit.tasks.budget import Budget
from ntkit.tuning.candidates import MLP, Candidate
from ntkit.tuning.fleet import Fleet, alike
from ntkit.tuning.parts import Parts
from ntkit.tuning.plan import NetworkPlan

__all__ = ["LONGEST", "CandidateTrial", "trials"]

LONGEST = 5000
"""Steps beyond which no model is trained: it would take minutes."""

_ENCODED = 2**25  # features kept for all models; beyond it they are made anew for each batch
_JUDGED = 2048  # rows of a part and kind that a model is judged by, where they are points
_JUDGED_ELSE = 512  # where a row is more than a point: a ray, or a line of k-space


@dataclass(frozen=True, eq=False)
class CandidateTrial:
    """What the scale models of one candidate reached, on each part of the task.

    Attributes:
        candidate: What was tried.
        train: By steps, `[parts, s]`: what the metric of the task sums over the rows trained on.
        held_out: The same over the rows held out.
    """

    candidate: Candidate
    train: Mapping[int, Float[Tensor, "p s"]]
    held_out: Mapping[int, Float[Tensor, "p s"]]


def trials(
    task: AbstractTask,
    parts: Parts,
    budget: Budget,
    tried: Sequence[Candidate],
    *,
    plan: NetworkPlan,
    scale: int,
    moments: Sequence[int] = (),
    lengths: Sequence[int] = (),
    on_step: Callable[[float], None] | None = None,
) -> tuple[CandidateTrial, ...]:
    """Train models of all candidates on all parts, with Adam, for the steps of the budget.

    A step of Adam at one rate moves the output of a network in proportion to its width where all weights
    pull together, and less where they do not. The models take the learning rate times the root of the
    scale, half way between. All candidates see the same batches of a part, and the networks of a part have a seed
    of its own, so that the draw of a few frequencies counts less.

    Args:
        task: What is fitted.
        parts: Of it, `1 / scale^2` as large.
        budget: Of the training that is asked about.
        tried: Encodings, or families of networks.
        plan: The networks that are asked about.
        scale: Width and frequencies are smaller by this; parameters, samples and batches by its square.
        moments: Steps on the way to the end of the budget, after which to judge as well.
        lengths: Steps of other budgets that are asked about. Where the rate falls, each is a training of its own; else
            they are moments too, and those beyond the budget are taken after it.
        on_step: Called after each step with the share of that training that is done; there may be several trainings.

    Returns:
        One a candidate.

    Cost: for a candidate and part `scale^-4` of the multiplications of its training in full.
    """
    batch = max(1, round(budget.batch_size * parts.share))
    built = {
        c: [
            replace(plan, seed=plan.seed + seed).scale_model(
                c, scale, parts.crop if c.family != MLP else 1.0
            )
            for seed in parts.seeds
        ]
        for c in tried
    }
    groups: dict[tuple[object, ...], list[Candidate]] = {}
    for candidate, networks in built.items():
        groups.setdefault((candidate.family, *alike(networks[0])), []).append(candidate)
    found: dict[Candidate, CandidateTrial] = {}
    for members in groups.values():
        networks = [n for c in members for n in built[c]]
        asked = plan.budget_of(members[0], budget)
        asked = replace(asked, lr=asked.lr * scale**0.5, batch_size=batch)
        own = parts.as_cubes() if members[0].family != MLP else parts
        sums: dict[int, Float[Tensor, "2 m s"]] = {}
        for of, stops in _trainings(asked, moments, lengths):
            sums |= _trained(task, own, networks, of, stops=stops, seed=plan.seed, on_step=on_step)
        for i, candidate in enumerate(members):
            own = slice(i * len(parts), (i + 1) * len(parts))
            train, held_out = ({k: s[kind, own] for k, s in sums.items()} for kind in range(2))
            found[candidate] = CandidateTrial(candidate, train, held_out)
    return tuple(found[c] for c in tried)


def _trainings(
    budget: Budget, moments: Sequence[int], lengths: Sequence[int]
) -> Iterator[tuple[Budget, list[int]]]:
    """What is to be trained, and where each training is judged."""
    if not budget.falling:
        stops = sorted({*moments, *lengths, budget.steps})
        yield budget.with_steps(stops[-1]), stops
        return
    for steps in sorted({*lengths} - {budget.steps}):
        yield budget.with_steps(steps), [steps]
    yield budget, sorted({*moments, budget.steps})


def _trained(
    task: AbstractTask,
    parts: Parts,
    networks: Sequence[nn.Module],
    budget: Budget,
    *,
    stops: Sequence[int],
    seed: int,
    on_step: Callable[[float], None] | None = None,
) -> dict[int, Float[Tensor, "2 m s"]]:
    """What each network reached at these steps: of its weights and their average what fits better."""
    copies = len(networks) // len(parts)
    (x, y), (u, v) = ([t.repeat(copies, 1, 1) for t in kind] for kind in (parts.seen, parts.judged))
    most = _JUDGED if task.takes_points else _JUDGED_ELSE
    judged = [tuple(t[:, _spread(t.shape[1], most)] for t in kind) for kind in ((x, y), (u, v))]
    encodings, bodies = _split(networks, x, task)
    if encodings:
        x = _encoded(encodings, x)
        judged = [(_encoded(encodings, a), b) for a, b in judged]
    fleet = Fleet(task, bodies, budget)
    draw = torch.Generator().manual_seed(seed)
    n, batch = x.shape[1], budget.batch_size
    found = {}
    with flushed_denormals():
        for step in range(budget.steps):
            if n > batch:
                index = torch.randint(n, (len(parts), batch), generator=draw).repeat(copies, 1)
                fleet.step(_taken(x, index), _taken(y, index), step, draw)
            else:
                fleet.step(x, y, step, draw)
            if step + 1 in stops:
                found[step + 1] = _better(task, *(fleet.sums(a, b) for a, b in judged))
            if on_step is not None:
                on_step((step + 1) / budget.steps)
    return found


def _better(
    task: AbstractTask, train: Float[Tensor, "2 m s"], held_out: Float[Tensor, "2 m s"]
) -> Float[Tensor, "2 m s"]:
    """Of the weights and their average those that fit the rows trained on better, model by model."""
    error = [[task.metric.error(s) for s in which] for which in train]
    mean = torch.tensor([b < a for a, b in zip(*error, strict=True)])[:, None]
    return torch.stack([torch.where(mean, kind[1], kind[0]) for kind in (train, held_out)])


def _split(
    networks: Sequence[nn.Module], x: Tensor, task: AbstractTask
) -> tuple[list[AbstractEncoding], Sequence[nn.Module]]:
    """Leading encodings whose features can be kept, and the rest of the networks."""
    firsts = [n[0] if type(n) is nn.Sequential and len(n) > 1 else None for n in networks]
    fixed = [
        f
        for f in firsts
        if isinstance(f, AbstractEncoding) and f.is_fixed and not [*f.parameters()]
    ]
    n_features = sum(f.out_dim for f in fixed) * x.shape[1]
    if not task.takes_points or len(fixed) < len(networks) or n_features > _ENCODED:
        return [], networks
    return fixed, [n[1:] for n in networks if isinstance(n, nn.Sequential)]


def _encoded(encodings: Sequence[AbstractEncoding], rows: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.stack([e(x) for e, x in zip(encodings, rows, strict=True)])


def _spread(n: int, most: int) -> Tensor:
    """At most so many of `n` rows, spread evenly."""
    return torch.linspace(0, n - 1, min(n, most)).round().long()


def _taken(of: Tensor, index: Tensor) -> Tensor:
    """Rows `[models, k, f]` of `[models, n, f]`, each model's own."""
    models, n, width = of.shape
    own = index + n * torch.arange(models)[:, None]
    return of.reshape(-1, width).index_select(0, own.flatten()).view(models, -1, width)
