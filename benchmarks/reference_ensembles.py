"""The reference grids over again on a GPU: every bandwidth of every signal, from several seeds.

    python -m benchmarks.reference_ensembles --out FILE [--signals a,b] [--seeds 4] [--seconds 500]

`reference_grids` trains one network at a time, from one seed. Here those of all bandwidths and seeds of
a signal are trained together, to the same specification, in float32 without TF32: parameters are stacked
along a leading axis (`torch.func.stack_module_state`), on which Adam and averages act entry by entry, so
that every member is trained as it would be alone. On the seed and in full batches, where nothing else is
drawn, members agree with `ntkit.tasks.train` to rounding (`--check`). 40 networks take about half a
minute on one H100.

Several seeds tell what one run cannot: how far apart two trainings of the same thing end, and so what
a regret that is measured on one seed is worth.

FILE is written after every signal; what it holds is not trained again. An entry is, for each seed,

- `psnr`: steps to [training samples, held-out samples], dB, of the last step's weights, on all samples;
- `averaged`: the same of those or their running average, whichever fits the training samples better.
"""

import argparse
import json
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from benchmarks.reference_grids import BANDWIDTHS
from benchmarks.report import RESULTS
from ntkit.encodings import Gaussian
from ntkit.networks import mlp
from ntkit.tasks import Signal, psnr
from ntkit.tasks.training import decayed_average

PATH = RESULTS / "reference_ensembles.json"
STEPS = (30, 100, 300, 600, 1000, 2000)
BATCH, RATE = 4096, 1e-3

_ROWS = 2**18  # encoded at once, over all members

Entry = dict[str, dict[str, list[list[float]]]]


