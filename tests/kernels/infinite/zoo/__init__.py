"""The networks of `data/zoo.npz` as modules of torch; `benchmarks/peer_zoo.py` is the other side."""

from tests.kernels.infinite.zoo.activations import NUMERICAL, ON_SEQUENCES, ON_VECTORS
from tests.kernels.infinite.zoo.attention import ATTENTION
from tests.kernels.infinite.zoo.convolutions import CONVOLUTIONS
from tests.kernels.infinite.zoo.graphs import GRAPHS
from tests.kernels.infinite.zoo.large import LARGE
from tests.kernels.infinite.zoo.masks import MASKS
from tests.kernels.infinite.zoo.normalisation import NORMALISATION
from tests.kernels.infinite.zoo.pools import POOLS
from tests.kernels.infinite.zoo.vectors import VECTORS

__all__ = ["NUMERICAL", "ZOO"]

ZOO = {
    **VECTORS,
    **ON_VECTORS,
    **ON_SEQUENCES,
    **CONVOLUTIONS,
    **POOLS,
    **NORMALISATION,
    **LARGE,
    **ATTENTION,
    **GRAPHS,
    **MASKS,
}
"""By the names in `data/zoo.npz`."""
