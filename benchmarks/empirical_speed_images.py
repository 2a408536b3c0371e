"""The empirical NTK of image networks against the `torch.func` recipe and neural-tangents, float32.

Calls take turns; medians of the wall time after one call of each that warms up. "Full" keeps all
pairs of outputs. Memory is the highest resident size of a process above what it held before the call.
The peer's Python (jax 0.4.25, neural-tangents 0.6.5, flax or jax alone) is named by the environment
variable NTKIT_PEER_PYTHON; without it the rows that need it are left out.
The peer computes the faster of structured derivatives and contraction, compiled before. "cnn" has a
dense head on the flattened image, as the figures meant (its Jacobian is the memory stated with them);
"cnn_mean" has a global average in its place.
"""

from benchmarks.empirical_timing import against_recipe, peer_process
from benchmarks.report import Row


def measure() -> list[Row]:
    rows: list[Row] = []
    with peer_process() as peer:
        for name in ("cnn", "cnn_mean"):
            rows += against_recipe(
                name, faster=3.5, memory=0.8, rounds=5, peer=peer, peer_faster=1.7
            )
        for name in ("resnet", "vit"):
            rows += against_recipe(name, faster=1.5, memory=0.8, rounds=5, peer=None, peer_faster=0)
    return rows
