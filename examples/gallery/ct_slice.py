"""A CT slice from 24 views, with an error bar for each pixel.

A scanner measures integrals along rays. `ntkit.reconstruct` finds the slice: its kernel, the noise and the strength of the edges
are chosen from the measurements themselves. The error bar says where they leave it open.

Picture: A slice of ellipses, its reconstruction by filtered back-projection with streaks, the one of ntkit without, and its error bar, which is wide at edges.
"""

from math import pi

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

import ntkit
from ntkit.measurements import Radon
from ntkit.reconstruction import filtered_back_projection

ELLIPSES = [  # value, centre y and x, half axes
    (1.0, 0.0, 0.0, 0.42, 0.33),
    (-0.7, 0.0, 0.0, 0.38, 0.29),
    (0.4, -0.18, 0.0, 0.08, 0.11),
    (-0.2, 0.05, 0.12, 0.16, 0.06),
    (-0.2, 0.05, -0.12, 0.19, 0.08),
    (0.5, 0.27, 0.02, 0.03, 0.04),
]


def draw(small: bool = False) -> Figure:
    """Measure, reconstruct, look."""
    size, n_views = (12, 6) if small else (64, 24)
    A = Radon.parallel((size, size), torch.arange(n_views) * pi / n_views)
    v, u = A.pixels.T
    truth = torch.zeros(size * size, dtype=torch.float64)
    for value, y, x, b, a in ELLIPSES:
        truth += value * (((u - x) / a) ** 2 + ((v - y) / b) ** 2 < 1)
    truth = truth.reshape(size, size)
    clean = A(truth[..., None])[..., 0]
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0), dtype=clean.dtype)
    y = clean + 0.01 * clean.max() * noise

    found = ntkit.reconstruct(y, A)
    assert found.deviation is not None
    usual = filtered_back_projection(y[..., None], A)[..., 0]
    pictures = {"truth": truth, "filtered back-projection": usual, "ntkit": found.field}
    figure, axes = plt.subplots(1, 4, figsize=(10, 2.9), layout="constrained")
    for axis, (name, picture) in zip(axes, pictures.items(), strict=False):
        axis.imshow(picture.numpy(), cmap="gray", vmin=0, vmax=1)
        axis.set_title(name)
    axes[3].imshow(found.deviation.numpy(), cmap="magma")
    axes[3].set_title("its error bar")
    for axis in axes:
        axis.axis("off")
    return figure


if __name__ == "__main__":
    draw().savefig("ct_slice.png")
