"""The trainings of `table1_images`, one a picture and encoding, saved as each ends.

    python -m benchmarks.table1_runs [--size 128] [--kinds text] [--device cuda] [--out FILE] [--kodak FOLDER]

With `--size 512` it is the paper's protocol in full, for a GPU: an hour a picture of one core. What FILE
already holds is not trained again, and the file is written after every training, so that it can be stopped
at any time; several processes may share it. Pictures come in turn, a photo and a page of text, each with its
four encodings. One thread, float32, seed 0 for the frequencies and the weights of every case, as theirs is
one seed for all.

The protocol is that of the notebook that printed the paper's Table 1
(github.com/tancik/fourier-feature-networks, `Experiments/2d_image_regression.ipynb`, "Paper Experiments"):

- three hidden ReLU layers of 256 and a read-out, which makes the paper's four layers, and a sigmoid; weights
  normal of variance `2 / (fan_in + fan_out)`, biases normal of deviation 0.01;
- all training pixels in each step of Adam, 2,000 steps; learning rate 1e-3, but 1e-2 for none and basic on
  photos (on text the notebook leaves them at 1e-3);
- 256 frequencies: Gaussian of bandwidth 10 (photos) or 14 (text); positional `2^linspace(0, s, 128) - 1` along
  each axis, `s = 6` (photos) or 5 (text).

Smaller pictures are trained on twice more, with the positional and the Gaussian frequencies times `size / 512`:
the same number of cycles per pixel as in the paper.

Its numbers are read after step 1,976, the last multiple of 25; ours after 2,000.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import zip_longest
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.kept import Entry, keep, read
from benchmarks.report import RESULTS
from benchmarks.table1_pictures import FULL, NATURAL, TEXT, Array, picture
from ntkit.encodings import AbstractEncoding, AbstractFourier, Basic, Gaussian, Identity
from ntkit.networks import mlp
from ntkit.tasks import psnr

PATH = RESULTS / "table1_runs.json"
STEPS = 2000
N_FREQUENCIES = 256


@dataclass(frozen=True)
class Kind:
    """What the paper chose for a kind of picture.

    Attributes:
        pictures: Their names.
        bandwidth: Of the Gaussian frequencies, cycles per unit.
        octaves: The highest positional frequency is `2^octaves - 1` cycles per unit.
        slow_lr: Learning rate without encoding and with the basic one.
    """

    pictures: tuple[str, ...]
    bandwidth: float
    octaves: int
    slow_lr: float


KINDS = {"natural": Kind(NATURAL, 10.0, 6, 1e-2), "text": Kind(TEXT, 14.0, 5, 1e-3)}
ENCODINGS = ("none", "basic", "positional", "gaussian")
SCALED = ("positional scaled", "gaussian scaled")
"""Of pictures smaller than the paper's: frequencies times the ratio of the sizes."""


class _LogSpaced(AbstractFourier):
    """`scale (2^linspace(0, octaves, m / 2) - 1)` along each of two axes; the first are constants."""

    def __init__(self, octaves: int, scale: float) -> None:
        cycles = scale * (2.0 ** torch.linspace(0, octaves, N_FREQUENCIES // 2) - 1)
        super().__init__(torch.kron(torch.eye(2), cycles[:, None]))


def encoding_of(kind: Kind, name: str, size: int, generator: torch.Generator) -> AbstractEncoding:
    if name == "none":
        return Identity(2)
    if name == "basic":
        return Basic(2)
    scale = size / FULL if name in SCALED else 1.0
    if name.startswith("positional"):
        return _LogSpaced(kind.octaves, scale)
    return Gaussian(2, N_FREQUENCIES, scale * kind.bandwidth, generator)


def split(image: Array, device: str) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Points `[n, 2]` in [0, 1) and colours `[n, 3]` of `[::2, ::2]`, and of `[1::2, 1::2]`."""
    axis = torch.arange(len(image)) / len(image)
    points = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1)
    colours = torch.from_numpy(image).float()

    def part(first: int) -> tuple[Tensor, Tensor]:
        cut = (slice(first, None, 2),) * 2
        return points[cut].reshape(-1, 2).to(device), colours[cut].reshape(-1, 3).to(device)

    return part(0), part(1)


def run(kind: Kind, name: str, image: Array, device: str = "cpu", steps: int = STEPS) -> Entry:
    """Train once: PSNR of both halves after the last step, dB, and seconds of training."""
    generator = torch.Generator().manual_seed(0)
    encoding = encoding_of(kind, name, len(image), generator).to(device)
    network = nn.Sequential(*list(mlp(encoding, 3, width=256, depth=3, generator=generator))[1:])
    for layer in network:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_normal_(layer.weight, generator=generator)
            nn.init.normal_(layer.bias, std=0.01, generator=generator)
    network = network.append(nn.Sigmoid()).to(device)
    (x, y), (x_test, y_test) = split(image, device)
    features, features_test = encoding(x), encoding(x_test)
    lr = kind.slow_lr if name in {"none", "basic"} else 1e-3
    optimiser = torch.optim.Adam(network.parameters(), lr=lr, fused=True)
    start = time.perf_counter()
    for _ in range(steps):
        optimiser.zero_grad()
        nn.functional.mse_loss(network(features), y).backward()
        optimiser.step()
    with torch.no_grad():
        errors = [
            float(nn.functional.mse_loss(network(f), t))
            for f, t in ((features, y), (features_test, y_test))
        ]
    seconds = time.perf_counter() - start
    return {
        "train": round(psnr(errors[0]), 3),
        "test": round(psnr(errors[1]), 3),
        "pixels": len(image),
        "steps": steps,
        "seconds": round(seconds, 1),
        "by": f"ntkit {version('ntkit')}",
    }


def cases(kinds: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Kind and picture, in turn."""
    for row in zip_longest(*(KINDS[kind].pictures for kind in kinds)):
        yield from ((kind, name) for kind, name in zip(kinds, row, strict=True) if name)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=128, help="pixels a side")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=PATH)
    parser.add_argument("--kodak", type=Path, help="folder of the Kodak photos")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # gradients of a finished fit, or they take ten times as long
    for kind, name in cases(arguments.kinds.split(",")):
        try:
            image = picture(name, arguments.size, arguments.kodak)
        except FileNotFoundError as error:
            print(f"{name}: skipped. {error}", flush=True)
            continue
        for encoding in (*ENCODINGS, *(SCALED if arguments.size < FULL else ())):
            key = f"{arguments.size}|{kind}|{name}|{encoding}"
            if key not in read(arguments.out):
                entry = run(KINDS[kind], encoding, image, arguments.device)
                keep(arguments.out, key, entry)
                print(key, entry, flush=True)


if __name__ == "__main__":
    main()
