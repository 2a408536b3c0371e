"""Activations that torch has no module for."""

from collections.abc import Callable, Sequence
from math import factorial, isfinite
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit._core import checks
from ntkit._core.checks import entries, number, positive, whole
from ntkit._core.pickling import named_state

__all__ = [
    "Abs",
    "Elementwise",
    "Erf",
    "Exponential",
    "Gabor",
    "Gaussian",
    "Hermite",
    "NormalisedExponential",
    "Polynomial",
    "RectifiedMonomial",
    "Sign",
    "Sine",
]

Values = Float[Tensor, "*batch f"]


class Sine(nn.Module):
    """`amplitude * sin(frequency * x + phase)`: SIREN's layer; the cosine has the phase `pi / 2`.

    Args:
        frequency: In radians per unit of `x`.
        phase: In radians.
        amplitude: Of the wave.

    Source: Sitzmann et al. 2020 (arXiv:2006.09661), section 3.2.

    Example:
        >>> Sine(30.0)(torch.tensor([0.0]))
        tensor([0.])
    """

    def __init__(self, frequency: float = 1.0, phase: float = 0.0, amplitude: float = 1.0) -> None:
        super().__init__()
        self.frequency: float = positive("frequency", frequency)
        self.phase: float = _finite("phase", phase)
        self.amplitude: float = _finite("amplitude", amplitude)

    def forward(self, x: Values) -> Values:
        """The wave at each entry."""
        return self.amplitude * torch.sin(self.frequency * x + self.phase)

    def extra_repr(self) -> str:
        """The numbers, for `repr`."""
        return f"frequency={self.frequency:g}, phase={self.phase:g}, amplitude={self.amplitude:g}"


class Erf(nn.Module):
    """`scale * erf(rate * x) + shift`.

    Args:
        scale: Half of the range.
        rate: Of the input.
        shift: Added to the output; `Erf(0.5, 0.4163, 0.5)` looks like the sigmoid.

    Example:
        >>> Erf()(torch.tensor([0.0, 10.0]))
        tensor([0., 1.])
    """

    def __init__(self, scale: float = 1.0, rate: float = 1.0, shift: float = 0.0) -> None:
        super().__init__()
        self.scale: float = _finite("scale", scale)
        self.rate: float = positive("rate", rate)
        self.shift: float = _finite("shift", shift)

    def forward(self, x: Values) -> Values:
        """The function of each entry."""
        return self.scale * torch.erf(self.rate * x) + self.shift

    def extra_repr(self) -> str:
        """The numbers, for `repr`."""
        return f"scale={self.scale:g}, rate={self.rate:g}, shift={self.shift:g}"


class Abs(nn.Module):
    """`|x|`.

    Example:
        >>> Abs()(torch.tensor([-2.0]))
        tensor([2.])
    """

    def forward(self, x: Values) -> Values:
        """The absolute value of each entry."""
        return x.abs()


class Sign(nn.Module):
    """`sign(x)`. Gradients do not pass: its derivative is zero almost everywhere.

    Example:
        >>> Sign()(torch.tensor([-2.0]))
        tensor([-1.])
    """

    def forward(self, x: Values) -> Values:
        """The sign of each entry."""
        return torch.sign(x)


class Gaussian(nn.Module):
    """`scale * exp(-decay x^2)`.

    Args:
        scale: Height of the bump.
        decay: `1 / (2 width^2)`.

    Example:
        >>> Gaussian()(torch.tensor([0.0]))
        tensor([1.])
    """

    def __init__(self, scale: float = 1.0, decay: float = 1.0) -> None:
        super().__init__()
        self.scale: float = _finite("scale", scale)
        self.decay: float = positive("decay", decay)

    def forward(self, x: Values) -> Values:
        """The bump at each entry."""
        return self.scale * torch.exp(-self.decay * x**2)

    def extra_repr(self) -> str:
        """The numbers, for `repr`."""
        return f"scale={self.scale:g}, decay={self.decay:g}"


class Gabor(nn.Module):
    """`exp(-decay x^2) sin(frequency x)`.

    Args:
        frequency: In radians per unit of `x`.
        decay: `1 / (2 width^2)`.

    Example:
        >>> Gabor()(torch.tensor([0.0]))
        tensor([0.])
    """

    def __init__(self, frequency: float = 1.0, decay: float = 1.0) -> None:
        super().__init__()
        self.frequency: float = positive("frequency", frequency)
        self.decay: float = positive("decay", decay)

    def forward(self, x: Values) -> Values:
        """The wave packet at each entry."""
        return torch.exp(-self.decay * x**2) * torch.sin(self.frequency * x)

    def extra_repr(self) -> str:
        """The numbers, for `repr`."""
        return f"frequency={self.frequency:g}, decay={self.decay:g}"


class Exponential(nn.Module):
    """`scale * exp(rate * x)`. Its variance grows exponentially: one layer of it, at most two.

    Args:
        scale: Value at zero.
        rate: Of the input.

    Example:
        >>> Exponential()(torch.tensor([0.0]))
        tensor([1.])
    """

    def __init__(self, scale: float = 1.0, rate: float = 1.0) -> None:
        super().__init__()
        self.scale: float = _finite("scale", scale)
        self.rate: float = _finite("rate", rate)

    def forward(self, x: Values) -> Values:
        """The exponential of each entry."""
        return self.scale * torch.exp(self.rate * x)

    def extra_repr(self) -> str:
        """The numbers, for `repr`."""
        return f"scale={self.scale:g}, rate={self.rate:g}"


