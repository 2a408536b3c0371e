"""Which formulas a nonlinearity has for units with means."""

import torch

from ntkit.kernels.infinite.activations.base import AbstractActivation
from ntkit.kernels.infinite.activations.numerical.gauss import derivative
from ntkit.kernels.infinite.activations.shifted.base import AbstractShifted
from ntkit.kernels.infinite.activations.shifted.ramps import as_ramps
from ntkit.kernels.infinite.activations.shifted.series import SmoothSeries
from ntkit.kernels.infinite.activations.shifted.waves import ShiftedWave
from ntkit.kernels.infinite.activations.sinusoid import Sinusoid

__all__ = ["shifted"]

_SMOOTH = 1e-8
"""Jump of a function or of its slope below which it counts as none: `Softplus` changes its formula so."""

_APART = 1e-3
"""Distance over which a curvature is seen."""

_CURVED = 1e-6
"""Jump of the curvature that counts: below it, sums over nodes see none."""


def shifted(activation: AbstractActivation) -> AbstractShifted | None:
    """How a nonlinearity acts on units with means: in closed form, or by a series.

    None where there is no way: functions that bend or jump, and are no lines in between, have no series
    that holds for close pairs.
    """
    if not activation.is_elementwise:
        return None
    if type(activation) is Sinusoid:
        return ShiftedWave(activation.frequency, activation.phase, activation.amplitude)
    kinks = sorted(t for t in set(activation.kinks) if _bends_at(activation, t))
    return as_ramps(activation, kinks) if kinks else SmoothSeries(activation)


def _bends_at(activation: AbstractActivation, kink: float) -> bool:
    """Whether a function, its slope or its curvature jumps there."""
    step = 1e-9 * max(1.0, abs(kink))
    ends = torch.tensor([-2 * _APART, -_APART, -step, step, _APART, 2 * _APART]).double()
    value, slope = activation.value(kink + ends), derivative(activation.value, kink + ends)
    steepest = float(slope.abs().max())
    jump = float((value[3] - value[2]).abs()) - 4 * step * steepest
    turn = float((slope[3] - slope[2]).abs())
    curve = float((slope[5] - slope[4] - slope[1] + slope[0]).abs()) / _APART
    return jump > _SMOOTH or turn > _SMOOTH * max(1.0, steepest) or curve > _CURVED
