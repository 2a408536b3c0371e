"""Losses of real networks over ten thousand steps, made once for `theory_1d`.

    python -m benchmarks.theory_curves [WORKER WORKERS]

writes one JSON a network to `results/theory_1d/`; what is there already is not trained again. Half an
hour of one core.
"""

import json
import sys
from itertools import product

import torch

import ntkit
from benchmarks.report import RESULTS
from examples.fourier_features_1d import POWERS, TRAIN, descend, network, one_over_f

FOLDER = RESULTS / "theory_1d"
WIDTH, RATE = 1024, 0.5
STEPS = [0, *sorted({round(10 ** (i / 8)) for i in range(33)})]
SCALES = (1.0, 0.01, 0.0001)


def curve(name: str, scale: float) -> dict:
    """Train one network in float64 at `RATE / lambda_max` on the signal times `scale`."""
    net = network(POWERS[name], WIDTH, torch.Generator().manual_seed(0))
    lr = RATE / float(torch.linalg.eigvalsh(ntkit.ntk(net)(TRAIN.points()))[-1])
    y = scale * one_over_f(torch.Generator().manual_seed(0))
    train, test = descend(net.double(), y, lr, STEPS, stop=1e-6)
    return {"name": name, "scale": scale, "lr": lr, "train": train, "test": test}


def main() -> None:
    worker, workers = (int(a) for a in sys.argv[1:3]) if len(sys.argv) > 2 else (0, 1)
    FOLDER.mkdir(exist_ok=True)
    for i, (scale, (k, name)) in enumerate(product(SCALES, enumerate(POWERS))):
        path = FOLDER / f"{k}_{scale:g}.json"
        if i % workers == worker and not path.exists():
            found = curve(name, scale)
            path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            print(
                name, scale, len(found["train"]), found["train"][-1] / found["train"][0], flush=True
            )


if __name__ == "__main__":
    main()
