"""stub"""
import torch
from torch import nn
from ntkit._core.errors import UnsupportedLayerError
from ntkit._core.registry import ExactTypeRegistry
from ntkit.kernels.infinite.activations.piecewise_linear import PiecewiseLinear
duals = ExactTypeRegistry("dual activation", UnsupportedLayerError)
duals.register(nn.ReLU)(lambda l: PiecewiseLinear(0, 1))
duals.register(nn.LeakyReLU)(lambda l: PiecewiseLinear(l.negative_slope, 1))
functions = {torch.relu: lambda *a, **k: nn.ReLU(), nn.functional.relu: lambda *a, **k: nn.ReLU()}
