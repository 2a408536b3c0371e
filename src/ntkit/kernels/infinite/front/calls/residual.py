"""Post-activation blocks: the ReLU of `x + f(x)`, where `x` comes out of a ReLU."""

from dataclasses import replace

from ntkit.kernels.infinite.activations import AbstractActivation
from ntkit.kernels.infinite.activations.piecewise_linear import PiecewiseLinear
from ntkit.kernels.infinite.front.reader import Reader
from ntkit.kernels.infinite.program.ops.branches import AddBranches
from ntkit.kernels.infinite.program.ops.residual import BendResidual

__all__ = ["after_shortcut"]

_RELU = PiecewiseLinear(0.0, 1.0)


def after_shortcut(
    reader: Reader, index: int, activation: AbstractActivation, name: str
) -> int | None:
    """The ReLU of a sum of one ReLU and of independent Gaussian units; None where it is not that.

    Args:
        reader: Where the steps are.
        index: The sum.
        activation: What comes after it.
        name: Of the new step.
    """
    terms = reader.terms.get(index, {})
    shortcuts = [k for k in terms if k in reader.pointwise]
    if activation != _RELU or len(shortcuts) != 1:
        return None
    (shortcut,) = shortcuts
    found, factor = reader.pointwise[shortcut], terms[shortcut]
    base, units = reader.units(found.base), reader.units(index)
    layers = {k: c for k, c in terms.items() if k != shortcut}
    every = [base, *(reader.units(k) for k in layers)]
    if not layers or found.dual != _RELU or factor <= 0:
        return None
    if not all(value.is_gaussian and value.is_centred for value in every):
        return None
    if any(base.shared(value) for value in every[1:]):
        return None
    squares = tuple(c**2 for c in layers.values())
    gaussian = replace(units, is_gaussian=True, is_centred=True)
    added = next(iter(layers))
    if squares != (1.0,):
        added = reader.add(AddBranches("sum of layers", tuple(layers), gaussian, squares))
    bent = replace(units, is_gaussian=False, is_centred=False)
    return reader.add(BendResidual(name, (found.base, added), bent, factor))
