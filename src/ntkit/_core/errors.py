"""The errors ntkit raises for breakdowns that are not the caller's mistake."""


class NumericalError(ArithmeticError):
    """A computation that cannot be trusted: it did not converge, or left its stated range."""


class UnsupportedLayerError(TypeError):
    """A module for which no rule is registered under its exact type."""
