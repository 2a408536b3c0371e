"""`python -m benchmarks NAME ...`: run benchmarks, print their tables, write them to `results/`."""

import argparse
import os
import sys
import time
from importlib import import_module
from pathlib import Path

HELPERS = {
    "__init__",
    "__main__",
    "ablation_runs",
    "choice_items",
    "choice_runs",
    "choice_seeds",
    "deepinv_check",
    "empirical_networks",
    "empirical_peer",
    "empirical_timing",
    "family_runs",
    "fresh",
    "fuzz_cases",
    "grid_run",
    "house_cases",
    "kept",
    "memory",
    "meshes",
    "peer_dynamics",
    "peer_empirical",
    "peer_infinite",
    "peer_zoo",
    "radiance_runs",
    "reconstruction_items",
    "reconstruction_runs",
    "reconstruction_scans",
    "reference_ensembles",
    "reference_grids",
    "report",
    "shape_runs",
    "signals",
    "table1_pictures",
    "table1_runs",
    "theory_curves",
}
NAMES = sorted(p.stem for p in Path(__file__).parent.glob("*.py") if p.stem not in HELPERS)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="+", choices=[*NAMES, "all"], metavar="NAME", help=str(NAMES)
    )
    parser.add_argument("--threads", type=int, default=1, help="OpenMP threads of torch")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)  # for child processes too

    import torch

    from benchmarks import report

    torch.set_num_threads(arguments.threads)
    missed = 0
    for name in NAMES if "all" in arguments.names else arguments.names:
        module = import_module(f"benchmarks.{name}")
        start = time.perf_counter()
        rows = module.measure()
        print(report.write(name, module.__doc__, rows, time.perf_counter() - start))
        missed += sum(row.is_met is False for row in rows)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
