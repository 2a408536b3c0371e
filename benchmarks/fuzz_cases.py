"""Many seeds on all cores, one process each, with what is done kept in a file."""

import hashlib
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "runs" / "fuzz"


def each(name: str, case: Callable[[int], dict[str, Any]], seeds: Iterable[int]) -> dict[int, Any]:
    """`case(seed)` by seed; goes on where an earlier run of the same sources stopped."""
    KEPT.mkdir(parents=True, exist_ok=True)
    path = KEPT / f"{name}-{_version()}.jsonl"
    done: dict[int, Any] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            done |= {int(k): v for k, v in json.loads(line).items()}
    seeds = list(seeds)
    left = [seed for seed in seeds if seed not in done]
    # Tensors of many networks are given back and asked for again at every step: without this the
    # processes spend half of their time on pages that the system clears for them.
    os.environ |= {"MALLOC_MMAP_THRESHOLD_": "4000000000", "MALLOC_TRIM_THRESHOLD_": "8000000000"}
    context = get_context("spawn")  # threads of torch do not survive a fork
    with ProcessPoolExecutor(os.cpu_count(), context, _prepare) as pool, path.open("a") as file:
        for future in as_completed([pool.submit(partial(_one, case), seed) for seed in left]):
            seed, found = future.result()
            done[seed] = found
            file.write(json.dumps({seed: found}) + "\n")
            file.flush()
            if sys.stderr.isatty():
                print(f"\r{len(done)} of {len(seeds)}", end="", file=sys.stderr)
    return {seed: done[seed] for seed in seeds}


def _prepare() -> None:
    import torch

    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="There is a performance drop")


def _one(case: Callable[[int], dict[str, Any]], seed: int) -> tuple[int, dict[str, Any]]:
    return seed, case(seed)


def _version() -> str:
    """Of the sources: what they are the kept cases are good for."""
    digest = hashlib.sha256()
    for folder in ("src", "tests/fuzz"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
