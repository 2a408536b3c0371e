"""Adam in function space: a flow in which each layer's kernel has its own, moving learning rate.

Plain gradient flow says nothing of Adam: it ranks small bandwidths first at short budgets, where
real runs want large ones. The reason is simple. Adam divides each gradient by the root of its
running mean square `v`, and the parameters of different layers have gradients of different size:
the first layer's weights, whose features average to zero over the image, hardly feel the large
error of the mean colour, so Adam lets them move at full step length while plain descent starves
them. With one `v` a layer, `P_g` parameters and the layer's own part `K_g` of the tangent kernel,

    dr/ds = - sum_g c_g K_g r,     c_g = lr * speed_g * sqrt(P_g / v_g),
    v_g <- b2 v_g + (1 - b2) (r.K_g r + noise_g),   noise_g = (n / B) * |r|^2 * K_g(x, x),

with `r.K_g r` the squared gradient of the layer and `noise_g` what minibatches of `B` add to it.
Where the layers' kernels share their eigenvectors (grids), this is a small system of scalars: with
`K_g` for the eigenvalues of a mode, what is left of it is `exp(-X)`, `dX/ds = sum_g c_g K_g`.

A network of finite width that Adam trains at a usual rate leaves its kernel behind within a hundred
steps. Part of that can be written down. A ReLU network is homogeneous in the parameters `theta_g` of
each layer, `grad_g f . theta_g = f` but for biases: whatever it has learned, stretching a layer
stretches it. So the tangent kernel holds, beside what it held at the start, `f f^T / |theta_g|^2` of
every layer, and what is learned grows as a whole,

    dr/ds = - sum_g c_g K_g r - gain * f,     gain = GAIN sum_g c_g / |theta_g|^2 <f, r>_+ .

This is what makes large bandwidths, whose kernel learns every mode alike and each a little, far
quicker than that kernel alone, and more so with one output than with three: the read-out, whose
parameters are few, is stretched first. It ends where the noise in `f` would be stretched as well: in
a network of `P` parameters the gradients of two samples overlap by `1 / P` in square, so that what is
learned at each of `n` samples and `o` outputs adds up to `n o / P` of noise at any other. A kernel
that learns `m` modes (their participation ratio) is as noisy as `m` samples: `<f, r>` is less by
`CROSS_TALK m o / P |f|^2`. The mode of the largest eigenvalue has no part in it; on a grid it is the
mean, which biases learn.

The rest is taken up in numbers that are not theory; `speed` is measured by a short real run (`Clock` in
`ntkit.tuning`), the others, and how much of the gain there is, were fitted to the curves of
`benchmarks/adam_curves`:

- `speed`, how much faster the network runs than its kernel says;
- `SPREAD`: what is left of a mode is `(1 + X / SPREAD)^-SPREAD`, which falls as fast at first and more
  slowly later: the mean over rates spread by a gamma distribution of this shape and mean 1, as if features
  aligned to some of what a mode holds and turned away from the rest. It is a law for amplitudes: the
  square is taken for the energy. Infinity is the kernel's own `exp(-X)`.

`STABILITY` is the bound of the literature on the growth of `X` a step: beyond it Adam
oscillates and its `v` grows until it is stable again (Cohen et al. 2022, arXiv:2207.14484: 38 over
the learning rate for `b1 = 0.9`).
"""

from collections.abc import Sequence
from math import isinf

import torch
from torch import Tensor

from ntkit.dynamics.modes import Modes, Trajectory

__all__ = [
    "CROSS_TALK",
    "GAIN",
    "SPREAD",
    "STABILITY",
    "adam_trajectories",
]

STABILITY = 38.0
"""Largest growth of `X` a step that Adam sustains."""

SPREAD = 1.2
"""Shape of the law by which modes decay."""

GAIN = 0.04
"""Share of the rate at which a homogeneous network stretches what it has learned."""

CROSS_TALK = 1.5
"""Noise in what is learned, in units of modes and outputs over parameters."""

_FINE_STEPS = 150  # single steps at the start, where `v` changes fast; then steps grow by 1 %


