"""The pictures of `table1_images`: eight photos, and text that is set here.

Photos: the four of `../shared/data/kodak` and four that ship with scikit-image, a square of at most 512 from the
centre. Text, after the look of the paper's: strings of random letters in random colours and sizes at random
places of a white page of 512, in the font that comes with Pillow; they may overlap, and leave the page.

`at_size` makes a smaller picture of means over square blocks, so that a bandwidth in cycles per unit keeps its
meaning and only the spacing of the samples grows.
"""

from collections.abc import Callable
from pathlib import Path
from string import ascii_letters

import numpy as np
from numpy.typing import NDArray

from benchmarks.signals import SHARED

FULL = 512
"""Pixels a side, of the paper."""

KODAK = ("kodim05", "kodim08", "kodim19", "kodim23")
SHIPPED = ("astronaut", "coffee", "chelsea", "rocket")
NATURAL = tuple(name for pair in zip(KODAK, SHIPPED, strict=True) for name in pair)
TEXT = tuple(f"text{seed}" for seed in range(8))

Array = NDArray[np.float64]


def picture(name: str, size: int, kodak: Path | None = None) -> Array:
    """The picture of that name, `[n, n, 3]` in [0, 1], with `n` even and at most `size`.

    Raises:
        FileNotFoundError: It is a Kodak photo, and `kodak` (`../shared/data/kodak`) has no such file.
    """
    if name in TEXT:
        return at_size(_text(int(name.removeprefix("text"))), size)
    return at_size(_photo(name, SHARED / "kodak" if kodak is None else kodak), size)


def at_size(image: Array, size: int) -> Array:
    """The central square, as means over the largest blocks that leave `size` pixels a side."""
    side = min(*image.shape[:2], FULL)
    block = max(1, side // size)
    n = min(size, side // block) // 2 * 2
    y, x = ((length - n * block) // 2 for length in image.shape[:2])
    square = image[y : y + n * block, x : x + n * block]
    return square.reshape(n, block, n, block, -1).mean((1, 3))


def _photo(name: str, kodak: Path) -> Array:
    import imageio.v3 as imageio
    from skimage import data

    shipped: dict[str, Callable[[], NDArray[np.uint8]]] = {
        "astronaut": data.astronaut,
        "coffee": data.coffee,
        "chelsea": data.chelsea,
        "rocket": data.rocket,
    }
    if name in shipped:
        return shipped[name]() / 255
    file = kodak / f"{name}.png"
    if not file.exists():
        raise FileNotFoundError(f"{file} is not there. Name the folder of the Kodak photos.")
    return np.asarray(imageio.imread(file)) / 255


def _text(seed: int) -> Array:
    """Seven to ten strings of 1 to 14 letters, in sizes of 10 to 80 pixels."""
    from PIL import Image, ImageDraw, ImageFont

    draw = np.random.default_rng(seed)
    page = Image.new("RGB", (FULL, FULL), "white")
    pen = ImageDraw.Draw(page)
    for _ in range(draw.integers(7, 11)):
        letters = "".join(draw.choice(list(ascii_letters), draw.integers(1, 15)))
        font = ImageFont.load_default(draw.uniform(10, 80))
        x, y = (int(v) for v in draw.integers(-FULL // 8, FULL, 2))
        r, g, b = (int(v) for v in draw.integers(0, 256, 3))
        pen.text((x, y), letters, fill=(r, g, b), font=font)
    return np.asarray(page) / 255
