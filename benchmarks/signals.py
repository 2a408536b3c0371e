"""The signals that the benchmarks fit, each in [0, 1].

`photo` is scikit-image's astronaut. `load` knows the signals of the choice of bandwidth: six photos at
512 x 512 and three of them at 128 x 128, two scans of text, two textures, a smooth one, a slice of an
MRI scan and an elevation map; an electrocardiogram stands beside the list. The Kodak photos and the
MRI scan are read from `../shared/data`, beside the repository; the others ship inside packages of the
extra `bench`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from skimage import data
from skimage.transform import resize
from torch import Tensor

from ntkit.tasks import Signal

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"

KINDS = {
    "photo": ("kodim05", "kodim08", "kodim19", "kodim23", "astronaut", "coffee"),
    "photo at 128": ("kodim08@128", "kodim19@128", "astronaut@128"),
    "text": ("page", "text"),
    "texture": ("brick", "gravel"),
    "smooth": ("moon",),
    "MRI": ("mri",),
    "elevation": ("elevation",),
}
"""The list: names by kind."""

LISTED = tuple(name for names in KINDS.values() for name in names)
BESIDE = ("ecg",)
"""Trained and reported too, but in no summary: the list asks for an elevation map or an ECG."""

Array = NDArray[np.float64]


def photo(size: int = 512) -> Tensor:
    """The astronaut, `[size, size, 3]`, float64; smaller ones are means over blocks."""
    return torch.from_numpy(_means(data.astronaut() / 255, 512 // size))


def load(name: str) -> Signal:
    """The signal of that name.

    Raises:
        FileNotFoundError: It is one of `../shared/data`, which is not there.
        KeyError: There is none of that name.
    """
    if name.endswith("@128"):
        return Signal(torch.from_numpy(_means(load(name[:-4]).values.numpy(), 4)))
    if name.startswith("kodim"):
        return Signal(torch.from_numpy(_kodak(name)))
    return Signal(torch.from_numpy(np.ascontiguousarray(_LOADERS[name]())))


def load_all(names: Sequence[str]) -> dict[str, Signal]:
    """The signals that can be loaded here; a line is printed for each that cannot."""
    found = {}
    for name in names:
        try:
            found[name] = load(name)
        except (FileNotFoundError, ModuleNotFoundError) as error:
            print(f"{name}: skipped. {error}")
    return found


def _means(image: Array, block: int) -> Array:
    h, w = (n // block for n in image.shape[:2])
    return image[: h * block, : w * block].reshape(h, block, w, block, -1).mean((1, 3))


def _centre_square(image: Array) -> Array:
    side = min(image.shape[:2])
    y, x = ((n - side) // 2 for n in image.shape[:2])
    return image[y : y + side, x : x + side]


def _rescaled(values: Array) -> Array:
    return (values - values.min()) / (values.max() - values.min())


def _shared(path: str) -> Path:
    file = SHARED / path
    if not file.exists():
        raise FileNotFoundError(f"It is read from ../shared/data/{path}, which is not there.")
    return file


def _kodak(name: str) -> Array:
    import imageio.v3 as imageio

    return _centre_square(imageio.imread(_shared(f"kodak/{name}.png")) / 255)


def _coffee() -> Array:
    square = _centre_square(data.coffee() / 255)  # 400 x 400 of 400 x 600
    return resize(square, (512, 512), order=3, anti_aliasing=True).clip(0, 1)


def _mri() -> Array:
    import nibabel

    return np.asarray(nibabel.load(_shared("mri/ch2.nii.gz")).dataobj)[:, :, 90] / 255


def _elevation() -> Array:
    from matplotlib.cbook import get_sample_data

    return _rescaled(get_sample_data("jacksboro_fault_dem.npz")["elevation"].astype(float))


def _ecg() -> Array:
    import pywt.data

    return _rescaled(pywt.data.ecg().astype(float))


_LOADERS: dict[str, Callable[[], Array]] = {
    "astronaut": lambda: data.astronaut() / 255,
    "coffee": _coffee,
    "page": lambda: data.page() / 255,
    "text": lambda: data.text() / 255,
    "brick": lambda: data.brick() / 255,
    "gravel": lambda: data.gravel() / 255,
    "moon": lambda: data.moon() / 255,
    "mri": _mri,
    "elevation": _elevation,
    "ecg": _ecg,
}
