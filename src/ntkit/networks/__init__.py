"""Networks: layers in the NTK parametrisation, coordinate networks, symmetrised starts."""

from ntkit.networks.linear import Linear
from ntkit.networks.mlp import mlp
from ntkit.networks.symmetrise import Symmetrised, symmetrise

__all__ = ["Linear", "Symmetrised", "mlp", "symmetrise"]
