"""What a layer may mean beside a rule: a map of positions, a normalisation, attention."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any, ClassVar

from torch import Tensor

from ntkit.kernels.infinite.meanings import AbstractMeaning, meanings
from ntkit.kernels.infinite.moments.state import PairState
from ntkit.kernels.infinite.rules.variances import Taken

__all__ = ["Attends", "Norm", "Normalises", "Pools", "norm_of"]


@dataclass(frozen=True)
class Norm:
    """What a layer divides the units of a point by: the root of their mean square plus `epsilon`.

    Attributes:
        axes: Over which the mean runs, of `[n, ...]`, the channels' among them; None for all but the first.
        epsilon: What is added to the mean square.
        takes_mean: Whether the mean over the same axes is taken off before.
        groups: Into how many groups the channels are divided, each with a mean square of its own; None for
            one mean square of all, whatever they come from. Groups stay as many as the width grows.
        scale: What each channel (or each entry of the axes) is multiplied by afterwards; None for nothing.
        shift: What is added last; None for nothing.

    Example:
        >>> from torch import nn
        >>> layer = nn.GroupNorm(2, 8)
        >>> Norm(epsilon=layer.eps, takes_mean=True, groups=2, scale=layer.weight, shift=layer.bias).groups
        2
    """

    axes: tuple[int, ...] | None = None
    epsilon: float = 0.0
    takes_mean: bool = False
    groups: int | None = None
    scale: Tensor | None = None
    shift: Tensor | None = None

    def __post_init__(self) -> None:
        """Refuse what is no axis, number or tensor.

        Raises:
            TypeError: A value is of another type.
            ValueError: A number is out of its range.
        """
        axes, groups = self.axes, self.groups
        if axes is not None and not (
            isinstance(axes, tuple) and all(isinstance(k, int) for k in axes)
        ):
            raise TypeError(f"`Norm(axes={axes!r})` must be a tuple of integers, or None.")
        if not isinstance(self.epsilon, (int, float, Tensor)):
            raise TypeError(f"`Norm(epsilon={self.epsilon!r})` must be a number.")
        if not (isfinite(self.epsilon) and self.epsilon >= 0):
            raise ValueError(f"`Norm(epsilon={self.epsilon!r})` must be finite and at least 0.")
        if groups is not None and not (isinstance(groups, int) and groups >= 1):
            raise ValueError(
                f"`Norm(groups={groups!r})` must be an integer of at least 1, or None."
            )
        for name, value in (("scale", self.scale), ("shift", self.shift)):
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(f"`Norm({name}={value!r})` must be a tensor, or None.")

    @property
    def trains(self) -> tuple[bool, bool]:
        """Whether the scale and the shift are trained; true of none, which adds nothing."""
        scale, shift = self.scale, self.shift
        return scale is None or scale.requires_grad, shift is None or shift.requires_grad


NormOf = Callable[[Any], Norm]
WeightsOf = Callable[[Any, Tensor, Tensor | None], Tensor]


@dataclass(frozen=True)
class Pools(AbstractMeaning):
    """A linear map of positions, the same for every channel: its matrix comes from probing the call itself."""

    what: ClassVar[str] = "map of positions"


@dataclass(frozen=True)
class Normalises(AbstractMeaning):
    """Units over what all of a point have in common.

    Attributes:
        norm: `norm(layer)`, that.
        channel_axis: Where the layer expects the channels; None for anywhere among the norm's axes.
    """

    norm: NormOf
    channel_axis: int | None

    what: ClassVar[str] = "normalisation"


@dataclass(frozen=True)
class Attends(AbstractMeaning):
    """Positions summed with weights that each point makes of its own units.

    Attributes:
        weights: `weights(layer, covariance, hidden)`, from the covariances `[n, positions, positions]` of each
            point's positions, and where keys are not seen, `[n, 1, positions]` or None: `[n, queries, keys]`.
        apply: `apply(layer, state, variances)`, what the weights of values and output do to the sums.
    """

    weights: WeightsOf
    apply: Callable[[Any, PairState, Taken], PairState]

    what: ClassVar[str] = "attention"


def norm_of(layer: object) -> Norm | None:
    """What a layer divides the units of a point by, at present; None for other layers."""
    meaning = meanings.get(type(layer))
    return meaning.norm(layer) if isinstance(meaning, Normalises) else None
