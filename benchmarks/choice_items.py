"""The items that the choice of a bandwidth is judged on: pictures, sounds, volumes, a video, scattered points.

Made, because nothing of the kind is at hand: the second volume (`phantom`: fourteen ellipsoids of sharp edges, four of
them textured, over a smooth background) and the video (`zoom`: a photo of scikit-image into which a camera
moves slowly, by a third over all frames, while it turns by ten degrees). The points are 4,000 random pixels of
a real photo's luminance, after means over blocks of its pixels (the `alpine` photo, a square of 484).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import radians
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.signals import SHARED
from benchmarks.table1_pictures import NATURAL, at_size, picture
from ntkit.tasks import AbstractTask, Audio, Image, Points, Video, Volume

IMAGES, SOUNDS, VOLUMES = ("kodim05", "kodim23", "chelsea"), ("speech", "piano"), ("mri", "phantom")
VIDEOS, POINTS = ("zoom",), ("alpine",)
ITEMS = ("kodim05", "speech", "mri", "zoom", "alpine", "piano", "kodim23", "phantom", "chelsea")
"""One of each kind first."""

PHOTOS = tuple(name for name in NATURAL if name not in ITEMS)
"""With those among the items, the four of Kodak and four that ship with scikit-image."""


@dataclass(frozen=True)
class Size:
    """How large the items and the networks are.

    Attributes:
        pixels: Of a picture along a side, and of the photo that the points are of.
        samples: Of a sound.
        voxels: Of a volume along a side.
        frames: Of the video.
        side: Of a frame.
        points: Scattered ones.
        width: Of the network, four hidden layers deep.
        n_frequencies: Of the encodings.
        batch_size: Samples a step.
    """

    pixels: int
    samples: int
    voxels: int
    frames: int
    side: int
    points: int
    width: int
    n_frequencies: int
    batch_size: int


SIZES = {
    "reduced": Size(128, 15_000, 36, 16, 48, 4000, 64, 64, 256),
    "full": Size(512, 60_000, 90, 48, 128, 20_000, 256, 256, 4096),
}


def item(name: str, size: Size, data: Path = SHARED) -> AbstractTask:
    """The task of that name.

    Raises:
        FileNotFoundError: It is of `../shared/data` (`data`), which is not there.
    """
    if name in NATURAL:
        return Image(torch.from_numpy(picture(name, size.pixels, data / "kodak")))
    makers: dict[str, Callable[[Size, Path], AbstractTask]] = {
        "speech": _speech,
        "piano": _piano,
        "mri": _mri,
        "phantom": lambda size, _: Volume(phantom(size.voxels)),
        "zoom": lambda size, _: Video(zoom(size.frames, size.side)),
        "alpine": _alpine,
    }
    return makers[name](size, data)


def _speech(size: Size, data: Path) -> Audio:
    """Spoken words of 1.25 s at 48 kHz, of which neighbours are averaged where fewer samples are asked for."""
    file = _there(data / "audio/speech.wav")
    return Audio(file, start=0.1, stop=1.35, downscale=max(1, 60_000 // size.samples))


def _piano(size: Size, data: Path) -> Audio:
    """The left channel of a note from its stroke on, 1.25 s at 48 kHz, shrunk likewise."""
    factor = max(1, 60_000 // size.samples)
    file = _there(data / "audio/piano_c4.ogg")
    both = Audio(file, start=0.0, stop=1.25, downscale=factor)
    return Audio(both.values[:, 0], rate=both.rate)


def _mri(size: Size, data: Path) -> Volume:
    """Colin27, means over boxes, a cube of its middle."""
    factor = max(1, 180 // size.voxels)
    values = Volume(_there(data / "mri/ch2.nii.gz"), downscale=factor).values
    n = min(size.voxels, *values.shape[:3]) // 2 * 2
    at = tuple(slice((k - n) // 2, (k - n) // 2 + n) for k in values.shape[:3])
    return Volume(values[at])


def _alpine(size: Size, data: Path) -> Points:
    import imageio.v3 as imageio

    photo = np.asarray(imageio.imread(_there(data / "images/french-alpine-landscape.jpg"))) / 255
    luminance = at_size(photo, size.pixels)[..., :3] @ np.array([0.2126, 0.7152, 0.0722])
    n = len(luminance)
    places = np.random.default_rng(0).permutation(n * n)[: size.points]
    yx = np.stack([places // n, places % n], 1) / n
    return Points(torch.from_numpy(yx), torch.from_numpy(luminance.reshape(-1)[places]))


def phantom(n: int) -> torch.Tensor:
    """Ellipsoids in a box, `[n, n, n]`, in [0, 1]; each voxel a mean of 2 x 2 x 2."""
    draw = np.random.default_rng(3)
    m = 2 * n
    axis = (np.arange(m) + 0.5) / m
    x = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1)
    values = 0.15 + 0.1 * np.sin(2 * np.pi * x @ np.array([0.7, 0.4, 0.9]))
    for k in range(14):
        centre, radii = draw.uniform(0.2, 0.8, 3), draw.uniform(0.06, 0.28, 3)
        level, wave = draw.uniform(0.2, 0.9), draw.normal(0, 8, 3)
        inside = (((x - centre) / radii) ** 2).sum(-1) < 1
        texture = 0.08 * np.sin(2 * np.pi * (x[inside] @ wave)) if k % 4 == 0 else 0.0
        values[inside] = level + texture
    return torch.from_numpy(values.reshape(n, 2, n, 2, n, 2).mean((1, 3, 5)).clip(0, 1))


def zoom(frames: int, side: int) -> torch.Tensor:
    """`[frames, side, side, 3]`: a camera moves into the astronaut's photo, and turns."""
    photo = torch.from_numpy(picture("astronaut", 4 * side)).permute(2, 0, 1)[None].float()
    found = []
    for t in torch.linspace(0, 1, frames).tolist():
        near, angle = 0.9 / (1 + t / 3), torch.tensor(radians(10 * t))
        cos, sin = near * torch.cos(angle), near * torch.sin(angle)
        turn = torch.tensor([[[cos, -sin, 0.0], [sin, cos, 0.0]]])
        grid = nn.functional.affine_grid(turn, [1, 3, 4 * side, 4 * side], align_corners=False)
        frame = nn.functional.grid_sample(photo, grid, align_corners=False)
        found.append(nn.functional.avg_pool2d(frame, 4)[0].permute(1, 2, 0))
    return torch.stack(found).double().clamp(0, 1)


def _there(file: Path) -> Path:
    if not file.exists():
        raise FileNotFoundError(f"{file} is not there.")
    return file
