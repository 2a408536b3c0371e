"""What a network will make of a photo, at three bandwidths, without training it.

Every other pixel along each axis is known. A grid engine makes the prediction for a quarter of a million pixels in seconds, since
the kernel between pixels depends on their distance only. `ntkit tune photo.png` does this for a hundred candidates.

Picture: The photo, and three predictions of it: too smooth at a small bandwidth, sharp at a middle one, grainy at a large one.
"""

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from skimage.data import astronaut

import ntkit
from ntkit.encodings import Gaussian


def draw(small: bool = False) -> Figure:
    """The photo and its predictions after the same training time."""
    step = 16 if small else 2
    photo = torch.from_numpy(astronaut()[:256:step, 96:352:step] / 255.0)
    grid = ntkit.Grid(tuple(photo.shape[:2]))
    time = 1.0  # lr * steps of gradient descent on half of the sum of squares

    figure, axes = plt.subplots(1, 4, figsize=(10, 2.9), layout="constrained")
    axes[0].imshow(photo.numpy())
    axes[0].set_title("photo")
    for axis, bandwidth in zip(axes[1:], (2, 8, 48), strict=True):
        encoding = Gaussian(2, 256, bandwidth, torch.Generator().manual_seed(0))
        net = ntkit.networks.mlp(encoding, 3, width=256, depth=3, parametrisation="ntk")
        flow = ntkit.GradientFlow(ntkit.ntk(net), grid[::2, ::2], photo[::2, ::2] - 0.5)
        found = flow.predict(grid, [time])[0] + 0.5
        psnr = -10 * (found - photo).square().mean().log10()
        axis.imshow(found.clamp(0, 1).numpy())
        axis.set_title(f"bandwidth {bandwidth}: {psnr:.1f} dB")
    for axis in axes:
        axis.axis("off")
    return figure


if __name__ == "__main__":
    draw().savefig("photo.png")
