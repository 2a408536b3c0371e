"""How `empirical_speed` and `empirical_speed_images` time a network beside the recipe and the peer."""

import os
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from benchmarks.empirical_networks import case, ours, recipe
from benchmarks.empirical_peer import Peer
from benchmarks.memory import peak_above
from benchmarks.report import Row
from ntkit.kernels import empirical_ntk

SCRIPT = Path(__file__).parent / "peer_empirical.py"


@contextmanager
def peer_process() -> Iterator[Peer | None]:
    """The peer's process, None without NTKIT_PEER_PYTHON; the recipe's warnings are kept quiet."""
    python = os.environ.get("NTKIT_PEER_PYTHON")
    peer = None if python is None else Peer(python, SCRIPT)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.filterwarnings("ignore", message="There is a performance drop")
        yield peer
    if peer is not None:
        peer.close()


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def in_turn(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Medians of the seconds of each, after one call that is not counted."""
    for call in calls.values():
        call()
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            found[name].append(seconds(call))
    return {name: statistics.median(times) for name, times in found.items()}


def against_recipe(
    name: str, *, faster: float, memory: float, rounds: int, peer: Peer | None, peer_faster: float
) -> list[Row]:
    net, x = case(name)
    calls: dict[str, Callable[[], object]] = {"ours": lambda: empirical_ntk(net, "full")(x)}
    if name != "mlp":
        calls["recipe"] = lambda: recipe(net, x, full=True)
        calls["structured"] = lambda: ours(name, "structured", full=True)
        calls["contraction"] = lambda: ours(name, "contraction", full=True)
    times = in_turn(calls, rounds)
    if name == "mlp":
        times["recipe"] = seconds(lambda: recipe(net, x, full=True))
    rows = [Row(f"{name}, full: {what}", value, "s") for what, value in times.items()]
    rows.append(
        Row(f"{name}, full: times the recipe", times["recipe"] / times["ours"], at_least=faster)
    )
    if name != "mlp":
        best = min(value for what, value in times.items() if what != "ours")
        rows.append(Row(f"{name}, full: ours over the best", times["ours"] / best, at_most=1.15))
    own, its = (
        peak_above("benchmarks.empirical_networks", f"{name}_{what}") for what in ("auto", "recipe")
    )
    rows += [
        Row(f"{name}, full: memory of ours", own / 2**20, "MiB"),
        Row(f"{name}, full: memory of the recipe", its / 2**20, "MiB"),
        Row(f"{name}, full: share of the recipe's memory", own / its, at_most=memory),
    ]
    if peer is not None and peer_faster:
        rows += against_peer(name, peer, full=True, faster=peer_faster, rounds=rounds)
    return rows


def against_peer(name: str, peer: Peer, *, full: bool, faster: float, rounds: int) -> list[Row]:
    net, x = case(name)
    kernel = empirical_ntk(net, "full" if full else "trace")
    mine, theirs = [], []
    found = kernel(x)
    other = found
    for _ in range(rounds):
        mine.append(seconds(lambda: kernel(x)))
        wall, other = peer(name, net, x, full=full)
        theirs.append(wall)
    own, its = statistics.median(mine), statistics.median(theirs)
    label = f"{name}, {'full' if full else 'trace'}"
    corner = found[: len(other), : len(other)]
    return [
        Row(f"{label}: ours beside the peer", own, "s"),
        Row(f"{label}: peer", its, "s"),
        Row(f"{label}: times the peer", its / own, at_least=faster),
        Row(
            f"{label}: difference from the peer",
            float((corner - other).abs().max() / other.abs().max()),
        ),
    ]
