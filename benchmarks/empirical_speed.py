"""The empirical NTK of an MLP against the `torch.func` recipe and neural-tangents 0.6.5, float32.

784-512-512-10 on 256 points. Calls take turns; medians of the wall time after one call of each that warms up (the
recipe is called once). "Full" keeps all
pairs of outputs. Memory is the highest resident size of a process above what it held before the call.
The peer's Python (jax 0.4.25, neural-tangents 0.6.5, flax or jax alone) is named by the environment
variable NTKIT_PEER_PYTHON; without it the rows that need it are left out.
The peer computes its best mode, structured derivatives, compiled before.
"""

from benchmarks.empirical_timing import against_peer, against_recipe, peer_process
from benchmarks.report import Row


def measure() -> list[Row]:
    with peer_process() as peer:
        rows = against_recipe(
            "mlp", faster=300, memory=1 / 40, rounds=7, peer=peer, peer_faster=2.5
        )
        if peer is not None:
            rows += against_peer("mlp", peer, full=False, faster=1.8, rounds=15)
    return rows
