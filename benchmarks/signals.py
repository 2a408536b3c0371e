"""The signals that the benchmarks fit, each in [0, 1].

`photo` is scikit-image's astronaut. `load` knows the signals of the choice of bandwidth: six photos at
512 x 512 and three of them at 128 x 128, two scans of text, two textures, a smooth one, a slice of an
MRI scan and an elevation map; an electrocardiogram stands beside the list. The Kodak photos and the
MRI scan are read from `../shared/data`, beside the repository; the others ship inside packages of the
extra `bench`.

`OTHERS` stand beside the list: Adam's flow was fitted to the training curves of the list and of `SEEN`, the rule
for ties was chosen on `SEEN`, and both are judged on `UNSEEN` (two of whose photos are in `SEEN` at 128 x 128). `print` and `poster`
are lines of this repository's README and six words, set by Pillow in matplotlib's fonts.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

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

SEEN = (
    *("camera", "grass", "chelsea", "coins", "print", "poster"),
    *("camera@128", "china@128", "alpine@128"),
)
UNSEEN = ("china", "alpine", "rocket", "retina", "flower", "ihc@128")
OTHERS = (*SEEN, *UNSEEN)

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
        whole = load(name[:-4]).values.numpy()
        return Signal(torch.from_numpy(_means(whole, whole.shape[0] // 128)[:128, :128]))
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


def _cropped(image: Array) -> Array:
    """The central square of 512, or the largest there is."""
    square = _centre_square(image[..., :3] / 255 if image.ndim == 3 else image[..., None] / 255)
    skip = max(0, len(square) - 512) // 2
    return square[skip : skip + 512, skip : skip + 512]


def _alpine() -> Array:
    import imageio.v3 as imageio

    return _cropped(imageio.imread(_shared("images/french-alpine-landscape.jpg")))


def _sample(name: str) -> Array:
    from sklearn.datasets import load_sample_image

    return _cropped(load_sample_image(f"{name}.jpg"))


_PRINT = """\
# ntkit **Neural tangent kernels and
Fourier-feature positional encodings, in
PyTorch.** You fit a coordinate network to an
image, a recording, a volume. Which positional
encoding, which bandwidth, for this signal and
this training budget? ntkit answers from the
network's tangent kernel in seconds, instead of
a night of grid search, and proves the answer
with a real training run. ![PSNR predicted from
the kernel against the bandwidth, one curve a
budget, and the run that was
trained](docs/images/bandwidth.png)
*Predicted from the kernel alone; the star is the
network that was then trained.* ![The target,
the same network with no encoding, with the
recommended one, and its
error](docs/images/images.png) ## Try it ```sh
git clone <this repository> ntkit && cd ntkit
make demo # tunes a real photo, trains the
recommended network, writes
"""


def _font(name: str, size: int) -> Any:
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf" / name, size)


def _print() -> Array:
    from PIL import Image, ImageDraw

    page = Image.new("L", (384, 384), 255)
    pen = ImageDraw.Draw(page)
    for k, line in enumerate(_PRINT.splitlines()):
        pen.text((6, 4 + 19 * k), line, fill=0, font=_font("DejaVuSerif.ttf", 15))
    return np.asarray(page)[..., None] / 255


def _poster() -> Array:
    from PIL import Image, ImageDraw

    page = Image.new("1", (512, 512), 1)
    pen = ImageDraw.Draw(page)
    for k, line in enumerate(("Kernel", "tangent", "spectra", "Fourier", "512 xyz", "bias &w")):
        pen.text((20, 10 + 80 * k), line, fill=0, font=_font("DejaVuSans-Bold.ttf", 64))
    return np.asarray(page)[..., None].astype(float)


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
    "alpine": _alpine,
    "camera": lambda: _cropped(data.camera()),
    "chelsea": lambda: _cropped(data.chelsea()),
    "china": lambda: _sample("china"),
    "coins": lambda: _cropped(data.coins()),
    "flower": lambda: _sample("flower"),
    "grass": lambda: _cropped(data.grass()),
    "ihc": lambda: _cropped(data.immunohistochemistry()),
    "poster": _poster,
    "print": _print,
    "retina": lambda: _cropped(data.retina()),
    "rocket": lambda: _cropped(data.rocket()),
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
