"""One unit for many channels: what the values are then."""

from ntkit._core.outside import warn
from ntkit.kernels.infinite.front.lowered import Lowered

__all__ = ["warn_of_gates"]


def warn_of_gates(lowered: Lowered) -> None:
    """Say that outputs after such a unit are not Gaussian, and that the kernels are means over its draws."""
    gates = {gate.place for k in lowered.outputs for gate in lowered.steps[k].units.gates}
    if gates:
        names = ", ".join(f"`{lowered.steps[k].name}`" for k in sorted(gates))
        warn(
            f"Many channels share one unit ({names}), which stays random at any width. Over draws of the "
            "weights the outputs are not independent, and in general not Gaussian. `nngp` is their "
            "covariance, and `ntk` the mean of the tangent kernels, which differ from draw to draw. "
            "For one kernel of all draws make as many units of it as there are channels."
        )
