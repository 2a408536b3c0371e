"""A coordinate network trained on measurements, stopped where it fits best what is held out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from ntkit._core.checks import positive_int
from ntkit._core.devices import usable_device
from ntkit.encodings import AbstractEncoding, Gaussian
from ntkit.grids import Grid
from ntkit.measurements import AbstractMeasurement
from ntkit.networks import mlp
from ntkit.tasks import Budget, Evaluation, Measured, Trainer
from ntkit.tasks.field_units import Bounds, FieldNetwork

__all__ = ["TrainedNetwork", "train_on_measurements"]


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """A network that was trained on measurements.

    Attributes:
        network: Points `[n, d]` to values `[n, o]` in the units of the data, real or complex.
        field: The same on the grid: `[*field_shape]`, or `[*field_shape, o]` where the data have an axis of outputs.
        step: Whose weights these are: of the evaluation that fitted best what is held out, or the last one.
        held_out: Step, and signal-to-noise ratio in dB of the data held out, one pair an evaluation; empty where none
            were.
        evaluations: The errors behind it, and those of what was trained on.
        task: What it was trained on.
        seconds: How long it took.

    Example:
        >>> import ntkit, torch
        >>> A = ntkit.measurements.Samples.every_other((16,))
        >>> y = torch.sin(torch.arange(8.0)).double()
        >>> found = ntkit.reconstruct(y, A, total_variation=False, error_bars=False)
        >>> trained = found.network(steps=5)
        >>> isinstance(trained, TrainedNetwork), trained.field.shape
        (True, torch.Size([16]))
    """

    network: FieldNetwork
    field: Shaped[Tensor, "..."]
    step: int
    held_out: tuple[tuple[int, float], ...]
    evaluations: tuple[Evaluation, ...]
    task: Measured
    seconds: float


def train_on_measurements(
    y: Shaped[Tensor, "..."],
    A: AbstractMeasurement,
    grid: Grid | None = None,
    *,
    bandwidth: float | Sequence[float] | None = None,
    encoding: AbstractEncoding | None = None,
    bounds: Bounds | None = None,
    total_variation: float = 0.0,
    weights: Float[Tensor, "..."] | None = None,
    steps: int = 2000,
    lr: float = 1e-3,
    width: int = 128,
    depth: int = 3,
    n_frequencies: int = 256,
    hold_out: float = 0.1,
    groups: Int[Tensor, " n"] | None = None,
    evaluations: int = 40,
    seed: int = 0,
    device: str | torch.device = "cpu",
    on_step: Callable[[int, float], None] | None = None,
) -> TrainedNetwork:
    """A ReLU network on Fourier features, trained by Adam on linear measurements of its field.

    See `ntkit.tasks.Measured` for the loss and the units. Besides each step's weights their average is looked at; what
    fits best the groups held out, of all evaluations, is kept.

    Args:
        y: Data, `[*data_shape]` or `[*data_shape, o]`; complex where the measurement is.
        A: The measurement.
        grid: Where the points of its field are; those that it says itself if left out.
        bandwidth: Standard deviation of Gaussian frequencies, cycles per unit; one number, or one an axis.
        encoding: In its place: any encoding of the points.
        bounds: Lower and upper bound of the field, None for none.
        total_variation: Weight `b` of the total variation in `1/2 |A f - y|^2_W + b TV(f)`, in the units of the data.
        weights: `[*data_shape]`, one over the noise's variance of each datum; only their ratios matter.
        steps: Of Adam, each on all data.
        lr: Learning rate.
        width: Units of each hidden layer.
        depth: Hidden layers.
        n_frequencies: Of the encoding that a bandwidth makes.
        hold_out: Share of the groups that is held out; with 0 training ends with its last step.
        groups: For each row of the data the number of its group; those of `A` if left out.
        evaluations: How often it is judged, at equal distances.
        seed: Of the frequencies, the weights and what is held out.
        device: Where to train.
        on_step: Called after each step with its number and loss; what it raises ends the training.

    Raises:
        ValueError: Neither a bandwidth nor an encoding is given, or both; or an argument is out of range.

    A device that is not there is refused. A training that diverges is a `NumericalError`.

    Cost: a step is a forward and a backward pass at all points of the grid, and a product with `A` and its adjoint.
    With the defaults a minute for a thousand steps on 64 x 64 points, on two cores.

    Example:
        >>> from ntkit.measurements import Radon
        >>> A = Radon.parallel((16, 16), torch.linspace(0, 3, 10))
        >>> disc = (Grid((16, 16)).points() - 0.5).norm(dim=1).lt(0.3).reshape(16, 16, 1).double()
        >>> found = train_on_measurements(A(disc), A, bandwidth=1.0, bounds=(0, None), steps=100, width=32)
        >>> float((found.field - disc).square().mean()) < 0.02, float(found.field.min()) >= 0
        (True, True)
    """
    began = perf_counter()
    where = usable_device(device)
    if (bandwidth is None) == (encoding is None):
        raise ValueError(
            f"`bandwidth={bandwidth!r}` and `encoding={encoding!r}`: pass one of the two. "
            "`ntkit.reconstruct(y, A)` chooses a bandwidth."
        )
    task = Measured(
        y,
        A,
        grid,
        bounds=bounds,
        total_variation=total_variation,
        weights=weights,
        hold_out=hold_out,
        groups=groups,
        seed=seed,
    )
    draw = torch.Generator().manual_seed(seed)
    if encoding is None:
        assert bandwidth is not None
        encoding = Gaussian(
            task.in_dim, positive_int("n_frequencies", n_frequencies), bandwidth, draw
        )
    network = mlp(encoding, task.n_outputs, width=width, depth=depth, generator=draw).to(where)
    budget = Budget("adam", lr, steps)
    trainer = Trainer(network, task, budget, average=True, keep_best=True, generator=draw)
    times = positive_int("evaluations", evaluations)
    at = sorted({max(1, round(budget.steps * (k + 1) / times)) for k in range(times)})
    trainer.run(evaluate_at=at, on_step=on_step)
    trainer.take_better()
    judged = tuple(trainer.evaluations)
    best = min(judged, key=lambda e: e.held_out) if task.judges else judged[-1]
    curve = [(e.step, task.metric.quality(e.held_out)) for e in judged] if task.judges else []
    outputs = tuple(y.shape[len(A.data_shape) :])
    return TrainedNetwork(
        network=task.field_network(network),
        field=task.field(network).reshape(*A.field_shape, *outputs).to(y.dtype),
        step=best.step,
        held_out=tuple(curve),
        evaluations=judged,
        task=task,
        seconds=perf_counter() - began,
    )
