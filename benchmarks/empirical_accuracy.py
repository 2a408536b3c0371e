"""The empirical NTK of fifteen networks against the plain Jacobian product, by each method.

The oracle takes one backward pass for each output of each sample alone, in float64: `torch.func`'s
`vmap` gives wrong derivatives of `nn.PReLU` (torch 2.13), so it is no oracle for all of them. The
networks are those of the tests: an MLP, convolutions with strides and groups in one to three
dimensions, a ResNet with BatchNorm in evaluation, a vision transformer, a language model with tied
weights, LSTM and GRU, a U-Net, shared layers, a SIREN, Fourier features, norms. The figure is the
largest difference of an entry over the largest entry.
"""

from typing import Any

import torch

from benchmarks.report import Row
from ntkit.kernels import Auto, Contraction, Structured, empirical_ntk
from tests.kernels.empirical import oracle
from tests.kernels.empirical.networks import NETWORKS, network
from tests.tolerances import relative_error

METHODS = {"structured": Structured(), "contraction": Contraction(), "auto": Auto()}
BOUNDS = {torch.float64: 1e-12, torch.float32: 1e-5}


def in_double(x: Any) -> Any:
    if isinstance(x, tuple):
        return tuple(map(in_double, x))
    return x.double() if x.is_floating_point() else x


def measure() -> list[Row]:
    rows = []
    for name in NETWORKS:
        for dtype, bound in BOUNDS.items():
            net, x = network(name, dtype)
            exact, _ = network(name)
            exact.load_state_dict({k: v.double() for k, v in net.state_dict().items()})
            whole = oracle.full(exact, in_double(x))
            mean = whole.diagonal(dim1=2, dim2=3).mean(-1)
            for method, options in METHODS.items():
                worst = max(
                    relative_error(empirical_ntk(net, "full", method=options)(x), whole),
                    relative_error(empirical_ntk(net, "trace", method=options)(x), mean),
                )
                kind = str(dtype).removeprefix("torch.")
                rows.append(Row(f"{name}, {kind}, {method}", worst, at_most=bound))
            if dtype == torch.float32:
                plain = relative_error(oracle.full(net, x), whole)
                rows.append(Row(f"{name}, float32, the oracle itself", plain))
    return rows
