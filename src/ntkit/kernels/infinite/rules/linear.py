"""Dense layers, in both parametrisations."""

from torch import nn

from ntkit.kernels.infinite.moments.state import PairState
from ntkit.kernels.infinite.program.weights import Weights
from ntkit.kernels.infinite.rules.registry import rules
from ntkit.kernels.infinite.rules.variances import Taken, layer_variances
from ntkit.networks.linear import Linear
from ntkit.networks.scales import squared


def _ntk(layer: Linear, variances: Taken) -> Weights:
    w, b = squared(layer.w_std), squared(layer.b_std) if layer.bias is not None else 0.0
    return Weights(w, b, w, b)


@rules.register(Linear, numbers=_ntk)
def ntk_linear(layer: Linear, state: PairState, variances: Taken) -> PairState:
    """NTK parametrisation: the layer's own contribution is its new covariance.

    Source: Lee et al. 2019 (arXiv:1902.06720), appendix E, eqs. S17-S20.
    """
    return _ntk(layer, variances).of(state)


def _standard(layer: nn.Linear, variances: Taken) -> Weights:
    v, u = layer_variances(layer, variances)
    return Weights(v * layer.in_features, u, layer.in_features, 0.0 if layer.bias is None else 1.0)


@rules.register(nn.Linear, numbers=_standard)
def standard_linear(layer: nn.Linear, state: PairState, variances: Taken) -> PairState:
    """Standard parametrisation: one unit of plain SGD moves the output by `fan_in cov + 1`.

    Source: Sohl-Dickstein et al. 2020 (arXiv:2001.07301), section 2, at leading order in width.
    """
    return _standard(layer, variances).of(state)
