"""The theory of infinite width on a small copy of a picture, and real networks that come near it as they grow."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import inf

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import positive_int
from ntkit.dynamics import GradientDescent, follow, log_steps
from ntkit.kernels import ntk
from ntkit.tasks import Image
from ntkit.tasks.files.sampling import shrink
from ntkit.tuning.candidates import Candidate
from ntkit.tuning.plan import NetworkPlan

__all__ = ["Act", "Rehearsal", "TooNarrow"]

_MOST = 1024
"""Samples that are trained on: all of them at each step."""

_DEPTH, _N_FREQUENCIES = 2, 64  # small, so that a width of 2,048 trains while one looks


@dataclass(frozen=True)
class Act:
    """One step of a real network beside the prediction.

    Attributes:
        step: Steps taken.
        error: Mean squared error of the network on the pixels trained on.
        picture: `[h, w, o]`, what the network shows, where this is a step to look at.
        predicted: `[h, w, o]`, what the theory shows there.
        distance: Between the two, as a share of how far the prediction has moved; NaN at step 0.
        movement: Of the weights, as a share of their size.
        kernel_change: Of the tangent kernel, as a share of its size.

    Example:
        >>> Act(step=10, error=0.1).error
        0.1
    """

    step: int
    error: float
    picture: Float[Tensor, "h w o"] | None = None
    predicted: Float[Tensor, "h w o"] | None = None
    distance: float = inf
    movement: float = 0.0
    kernel_change: float = 0.0


class TooNarrow(ValueError):
    """The sides of a picture differ so much that nothing is left of the shorter one where it is made small."""


class Rehearsal:
    """Networks of two hidden layers on Gaussian features, in the NTK parametrisation, by full-batch gradient descent.

    The picture is made smaller until every other of its pixels along each side are at most 1,024, which are trained
    on. The prediction is that of infinite width. The learning rate is half of what the largest eigenvalue of its
    kernel allows, `1 / lambda_max`. The mean colour is taken off before and added behind, and a network's random
    initial function is taken off it, so that both begin with the mean colour.

    Args:
        picture: What is learned.
        bandwidth: Of the Gaussian features, cycles per picture side; there are 64 frequencies.
        steps: Of gradient descent.

    Attributes:
        task: The small picture.
        looked: Steps at which pictures are shown.

    Raises:
        TooNarrow: A ValueError: the picture is so narrow that nothing is left of its shorter side.

    Example:
        >>> y, x = torch.meshgrid(torch.arange(16) / 16, torch.arange(16) / 16, indexing="ij")
        >>> theory = Rehearsal(Image(0.5 + 0.4 * torch.sin(9 * x * y).double()), 2.0, steps=20)
        >>> apart = [[*theory.trained(width)][-1].distance for width in (64, 1024)]
        >>> apart[1] < apart[0]
        True
    """

    def __init__(self, picture: Image, bandwidth: float, *, steps: int) -> None:
        self.task: Image = _small(picture)
        self.steps: int = positive_int("steps", steps)
        self.looked: tuple[int, ...] = tuple(log_steps(self.steps, per_decade=12))
        self._candidate = Candidate("gaussian", bandwidth)
        axes = (0, 1)
        self._mean = self.task.values.mean(axes)
        kernel = ntk(self._plan(64).build(self._candidate)[0])
        grid = self.task.grid[::2, ::2]
        targets = (self.task.values - self._mean)[::2, ::2]
        largest = GradientDescent(kernel, grid, targets, lr=1e-12).largest_eigenvalue
        self._rule = GradientDescent(kernel, grid, targets, lr=1 / largest)

    @property
    def n_samples(self) -> int:
        """Pixels that are trained on."""
        return len(self._rule.points)

    @property
    def lr(self) -> float:
        """Learning rate, for the loss `1/2 * sum (f - y)^2`."""
        return self._rule.lr

    @cached_property
    def errors(self) -> tuple[float, ...]:
        """Mean squared error on the pixels trained on that is predicted after 0 to `steps` steps."""
        losses = self._rule.loss(range(self.steps + 1))
        return tuple((losses * self._per_value).tolist())

    def trained(self, width: int, *, seed: int = 0) -> Iterator[Act]:
        """Train a network of some width; one act a step, pictures at those of `looked`.

        Args:
            width: Units of each hidden layer.
            seed: Of its weights; the frequencies are the same for all.
        """
        network = self._network(positive_int("width", width), seed)
        run = follow(
            network, self._rule, steps=self.steps, points=self.task.grid, looked=self.looked
        )
        for each in run:
            error = each.trained_loss * self._per_value
            seen = each.seen
            if seen is None:
                yield Act(each.step, error)
                continue
            yield Act(
                each.step,
                error,
                self._shown(seen.trained),
                self._shown(seen.predicted),
                seen.distance,
                seen.lazy.movement,
                seen.lazy.kernel_change,
            )

    @property
    def _per_value(self) -> float:
        return 2 / (self.n_samples * self.task.n_outputs)

    def _plan(self, width: int, seed: int = 0) -> NetworkPlan:
        return NetworkPlan(
            2,
            self.task.n_outputs,
            width=width,
            depth=_DEPTH,
            n_frequencies=_N_FREQUENCIES,
            seed=seed,
            parametrisation="ntk",
        )

    def _network(self, width: int, seed: int) -> torch.nn.Module:
        network, encoding = self._plan(width, seed).build(self._candidate)
        _, same = self._plan(width).build(self._candidate)
        encoding.load_state_dict(same.state_dict())
        return network

    def _shown(self, values: Tensor) -> Float[Tensor, "h w o"]:
        return values.reshape(self.task.values.shape) + self._mean


def _small(picture: Image) -> Image:
    """Its pixels averaged in boxes, sides even, a quarter of them at most as many as are trained on.

    Raises:
        TooNarrow: Less than 8 pixels would be left of a side.
    """
    values, (height, width) = picture.values.numpy(), picture.shape
    factor = 1
    while (height // factor) * (width // factor) > 4 * _MOST:
        factor += 1
    small = shrink(values, range(2), factor)
    small = small[: len(small) // 2 * 2, : small.shape[1] // 2 * 2]
    if min(small.shape[:2]) < 8:
        raise TooNarrow(
            f"The picture has {height} x {width} pixels, of which {small.shape[0]} x {small.shape[1]} are left "
            "where at most 1,024 are trained on. Take one whose sides differ less."
        )
    return Image(np.ascontiguousarray(small))