class Ensemble:
    """Networks of one shape, trained together, each as it would be alone.

    Args:
        networks: All of the same modules.
        device: Where to train.
    """

    def __init__(self, networks: list[nn.Module], device: torch.device) -> None:
        parameters, buffers = stack_module_state(networks)
        self.parameters = {k: v.detach().to(device).requires_grad_() for k, v in parameters.items()}
        self.buffers = {k: v.to(device) for k, v in buffers.items()}
        self.mean = {k: v.detach().clone() for k, v in self.parameters.items()}
        self._skeleton = deepcopy(networks[0]).to("meta")
        self._optimiser = torch.optim.Adam(list(self.parameters.values()), lr=RATE, fused=True)
        self._steps = 0

    def outputs(self, parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        """Of every member on inputs of its own: `[members, n, d]` to `[members, n, o]`."""

        def one(p: dict[str, Tensor], b: dict[str, Tensor], x: Tensor) -> Tensor:
            return functional_call(self._skeleton, (p, b), (x,))

        return vmap(one)(parameters, self.buffers, x)

    def step(self, x: Tensor, y: Tensor) -> None:
        """One step of Adam on `[members, n, d]` and `[members, n, o]`."""
        self._optimiser.zero_grad()
        loss = (self.outputs(self.parameters, x) - y).square().mean((1, 2)).sum()
        loss.backward()
        self._optimiser.step()
        with torch.no_grad():
            for name, value in self.parameters.items():
                mean = self.mean[name]
                if self._steps:
                    mean.copy_(decayed_average(mean, value, self._steps))
                else:
                    mean.copy_(value)
        self._steps += 1

    @torch.no_grad()
    def errors(self, parameters: dict[str, Tensor], points: Tensor, values: Tensor) -> Tensor:
        """Mean square error of each member on the same samples."""
        members = len(next(iter(parameters.values())))
        rows = max(1, _ROWS // members)
        total = torch.zeros(members, dtype=torch.float64, device=points.device)
        for x, y in zip(points.split(rows), values.split(rows), strict=True):
            found = self.outputs(parameters, x.expand(members, -1, -1))
            total += (found - y).square().sum((1, 2), dtype=torch.float64)
        return total / values.numel()


def train_grid(
    signal: Signal, bandwidths: tuple[int, ...], seeds: range, device: torch.device
) -> dict[int, Entry]:
    """Entries by bandwidth."""
    networks: list[nn.Module] = []
    for bandwidth in bandwidths:
        for seed in seeds:
            draw = torch.Generator().manual_seed(seed)
            encoding = Gaussian(len(signal.shape), 256, bandwidth, draw)
            networks.append(mlp(encoding, signal.n_outputs, width=256, depth=4, generator=draw))
    ensemble = Ensemble(networks, device)
    mask = signal.held_out().flatten().to(device)
    points = signal.grid.points().float().to(device)
    values = signal.values.reshape(len(points), -1).float().to(device)
    kinds = [(points[own], values[own]) for own in (~mask, mask)]
    (x, y), members = kinds[0], len(networks)
    draw = torch.Generator(device).manual_seed(seeds.start)
    found: dict[int, Entry] = {b: {"psnr": {}, "averaged": {}} for b in bandwidths}
    for step in range(1, STEPS[-1] + 1):
        if len(y) > BATCH:
            batch = torch.randint(len(y), (members, BATCH), generator=draw, device=device)
            ensemble.step(x[batch], y[batch])
        else:
            ensemble.step(x.expand(members, -1, -1), y.expand(members, -1, -1))
        if step in STEPS:
            own, mean = (
                torch.stack([ensemble.errors(p, *kind) for kind in kinds], -1)
                for p in (ensemble.parameters, ensemble.mean)
            )
            better = torch.where(mean[:, :1] < own[:, :1], mean, own)
            for name, errors in {"psnr": own, "averaged": better}.items():
                table = [[round(psnr(e), 3) for e in pair] for pair in errors.tolist()]
                for i, bandwidth in enumerate(bandwidths):
                    part = table[i * len(seeds) : (i + 1) * len(seeds)]
                    found[bandwidth][name][str(step)] = part
    return found


def read(path: Path = PATH) -> dict[str, dict[int, Entry]]:
    """Entries by signal and bandwidth."""
    found: dict[str, dict[int, Entry]] = {}
    if path.exists():
        for key, entry in json.loads(path.read_text(encoding="utf-8"))["runs"].items():
            name, _, bandwidth = key.rpartition("|")
            found.setdefault(name, {})[int(bandwidth)] = entry
    return found


def write(path: Path, about: str, runs: dict[str, dict[int, Entry]]) -> None:
    """One line an entry, keyed `signal|bandwidth`."""
    lines = [
        f"{json.dumps(f'{name}|{b}')}: {json.dumps(entries[b])}"
        for name, entries in runs.items()
        for b in sorted(entries)
    ]
    text = f'{{"about": {json.dumps(about)},\n"runs": {{\n' + ",\n".join(lines) + "\n}}\n"
    path.write_text(text, encoding="utf-8")


def packed(path: Path) -> dict[str, Signal]:
    """Signals of a file of tensors, 8-bit ones as such: for a machine without their packages."""
    arrays: dict[str, Any] = torch.load(path)
    return {
        name: Signal(v.double() / 255 if v.dtype == torch.uint8 else v.double(), n_axes=v.ndim - 1)
        for name, v in arrays.items()
    }


def main() -> None:
    start = time.perf_counter()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=PATH)
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--signals", default="")
    parser.add_argument("--bandwidths", default=",".join(map(str, BANDWIDTHS)))
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=1e9, help="start no signal after this")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    signals = packed(arguments.pack)
    names = arguments.signals.split(",") if arguments.signals else list(signals)
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    bandwidths = tuple(map(int, arguments.bandwidths.split(",")))
    runs = read(arguments.out)
    for name in names:
        if name in runs or time.perf_counter() - start > arguments.seconds:
            continue
        began = time.perf_counter()
        runs[name] = train_grid(signals[name], bandwidths, seeds, torch.device(arguments.device))
        write(arguments.out, (__doc__ or "").strip(), runs)
        print(name, f"{time.perf_counter() - began:.1f} s", flush=True)


if __name__ == "__main__":
    main()
