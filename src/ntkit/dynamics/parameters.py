"""From a kernel expansion to the parameters of the linearised network."""

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.dynamics.expansion import Expansion
from ntkit.kernels.base import points_of
from ntkit.kernels.empirical import EmpiricalKernel

__all__ = ["trained_parameters"]


def trained_parameters(expansion: Expansion, a: Float[Tensor, "n o"]) -> dict[str, Tensor]:
    """`theta_0 + J(X)^T a`: the parameters that give `f_0 + K(., X) a` once linearised.

    Args:
        expansion: Over an empirical kernel.
        a: Its weights.

    Raises:
        TypeError: The kernel is not that of a network as it stands.
        ValueError: It is averaged over several outputs.
    """
    kernel, points = expansion.kernel, expansion.points
    if not isinstance(kernel, EmpiricalKernel):
        raise TypeError(
            f"`weights()` needs a kernel with parameters, got `{kernel!r}`. "
            "Use `empirical_ntk(module)`."
        )
    target = kernel.target
    x = points_of(kernel, points)
    with target.evaluation() as target, torch.enable_grad():
        leaves = target.leaves()
        outputs = target.outputs(leaves, target.batch("points", x))
        if isinstance(kernel.outputs, int):
            outputs = outputs[:, kernel.outputs, None]
        if kernel.outputs == "trace" and outputs.shape[1] > 1:
            raise ValueError(
                f"`weights()`: the kernel is an average over {outputs.shape[1]} outputs, which no "
                'parameters have. Use `empirical_ntk(module, outputs="full")`.'
            )
        steps = torch.autograd.grad((outputs * a.to(outputs)).sum(), leaves, allow_unused=True)
    return {
        name: leaf.detach() + (0 if step is None else step)
        for name, leaf, step in zip(target.names, leaves, steps, strict=True)
    }
