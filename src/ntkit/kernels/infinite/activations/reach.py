"""How long units may be before the slopes of a bump leave the range of float64."""

from torch import Tensor

from ntkit._core.errors import NumericalError
from ntkit.kernels.infinite.activations.pair import Pair

__all__ = ["check_reach"]


def check_reach(name: str, pair: Pair, q: float, d: Tensor, most: float) -> None:
    """Refuse pairs whose slope falls below the range, while what it is multiplied by is as long.

    With `w1, w2 = 1 + q var1, 1 + q var2`, what falls is a power of `d / (w1 w2)^(1/4)`: a unit with
    itself has 1 of that at any length, units apart their length.

    Args:
        name: Of the activation.
        pair: The units.
        q: What the variances are multiplied by in `d`.
        d: `sqrt(w1 w2 - q^2 cov^2)`.
        most: The largest of the quotient.

    Raises:
        NumericalError: One is larger.
    """
    if not d.numel():
        return
    wide1, wide2 = (1 + q * var.detach() for var in (pair.var1, pair.var2))
    longest = float(wide1.max()) ** 0.25 * float(wide2.max()) ** 0.25
    if longest <= most:  # no quotient is larger, so no pass over the table is needed
        return
    if float((d.detach() / wide1**0.25 / wide2**0.25).max()) <= most:
        return
    raise NumericalError(
        f"`{name}` met units of a standard deviation up to {longest / q**0.5:.1g}, for which the "
        "moments of its slope are below the range of float64, though their product with the covariance is "
        "not. Scale the points down, or pass a smaller `w_std` to the layer before."
    )
