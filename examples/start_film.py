"""A film of a network that learns a photo, without and with Fourier features, predicted from its kernel alone.

    python examples/start_film.py docs/images/start.webp

Both halves show the same network at the same moments of gradient descent. Nothing is trained: each frame is the kernel's
prediction at that time.
"""

import sys
from pathlib import Path
from typing import Unpack

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from skimage import data, transform
from torch import Tensor

import ntkit
from ntkit.dynamics import TrainingOptions
from ntkit.encodings import AbstractEncoding, Gaussian, Identity

SIZE, SCALE, BANNER = 112, 3, 34
N_FRAMES = 36


def photo() -> Tensor:
    """The astronaut's face, `[SIZE, SIZE, 3]`, from 0 to 1."""
    face = data.astronaut()[:230, 110:340]
    return torch.from_numpy(transform.resize(face, (SIZE, SIZE), anti_aliasing=True))


def film(
    encoding: AbstractEncoding,
    image: Tensor,
    times: list[float],
    **options: Unpack[TrainingOptions],
) -> Tensor:
    """The picture at each time, `[times, SIZE, SIZE, 3]`."""
    net = ntkit.networks.mlp(encoding, 3, width=256, depth=3, parametrisation="ntk")
    grid = ntkit.Grid((SIZE, SIZE))
    grey = torch.full_like(image, 0.5)
    flow = ntkit.GradientFlow(ntkit.ntk(net), grid, image - grey, **options)
    return flow.predict(grid, times) + grey


def frame(halves: list[Tensor], share: float) -> Image.Image:
    """Both halves side by side under their names, over a bar that says how far the training is."""
    side, gap = SIZE * SCALE, 8
    sheet = Image.new("RGB", (2 * side + gap, side + BANNER + 10), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(19)
    names = ("on plain coordinates", "with Fourier features")
    for k, (half, name) in enumerate(zip(halves, names, strict=True)):
        pixels = (255 * half.clamp(0, 1)).round().numpy().astype(np.uint8)
        left = k * (side + gap)
        sheet.paste(
            Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC), (left, BANNER)
        )
        pen.text((left + side / 2, BANNER / 2), name, fill="#333333", font=font, anchor="mm")
    pen.rectangle(
        [0, side + BANNER + 4, share * (2 * side + gap), side + BANNER + 9], fill="#1f5fa8"
    )
    return sheet


def main() -> None:
    """Write the film to the WebP that the first argument names."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/start.webp")
    path.parent.mkdir(parents=True, exist_ok=True)
    image = photo()
    times = [0.0, *np.logspace(-3.5, 0.6, N_FRAMES - 1).tolist()]
    features = Gaussian(2, 256, bandwidth=7.0, generator=torch.Generator().manual_seed(0))
    plain = film(Identity(2), image, times, structure="low-rank", max_rank=600)
    encoded = film(features, image, times)
    frames = [frame([plain[k], encoded[k]], k / (len(times) - 1)) for k in range(len(times))]
    frames = [frames[-1], *frames[:-1]]  # who sees no films sees the end
    durations = [2500] + [120] * (len(frames) - 1)
    frames[0].save(
        path,
        save_all=True,
        append_images=frames[1:],
        duration=durations,
        loop=0,
        quality=85,
        method=4,
    )
    print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
