"""The trainings of `shapes`, one a mesh and encoding, saved as each ends.

    python -m benchmarks.shape_runs [--protocol tuned|paper] [--meshes bunny00] [--steps 1000] [--batch 8192] ...

What the file holds already is not trained again, and it is written after every training, so that it can be stopped at
any time. Several processes may share it. One thread, float32, seed 0.

*tuned*: half of the points near the surface, as `ntkit.tasks.Shape` draws them; Adam at a rate that falls by 100 over
the steps; the bandwidths below. IoU on held-out points of each kind.

*paper*: that of the notebook that printed Table 1 of the Fourier-features paper
(github.com/tancik/fourier-feature-networks, `Experiments/3d_shape_occupancy.ipynb`): seven hidden ReLU layers of 256
and a read-out, 10,000 steps of Adam with 32,768 points each, uniform in the mesh's own box, a rate of 5e-4 that falls
by 10 every 5,000; 256 Gaussian frequencies of bandwidth 12, or 85 an axis, `2^linspace(0, 6, 85) - 1`; no other
encoding has coordinates in [-1, 1]. IoU on 2^18 points near the surface (the table's), and as many uniform ones. With
fewer steps the rate falls as far, and the points are ours: the longest side is 0.9 of the box.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks import meshes
from benchmarks.kept import Entry, keep, read
from benchmarks.report import RESULTS
from ntkit.encodings import AbstractEncoding, AbstractFourier, Basic, Gaussian, Identity
from ntkit.networks import mlp
from ntkit.tasks import Shape

PATH = RESULTS / "shape_runs.json"
ENCODINGS = ("none", "basic", "positional", "gaussian")
_ROWS = 2**15


@dataclass(frozen=True)
class Protocol:
    """How a network is trained.

    Attributes:
        width: Units of a hidden layer.
        depth: Hidden layers.
        steps: Of Adam.
        batch: Points a step.
        lr: Learning rate at the first step; at the last a hundredth.
        bandwidth: Of 256 Gaussian frequencies, cycles per side of the box.
        octaves: The highest positional frequency is `2^octaves - 1`.
        is_uniform: Whether all training points are uniform in the mesh's own box.
    """

    width: int
    depth: int
    steps: int
    batch: int
    lr: float
    bandwidth: float
    octaves: float
    is_uniform: bool


PROTOCOLS = {
    "tuned": Protocol(128, 4, 2000, 8192, 4e-3, 4.0, 5.0, False),
    "paper": Protocol(256, 7, 10_000, 32_768, 5e-4, 12.0, 6.0, True),
}


class _LogSpaced(AbstractFourier):
    """`2^linspace(0, octaves, 85) - 1` along each of three axes; the first are constants."""

    def __init__(self, octaves: float) -> None:
        cycles = 2.0 ** torch.linspace(0, octaves, 85) - 1
        super().__init__(torch.kron(torch.eye(3), cycles[:, None]))


class _Centred(nn.Module):
    """Coordinates in [-1, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x - 1


def network_of(protocol: Protocol, name: str) -> nn.Sequential:
    generator = torch.Generator().manual_seed(0)
    encodings: dict[str, AbstractEncoding] = {
        "none": Identity(3),
        "basic": Basic(3),
        "positional": _LogSpaced(protocol.octaves),
        "gaussian": Gaussian(3, 256, protocol.bandwidth, generator),
    }
    body = mlp(encodings[name], 1, width=protocol.width, depth=protocol.depth, generator=generator)
    return nn.Sequential(_Centred(), *list(body)[1:]) if name == "none" else body


def points_of(task: Shape, protocol: Protocol) -> tuple[Tensor, Tensor]:
    """The pool that a training draws from."""
    if not protocol.is_uniform:
        x, y = task.training()
        return x.float(), y.float()
    corners = task.truth.reshape(-1, 3).numpy()
    low, high = corners.min(0) - 1e-3, corners.max(0) + 1e-3
    n = task.n_trained
    at = np.random.default_rng(7).random((n, 3)) * (high - low) + low
    return torch.from_numpy(at).float(), torch.from_numpy(task.solid.inside(at)).float()[:, None]


def run(task: Shape, name: str, protocol: Protocol) -> Entry:
    """Train once: IoU of both kinds of held-out points after the last step, and seconds of training."""
    network, (x, y) = network_of(protocol, name), points_of(task, protocol)
    optimiser = torch.optim.Adam(network.parameters(), lr=protocol.lr)
    decay = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.01 ** (1 / protocol.steps))
    draw = torch.Generator().manual_seed(1)
    start = time.perf_counter()
    for _ in range(protocol.steps):
        batch = torch.randint(len(x), (protocol.batch,), generator=draw)
        optimiser.zero_grad()
        task.loss(network(x[batch]), y[batch]).backward()
        optimiser.step()
        decay.step()
    seconds = time.perf_counter() - start
    empty = torch.zeros(0, 3, 3).double()
    scores = task.scores(empty, network)
    return {
        "near": round(scores["IoU near the surface"], 4),
        "uniform": round(scores["IoU of uniform points"], 4),
        "seconds": round(seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--protocol", choices=PROTOCOLS, default="tuned")
    parser.add_argument("--meshes", nargs="+", default=meshes.NAMES, choices=meshes.NAMES)
    parser.add_argument("--encodings", nargs="+", default=ENCODINGS, choices=ENCODINGS)
    parser.add_argument("--points", type=int, default=2**20, help="to draw from; a quarter judges")
    parser.add_argument("--out", type=Path, default=PATH)
    for name in ("width", "depth", "steps", "batch"):
        parser.add_argument(f"--{name}", type=int)
    for name in ("lr", "bandwidth", "octaves"):
        parser.add_argument(f"--{name}", type=float)
    given = vars(parser.parse_args())
    protocol = PROTOCOLS[given["protocol"]]
    changed = {k: v for k, v in given.items() if v is not None and k in vars(protocol)}
    protocol = Protocol(**vars(protocol) | changed)
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    size = f"{protocol.depth} x {protocol.width}, {protocol.steps} x {protocol.batch} of {given['points']:,}"
    for mesh in given["meshes"]:
        try:
            task = meshes.shape(mesh, given["points"])
        except FileNotFoundError as error:
            print(f"{mesh}: skipped. {error}", flush=True)
            continue
        for encoding in given["encodings"]:
            more = {"gaussian": f" {protocol.bandwidth:g}", "positional": f" {protocol.octaves:g}"}
            key = f"{given['protocol']}|{size}|{mesh}|{encoding}{more.get(encoding, '')}"
            if key not in read(given["out"]):
                entry = run(task, encoding, protocol)
                keep(given["out"], key, entry)
                print(key, entry, flush=True)


if __name__ == "__main__":
    main()
