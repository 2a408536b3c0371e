"""The reference grids over again on a GPU: every bandwidth of every signal, from several seeds.

    python -m benchmarks.reference_ensembles --out FILE [--signals a,b] [--seeds 4] [--pack SIGNALS]

(`results/reference_ensembles.json` has four seeds of the list, and two, `--seeds 2`, of the other signals.)

`reference_grids` trains one network at a time, from one seed. Here those of all bandwidths and seeds of
a signal are trained together, to the same specification, in float32 without TF32: parameters are stacked
along a leading axis (`torch.func.stack_module_state`), on which Adam and averages act entry by entry, so
that each member is trained as it would be alone. In full batches, where nothing but the start is drawn,
they agree with `reference_grids.run` of their seed to 0.001 dB as long as rounding does (20 steps of
`astronaut@128`). 40 networks take 24 seconds on one H100, half an hour on two cores.

Several seeds tell what one run cannot: how far apart two trainings of the same thing end, and so what
a regret that is measured on one seed is worth.

A machine that lacks the packages of the signals takes them from a file: made by `--write-pack SIGNALS`,
read by `--pack SIGNALS`. What FILE holds is not trained again; it is written after every signal. An entry
is, for each seed,

- `psnr`: steps to [training samples, held-out samples], dB, of the last step's weights, on all samples;
- `averaged`: the same of those or their running average, whichever fits the training samples better.
"""

import argparse
import time
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from benchmarks.reference_grids import BANDWIDTHS, Entry, read, write
from benchmarks.report import RESULTS
from benchmarks.signals import BESIDE, LISTED, OTHERS, load_all
from ntkit.encodings import Gaussian
from ntkit.networks import mlp
from ntkit.tasks import Signal, psnr
from ntkit.tasks.trainer import decayed_average

PATH = RESULTS / "reference_ensembles.json"
STEPS = (30, 100, 300, 600, 1000, 2000)
BATCH, RATE = 4096, 1e-3

_ROWS = 2**18  # encoded at once, over all members


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
    signal: Signal, bandwidths: Sequence[int], seeds: range, device: torch.device
) -> dict[int, Entry]:
    """Entries by bandwidth."""
    networks: list[nn.Module] = []
    for bandwidth in bandwidths:
        for seed in seeds:
            draw = torch.Generator().manual_seed(seed)
            encoding = Gaussian(len(signal.shape), 256, bandwidth, draw)
            networks.append(mlp(encoding, signal.n_outputs, width=256, depth=4, generator=draw))
    ensemble = Ensemble(networks, device)
    mask = signal.held_out.flatten().to(device)
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


def pack(path: Path, signals: dict[str, Signal]) -> None:
    """Write signals to a file of tensors, those of 8 bits as such."""
    tensors = {}
    for name, signal in signals.items():
        levels = (signal.values * 255).round()
        exact = bool((levels / 255 == signal.values).all())
        tensors[name] = levels.byte() if exact else signal.values.float()
    torch.save(tensors, path)


def packed(path: Path) -> dict[str, Signal]:
    """The signals of such a file."""
    tensors: dict[str, Tensor] = torch.load(path)
    return {
        name: Signal(v.double() / 255 if v.dtype == torch.uint8 else v.double(), n_axes=v.ndim - 1)
        for name, v in tensors.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=PATH)
    parser.add_argument("--signals", default=",".join((*LISTED, *OTHERS, *BESIDE)))
    parser.add_argument("--bandwidths", default=",".join(map(str, BANDWIDTHS)))
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--pack", type=Path)
    parser.add_argument("--write-pack", type=Path)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    names = arguments.signals.split(",")
    signals = packed(arguments.pack) if arguments.pack else load_all(names)
    if arguments.write_pack:
        pack(arguments.write_pack, signals)
        return
    bandwidths = tuple(map(int, arguments.bandwidths.split(",")))
    runs = read(arguments.out)
    for name in names:
        if name in signals and name not in runs:
            start, device = time.perf_counter(), torch.device(arguments.device)
            runs[name] = train_grid(signals[name], bandwidths, range(arguments.seeds), device)
            write(arguments.out, (__doc__ or "").strip(), runs)
            print(name, f"{time.perf_counter() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
