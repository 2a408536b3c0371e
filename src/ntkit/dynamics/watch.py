"""An end for integrations in time that have none: kinks on which they slide, and functions that run off."""

from collections.abc import Callable

import numpy as np

from ntkit._core.errors import NumericalError

__all__ = ["Watch"]

_JACOBIAN = 10
"""Evaluations of the rate that a Jacobian counts as: it is one backward pass a value, all at once."""

_TRIES = 100
"""Rates that are not finite, in all: a trial step too far has a few, and comes back."""


class Watch:
    """The rate and the Jacobian of an integration, counted.

    Args:
        rate: `rate(t, a)`.
        jacobian: `jacobian(t, a)`.
        most: Evaluations allowed.
    """

    def __init__(
        self,
        rate: Callable[[float, np.ndarray], np.ndarray],
        jacobian: Callable[[float, np.ndarray], np.ndarray],
        most: int,
    ) -> None:
        self._rate, self._jacobian, self._most = rate, jacobian, most
        self._used, self._unbounded, self._reached = 0, 0, 0.0

    def rate(self, t: float, a: np.ndarray) -> np.ndarray:
        """The rate.

        Raises:
            NumericalError: It is not finite, again and again.
        """
        self._count(1, t)
        found = self._rate(t, a)
        if not np.isfinite(found).all():
            self._unbounded += 1
            if self._unbounded > _TRIES:
                raise NumericalError(
                    f"The gradient of the loss is not finite at t = {t:.4g}: the loss is not defined "
                    "there, or the function has run off to infinity. Ask for earlier times, or take a "
                    "loss that is bounded from below and defined for every value."
                )
        return found

    def jacobian(self, t: float, a: np.ndarray) -> np.ndarray:
        """The Jacobian."""
        self._count(_JACOBIAN, t)
        return self._jacobian(t, a)

    def _count(self, cost: int, t: float) -> None:
        """Add to what was used.

        Raises:
            NumericalError: It is more than allowed.
        """
        self._used += cost
        self._reached = max(self._reached, float(t))
        if self._used > self._most:
            raise NumericalError(
                f"The integration has taken {self._most} evaluations and is at t = "
                f"{self._reached:.4g}. A loss with kinks (L1, hinge, quantile) holds the function on "
                "them with steps that vanish: round them (`torch.nn.HuberLoss()`, `softplus` for a "
                "hinge). A loss that is not bounded from below runs off to infinity: ask for earlier "
                "times. Or allow a larger `tolerance`, or more `max_evaluations`."
            )
