"""The pictures that are measured and reconstructed, at any size, and what is measured of them.

Of each kind: phantoms of our own and Shepp and Logan's (scikit-image), slices of a brain (Colin27), slices of a head (CT,
Hounsfield units made attenuation: 0.02 / mm for water, in units of it), photographs. All lie inside of the circle that
every view sees, unless the whole square is asked for. Values are at most of order one.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.signals import SHARED

PHANTOMS = ("shepp", "discs", "bars")
BRAINS = tuple(f"brain{z}" for z in range(40, 124, 7))
HEADS = tuple(f"head{k}" for k in range(6))
PHOTOS = ("kodim05", "kodim08", "kodim19", "kodim23", "astronaut", "camera")
KINDS = {"phantom": PHANTOMS, "brain": BRAINS, "head": HEADS, "photo": PHOTOS}


def kind_of(name: str) -> str:
    return next(kind for kind, names in KINDS.items() if name in names)


def picture(name: str, size: int, data: Path = SHARED, *, is_round: bool = True) -> Tensor:
    """`[size, size]`, float64, zero off the circle if it is to be round.

    Raises:
        FileNotFoundError: It is of `../shared/data`, which is not there.
    """
    whole = _made(name, data, size)
    return whole * _circle(size) if is_round else whole


@cache
def _made(name: str, data: Path, size: int) -> Tensor:
    kind = kind_of(name)
    make: Callable[[str, int, Path], np.ndarray] = {
        "phantom": _phantom,
        "brain": _brain,
        "head": _head,
        "photo": _photo,
    }[kind]
    return _resized(make(name, size, data), size)


def _resized(array: np.ndarray, size: int) -> Tensor:
    whole = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float64))[None, None]
    resize = torch.nn.functional.interpolate
    return resize(whole, size=(size, size), mode="bilinear", antialias=True, align_corners=False)[
        0, 0
    ]


def _circle(size: int) -> Tensor:
    place = (torch.arange(size, dtype=torch.float64) - (size - 1) / 2) / (size / 2)
    return (place[:, None] ** 2 + place**2 <= 0.97**2).double()


def _phantom(name: str, size: int, data: Path) -> np.ndarray:
    del data
    if name == "shepp":
        from skimage.data import shepp_logan_phantom

        return shepp_logan_phantom()
    y, x = np.mgrid[:1024, :1024] / 512 - 1
    found = np.zeros_like(x)
    if name == "discs":
        draw = np.random.default_rng(3)
        found += 0.3 * (x**2 + y**2 < 0.8)
        for _ in range(14):
            angle, far, radius = (
                draw.uniform(0, 6.28),
                draw.uniform(0, 0.7),
                draw.uniform(0.03, 0.2),
            )
            inside = (x - far * np.cos(angle)) ** 2 + (y - far * np.sin(angle)) ** 2 < radius**2
            found += draw.uniform(-0.25, 0.4) * inside
        return found.clip(0, 1)
    found += 0.4 * ((np.abs(x) < 0.65) & (np.abs(y) < 0.65))
    for k, width in enumerate((0.02, 0.03, 0.05, 0.08)):
        band = np.abs(y + 0.45 - 0.3 * k) < 0.1
        found += 0.5 * (band & (np.floor((x + 1) / width) % 2 == 0) & (np.abs(x) < 0.5))
    return found


def _brain(name: str, size: int, data: Path) -> np.ndarray:
    del size
    import nibabel

    file = data / "mri" / "ch2.nii.gz"
    if not file.exists():
        raise FileNotFoundError(f"{file} is not there.")
    whole = np.asarray(nibabel.nifti1.load(file).dataobj)[:, :, int(name.removeprefix("brain"))]
    square = np.zeros((224, 224))
    square[21:202, 3:220] = whole / 255
    return square


def _head(name: str, size: int, data: Path) -> np.ndarray:
    del size
    file = data / "ct" / "head.npz"
    if not file.exists():
        raise FileNotFoundError(f"{file} is not there.")
    hounsfield = np.load(file)["hounsfield"][int(name.removeprefix("head"))].astype(float)
    return (1 + hounsfield / 1000).clip(0)


def _photo(name: str, size: int, data: Path) -> np.ndarray:
    del size
    from PIL import Image
    from skimage import color
    from skimage import data as samples

    if name in {"astronaut", "camera"}:
        whole = getattr(samples, name)()
        return color.rgb2gray(whole) if whole.ndim == 3 else whole / 255
    file = data / "kodak" / f"{name}.png"
    if not file.exists():
        raise FileNotFoundError(f"{file} is not there.")
    whole = np.asarray(Image.open(file).convert("L")) / 255
    side = min(whole.shape)
    top, left = ((n - side) // 2 for n in whole.shape)
    return whole[top : top + side, left : left + side]


def halved(fine: Tensor) -> Tensor:
    """Means of blocks of two points a side: what a field of a fine grid is on the grid of the reconstruction."""
    pairs = [length for n in fine.shape for length in (n // 2, 2)]
    return fine.reshape(pairs).mean(tuple(range(1, 2 * fine.ndim, 2)))


def psnr(found: Tensor, true: Tensor) -> float:
    """In dB, of a peak that is the largest true value."""
    return float(10 * torch.log10(true.max() ** 2 / (found - true).square().mean()))