class NormalisedExponential(nn.Module):
    """`r exp(sqrt(gamma) x / r + (shift - gamma) / 2)`, `r` the root mean square over the last axis.

    The exponential that neither explodes nor vanishes with depth: its kernel is
    `|x||x'| exp(gamma cos t + shift)` at the angle `t`, and `shift = -gamma` keeps the variance.

    Args:
        gamma: Inverse width of the kernel, at least 0.
        shift: Added to the exponent of the kernel.

    Source: Shankar et al. 2020 (arXiv:2003.02237), section 4.

    Example:
        >>> NormalisedExponential()(torch.zeros(1, 2))
        tensor([[0., 0.]])
    """

    def __init__(self, gamma: float = 1.0, shift: float = -1.0) -> None:
        super().__init__()
        self.gamma: float = positive("gamma", gamma)
        self.shift: float = _finite("shift", shift)

    def forward(self, x: Values) -> Values:
        """The function of each entry and of its vector's length."""
        square = (x**2).mean(-1, keepdim=True)
        length = torch.where(square > 0, square, 1).sqrt()
        exponent = self.gamma**0.5 * x / length + (self.shift - self.gamma) / 2
        return length * (square > 0) * torch.exp(exponent)

    def extra_repr(self) -> str:
        """The numbers, for `repr`."""
        return f"gamma={self.gamma:g}, shift={self.shift:g}"


class Polynomial(nn.Module):
    """`sum_j coefficients[j] x^j`.

    Args:
        coefficients: The constant first.

    Raises:
        ValueError: There is none, or one is not finite.

    Example:
        >>> Polynomial([1.0, 0.0, 2.0])(torch.tensor([3.0]))
        tensor([19.])
    """

    def __init__(self, coefficients: Sequence[float]) -> None:
        super().__init__()
        found = entries("coefficients", coefficients)
        if not found:
            raise ValueError("`Polynomial(coefficients)` needs at least one, the constant.")
        self.coefficients: tuple[float, ...] = tuple(_finite("coefficients", c) for c in found)

    def forward(self, x: Values) -> Values:
        """The polynomial at each entry."""
        total = torch.zeros_like(x)
        for value in reversed(self.coefficients):
            total = total * x + value
        return total

    def extra_repr(self) -> str:
        """The coefficients, for `repr`."""
        return ", ".join(f"{c:g}" for c in self.coefficients)


class Hermite(nn.Module):
    """Hermite's polynomial of that degree, `E[h_j h_k] = 1[j = k]` for standard normal inputs.

    Args:
        degree: At least 0.

    Example:
        >>> Hermite(2)(torch.tensor([0.0]))  # (x^2 - 1) / sqrt(2)
        tensor([-0.7071])
    """

    def __init__(self, degree: int) -> None:
        super().__init__()
        self.degree: int = _degree(degree)

    def forward(self, x: Values) -> Values:
        """The polynomial at each entry."""
        before, current = torch.zeros_like(x), torch.ones_like(x)
        for k in range(self.degree):
            before, current = current, x * current - k * before
        return current / factorial(self.degree) ** 0.5

    def extra_repr(self) -> str:
        """The degree, for `repr`."""
        return f"{self.degree}"


class RectifiedMonomial(nn.Module):
    """`max(0, x)^degree`; degree 0 is the step, 1 is ReLU.

    Args:
        degree: At least 0.

    Example:
        >>> RectifiedMonomial(2)(torch.tensor([-3.0, 3.0]))
        tensor([0., 9.])
    """

    def __init__(self, degree: int) -> None:
        super().__init__()
        self.degree: int = _degree(degree)

    def forward(self, x: Values) -> Values:
        """The power of each entry."""
        return torch.relu(x) ** self.degree if self.degree else (x > 0).to(x.dtype)

    def extra_repr(self) -> str:
        """The degree, for `repr`."""
        return f"{self.degree}"


class Elementwise(nn.Module):
    """Any elementwise function as a module, which `ntkit.ntk` integrates numerically.

    Args:
        function: From a tensor to one of the same shape, entry by entry, of any float dtype.
        kinks: Where the function or its derivative is not smooth.

    Raises:
        TypeError: `function` cannot be called, or is a class.

    Example:
        >>> Elementwise(lambda x: x * torch.tanh(x))(torch.tensor([0.0]))
        tensor([0.])
    """

    def __init__(self, function: Callable[[Tensor], Tensor], kinks: Sequence[float] = ()) -> None:
        super().__init__()
        self.function: Callable[[Tensor], Tensor] = checks.function("function", function)
        self.kinks: tuple[float, ...] = tuple(_finite("kinks", t) for t in entries("kinks", kinks))

    def __getstate__(self) -> dict[str, Any]:
        return named_state(self, "function")

    def forward(self, x: Values) -> Values:
        """The function of each entry."""
        return self.function(x)


def _finite(name: str, value: object) -> float:
    found = number(name, value)
    if not isfinite(found):
        raise ValueError(f"`{name}={value!r}` must be a finite number.")
    return found


def _degree(value: int) -> int:
    found = whole("degree", value)
    if found < 0:
        raise ValueError(f"`degree={found}` must be at least 0.")
    return found
