"""Minibatches: in expectation gradient descent, and the noise that stays in the end."""

from dataclasses import dataclass
from math import inf

import torch

from ntkit._core.checks import positive_int
from ntkit.dynamics.gradient_descent import GradientDescent

__all__ = ["NoiseFloor", "minibatch_noise"]


@dataclass(frozen=True)
class NoiseFloor:
    """Where training on minibatches ends up, on average over batches.

    Attributes:
        loss: Expected `1/2 * sum w (f - y)^2` in the end: `rest + excess`.
        rest: What full batches leave of it: targets beyond the kernel's reach, or kept by a ridge.
        excess: What the noise of the batches adds.

    Example:
        >>> import ntkit, torch
        >>> constant, x = ntkit.kernels.Constant(1.0), torch.zeros(2, 1)
        >>> mean = ntkit.GradientDescent(constant, x, torch.tensor([0.0, 2.0]), lr=0.1)
        >>> floor = minibatch_noise(mean, batch_size=1)
        >>> round(floor.rest, 3)  # the mean, 1, is 1 away from both targets
        1.0
        >>> round(floor.excess, 3), round(floor.loss, 3)  # and single samples pull it to and fro
        (0.111, 1.111)
    """

    loss: float
    rest: float
    excess: float


def minibatch_noise(training: GradientDescent, batch_size: int) -> NoiseFloor:
    """The loss at which SGD on minibatches levels off, to first order in the noise.

    At each step `b` of the `n` samples are drawn without repetition, and their gradient is scaled by
    `n / b`. In expectation that is gradient descent, exactly: `training.predict` is the mean over
    batches. About the mean, the residual `r` that full batches leave feeds noise of covariance
    `C = n (n - b) / (b (n - 1)) (diag(r^2) - r r^T / n)` into each step, and a mode of
    eigenvalue `s` and vector `v` settles at the variance `lr s v^T C v / (2 - lr s)` (with a ridge
    `lr s^2 v^T C v / (p (2 - lr p))`, `p = s + ridge`). Noise made by the noise itself is of
    second order and left out. A kernel that fits all targets has no floor. Batches
    of a shuffled epoch are less noisy than this.

    Args:
        training: Gradient descent on full batches, below its limit of stability.
        batch_size: `b`.

    Raises:
        ValueError: There are fewer samples than that, or the outputs are coupled.

    Cost: `O(n^3)`, for the eigenvectors of the dense kernel matrix.

    Source: Mandt et al. 2017 (arXiv:1704.04289), section 3, in steps, for squares.

    Example:
        >>> from ntkit.kernels import Linear
        >>> g = torch.Generator().manual_seed(0)
        >>> x, y = torch.rand(20, 2, generator=g), torch.rand(20, generator=g)
        >>> descent = GradientDescent(Linear(), x, y, lr=0.01)
        >>> small, large = (minibatch_noise(descent, b).excess for b in (2, 10))
        >>> small > 8 * large
        True
    """
    n, b = len(training.points), positive_int("batch_size", batch_size)
    residual = training.solution([inf]).decay[0].double()
    if b > n or residual.shape[1] != n:
        raise ValueError(
            f"`minibatch_noise(batch_size={b})` needs at most {n} samples a batch, and a kernel "
            'whose outputs do not couple (`empirical_ntk(module, outputs="trace")`).'
        )
    root = training.sample_weights.sqrt()
    s, vectors = torch.linalg.eigh(root[:, None] * training.operator.dense().double() * root)
    s = s.clamp_min(0)
    pace = s + training.ridge
    strength = 0.0 if n == 1 else n * (n - b) / (b * (n - 1))
    noise = residual**2 @ vectors**2 - (residual @ vectors) ** 2 / n
    moves = training.lr * s**2 / (pace.clamp_min(1e-300) * (2 - training.lr * pace))
    excess = 0.5 * strength * float((noise * moves).sum())
    rest = 0.5 * float(residual.square().sum())
    return NoiseFloor(rest + excess, rest, excess)