def adam_trajectories(
    problems: Sequence[Modes],
    steps: Sequence[int],
    *,
    lr: float,
    batch_size: int,
    speed: float | Sequence[float] = 1.0,
    spread: float | None = None,
    gain: float | None = None,
    beta2: float = 0.999,
) -> list[Trajectory]:
    """Train every problem with Adam, in function space, and report at `steps`.

    Args:
        problems: Problems with the same number of layers.
        steps: Steps at which to report, ascending, at least 1.
        lr: Adam's learning rate.
        batch_size: Samples a step; full batches where it exceeds the samples.
        speed: How much faster the real network runs than its kernel at the start; one for all problems, or
            one each.
        spread: Shape of the law by which modes decay, above 0, infinity for the exponential;
            `SPREAD` if left out.
        gain: Share of the rate at which what is learned is stretched, 0 for the kernel at its start;
            `GAIN` if left out.
        beta2: Adam's memory of squared gradients.

    Returns:
        One trajectory a problem.

    Raises:
        ValueError: There are not as many speeds as problems.

    Cost: O(g k) a step for all problems together; 2,000 steps of 10 problems take 0.2 s.
    """
    spread = SPREAD if spread is None else spread
    gain = GAIN if gain is None else gain
    values, energy = _pad([p.eigenvalues for p in problems]), _pad([p.energy for p in problems])
    diagonal = torch.stack([p.diagonal for p in problems])
    samples = torch.tensor([float(p.n_samples) for p in problems], dtype=torch.float64)
    lost = torch.tensor([p.lost for p in problems], dtype=torch.float64)
    sizes = torch.stack([p.sizes for p in problems])
    norms = torch.stack([p.norms for p in problems])
    outputs = torch.tensor([float(p.n_outputs) for p in problems], dtype=torch.float64)
    moves = (values.amax(2) > 0) & (norms > 0)  # frozen layers, and those of zeros, stretch nothing
    crowd = CROSS_TALK * outputs / (sizes * moves).sum(1).clamp_min(1)
    grows = torch.ones_like(energy).scatter_(1, values.sum(1).argmax(1, keepdim=True), 0.0)
    count = grows * _pad([p.multiplicity for p in problems])
    noisy = torch.where(samples > batch_size, samples / batch_size, 0 * samples)
    if isinstance(speed, Sequence) and len(speed) != len(problems):
        raise ValueError(
            f"`speed` must be one number, or one for each of the {len(problems)} problems; "
            f"got {len(speed)}."
        )
    pace = lr * torch.as_tensor(speed, dtype=torch.float64).expand(len(problems))[:, None]
    progress = torch.zeros_like(energy)
    decay = torch.ones_like(energy)
    weights = torch.zeros_like(values)
    v = torch.zeros_like(diagonal)
    reports: list[tuple[Tensor, Tensor]] = []
    step = 0
    for target in steps:
        while step < target:
            stride = min(target - step, 1 if step < _FINE_STEPS else max(1, step // 100))
            left = energy * decay**2
            square = (values @ left[..., None])[..., 0]
            square = square + (noisy * (left.sum(1) + lost))[:, None] * diagonal
            memory = beta2**stride
            v = memory * v + (1 - memory) * square
            mean_square = v / (1 - beta2 ** (step + stride))
            rates = pace * (sizes / mean_square.clamp_min(1e-300)).sqrt()
            total = (rates[:, None] @ values)[:, 0]
            cap = (STABILITY / total.amax(1).clamp_min(1e-300)).clamp_max(1)[:, None]
            rates, total = rates * cap, total * cap
            move = stride * total
            log_kept = _log_kept(move, progress, spread)
            gone = -decay * torch.expm1(log_kept)
            learned = torch.where(total > 0, gone / total.clamp_min(1e-300), stride * decay)
            weights = weights + rates[..., None] * learned[:, None]
            progress, decay = progress + move, decay * log_kept.exp()
            stretched = gain * stride * torch.where(moves, rates / norms, 0.0).sum(1)
            more = grows * _stretch(stretched, grows * energy, count, decay, crowd)[:, None]
            weights = weights * (1 + more[:, None])
            decay = decay - more * (1 - decay)
            step += stride
        reports.append((decay, weights))
    return [
        Trajectory(
            decay=torch.stack([d[i, : p.energy.numel()] for d, _ in reports]),
            weights=torch.stack([w[i, :, : p.energy.numel()] for _, w in reports]),
        )
        for i, p in enumerate(problems)
    ]


def _stretch(rate: Tensor, energy: Tensor, count: Tensor, decay: Tensor, crowd: Tensor) -> Tensor:
    """By what share of itself `f` grows: towards the multiple of it that fits best, noise included."""
    learned = 1 - decay
    own = (energy * learned**2).sum(1).clamp_min(1e-300)
    modes = (count * learned).sum(1) ** 2 / (count * learned**2).sum(1).clamp_min(1e-300)
    missing = ((energy * learned * decay).sum(1) / own - crowd * modes).clamp_min(0)
    return -torch.expm1(-rate * own) * missing


def _log_kept(move: Tensor, progress: Tensor, spread: float) -> Tensor:
    """Logarithm of the share of each mode that stays as its progress grows by `move`."""
    if isinf(spread):
        return -move
    return -spread * torch.log1p(move / (spread + progress))


def _pad(rows: Sequence[Tensor]) -> Tensor:
    """Stack tensors whose last axes differ in length, zeros behind."""
    longest = max(row.shape[-1] for row in rows)
    return torch.stack([torch.nn.functional.pad(row, (0, longest - row.shape[-1])) for row in rows])
