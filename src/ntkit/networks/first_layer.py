"""What a first layer of waves on [0, 1)^d is asked for: a bandwidth, or the frequency that a paper states."""

from math import pi, sqrt

from torch import nn

from ntkit._core.checks import positive

__all__ = ["cycles", "first_frequency", "named", "uniform_deviation"]


def first_frequency(
    bandwidth: float | None, omega_0: float | None, per_omega: float, *, usual: float = 30.0
) -> tuple[float, float]:
    """The frequency of the first layer for points in [-1, 1], radians, and its bandwidth.

    Args:
        bandwidth: Standard deviation of the frequencies on [0, 1)^d, cycles per unit.
        omega_0: The published number in its place.
        per_omega: The bandwidth that a frequency of one has.
        usual: `omega_0` where neither is given.

    Raises:
        ValueError: Both are given, or one is not above 0.
    """
    if bandwidth is not None and omega_0 is not None:
        raise ValueError(
            f"`bandwidth={bandwidth!r}` and `omega_0={omega_0!r}` say the same in two units. Pass one "
            f"of them: `omega_0={omega_0!r}` is a bandwidth of {per_omega * float(omega_0):.3g}."
        )
    if bandwidth is not None:
        found = positive("bandwidth", bandwidth)
        return found / per_omega, found
    omega = positive("omega_0", usual if omega_0 is None else omega_0)
    return omega, per_omega * omega


def cycles(deviation: float) -> float:
    """The bandwidth on [0, 1)^d of weights of that standard deviation on [-1, 1]^d, a radian each."""
    return 2 * deviation / (2 * pi)  # the cube of side 2 in units of 1


def uniform_deviation(bound: float) -> float:
    """Standard deviation of `U(-bound, bound)`."""
    return bound / sqrt(3)


def named(network: nn.Sequential, bandwidth: float) -> nn.Sequential:
    """`network`, which now says its `bandwidth`: a plain attribute, no part of its state."""
    vars(network)["bandwidth"] = bandwidth
    return network
