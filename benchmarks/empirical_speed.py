"""The empirical NTK against the `torch.func` recipe and neural-tangents 0.6.5, float32.

Calls take turns; medians of the wall time after one call of each that warms up (the recipe's MLP is
called once). "Full" keeps all pairs of outputs. The peer computes its best mode: structured
derivatives for the MLP, the faster of structured derivatives and contraction for the CNN, compiled
before. Memory is the highest resident size of a process above what it held before the call.
The peer's Python (jax 0.4.25, neural-tangents 0.6.5, flax or jax alone) is named by the environment
variable NTKIT_PEER_PYTHON; without it the rows that need it are left out.
"""

import os
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.empirical_networks import case, ours, recipe
from benchmarks.empirical_peer import Peer
from benchmarks.memory import peak_above
from benchmarks.report import Row
from ntkit.kernels import empirical_ntk

PEER = os.environ.get("NTKIT_PEER_PYTHON")


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


def measure() -> list[Row]:
    warnings.filterwarnings("ignore", message="There is a performance drop")
    peer = None if PEER is None else Peer(PEER, Path(__file__).parent / "peer_empirical.py")
    rows: list[Row] = []
    with torch.no_grad():
        rows += against_recipe(
            "mlp", faster=300, memory=1 / 40, rounds=7, peer=peer, peer_faster=2.5
        )
        if peer is not None:
            rows += against_peer("mlp", peer, full=False, faster=1.8, rounds=15)
        rows += against_recipe("cnn", faster=3.5, memory=0.8, rounds=5, peer=peer, peer_faster=1.7)
        for name in ("resnet", "vit"):
            rows += against_recipe(name, faster=1.5, memory=0.8, rounds=5, peer=None, peer_faster=0)
    if peer is not None:
        peer.close()
    return rows
