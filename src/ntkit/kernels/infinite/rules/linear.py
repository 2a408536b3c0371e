"""Dense layers, in both parametrisations."""

from torch import nn

from ntkit.kernels.infinite.rules.registry import rules
from ntkit.kernels.infinite.state import PairState
from ntkit.kernels.infinite.variances import Taken, layer_variances
from ntkit.networks.linear import Linear
from ntkit.networks.scales import squared


@rules.register(Linear)
def ntk_linear(layer: Linear, state: PairState, variances: Taken) -> PairState:
    """NTK parametrisation: the layer's own contribution is its new covariance.

    Source: Lee et al. 2019 (arXiv:1902.06720), appendix E, eqs. S17-S20.
    """
    w, b = squared(layer.w_std), squared(layer.b_std) if layer.bias is not None else 0.0
    return state.affine(w, b, own_weight=w, own_bias=b)


@rules.register(nn.Linear)
def standard_linear(layer: nn.Linear, state: PairState, variances: Taken) -> PairState:
    """Standard parametrisation: one unit of plain SGD moves the output by `fan_in cov + 1`.

    Source: Sohl-Dickstein et al. 2020 (arXiv:2001.07301), section 2, at leading order in width.
    """
    v, u = layer_variances(layer, variances)
    fan_in = layer.in_features
    own_bias = 0.0 if layer.bias is None else 1.0
    return state.affine(v * fan_in, u, own_weight=fan_in, own_bias=own_bias)
