"""Where the rules are filed: one a layer type, looked up by exact type."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

from torch import nn

from ntkit._core.errors import UnsupportedLayerError
from ntkit._core.registry import ExactTypeRegistry
from ntkit.kernels.infinite.meanings import AbstractMeaning, OfKind, meanings
from ntkit.kernels.infinite.moments.convolution import Windows
from ntkit.kernels.infinite.moments.state import PairState
from ntkit.kernels.infinite.program.weights import Weights
from ntkit.kernels.infinite.rules.kinds import Attends, Normalises, NormOf, Pools, WeightsOf
from ntkit.kernels.infinite.rules.variances import Taken

__all__ = ["Effect", "HasRule", "Rule", "RuleBook", "rules"]

Effect = Literal["weights", "windows", "scaling"]
"""What a layer does to a unit: "weights" mixes all channels with fresh weights, so that its output is
Gaussian and independent of all before; "windows" does the same over several positions (its rule gets
covariances alone, and each point meets itself first to know the variances); "scaling" treats each
unit alone and keeps what it was. What divides units by what all of a point have in common is no scaling,
see `RuleBook.normalisation`."""

Apply = Callable[[Any, PairState, Taken], PairState]
NumbersOf = Callable[[Any, Taken], Weights]
WindowsOf = Callable[[Any, tuple[int, ...], Taken], Windows]


@dataclass(frozen=True)
class Rule:
    """The infinite-width limit of one layer type.

    Attributes:
        apply: `apply(layer, state, variances)`, the state after the layer.
        effect: What the layer does to a unit.
        channel_axis: Where the layer expects the channels: 1 (convolutions) or -1.
        windows: What the rule hands to `convolved`, if that is all it does: `windows(layer,
            positions, variances)`. Several layers are then computed together.
        numbers: What the rule hands to `PairState.affine` (with the effect "scaling" to
            `PairState.trained_scale`), if that is all it does: `numbers(layer, variances)`. The layer
            is then read once a call.
    """

    apply: Apply
    effect: Effect
    channel_axis: int
    windows: WindowsOf | None = None
    numbers: NumbersOf | None = None

    def __call__(self, layer: nn.Module, state: PairState, variances: Taken) -> PairState:
        """The state after `layer`."""
        return self.apply(layer, state, variances)


@dataclass(frozen=True)
class HasRule(AbstractMeaning):
    """A layer with a rule.

    Attributes:
        rule: It.
    """

    rule: Rule

    what: ClassVar[str] = "infinite-width rule"


class RuleBook:
    """Rules by exact layer type, so that a subclass asks for its own.

    Example:
        >>> class Double(nn.Module):
        ...     def forward(self, x):
        ...         return 2 * x
        >>> @rules.register(Double, effect="scaling")
        ... def double(layer, state, variances):
        ...     return state.scaled(4.0)
    """

    def __init__(self) -> None:
        self._entries: ExactTypeRegistry[Rule] = ExactTypeRegistry(
            HasRule.what, UnsupportedLayerError, OfKind(meanings, HasRule, "rule")
        )

    def register(
        self,
        *types: type[nn.Module],
        effect: Effect = "weights",
        channel_axis: int = -1,
        windows: WindowsOf | None = None,
        numbers: NumbersOf | None = None,
    ) -> Callable[[Apply], Apply]:
        """A decorator that files `rule(layer, state, variances) -> state` under each of `types`.

        Args:
            types: Exact layer types.
            effect: What the layer does to a unit, see `Effect`.
            channel_axis: Where the layer expects the channels, 1 or -1.
            windows: See `Rule`.
            numbers: See `Rule`.

        Raises:
            ValueError: The effect or the axis is none of those above, or there are no types.
        """
        _check_types("register", types)
        if effect not in get_args(Effect):
            raise ValueError(f"`register(effect={effect!r})` must be one of {get_args(Effect)}.")
        if channel_axis not in {1, -1}:
            raise ValueError(f"`register(channel_axis={channel_axis!r})` must be 1 or -1.")

        def file(apply: Apply) -> Apply:
            _check_callable("register", apply)
            self._entries.register(*types)(Rule(apply, effect, channel_axis, windows, numbers))
            return apply

        return file

    def pooling(self, *targets: Hashable) -> None:
        """File linear maps of positions that are the same for every channel.

        No function is needed: the matrix is read off what the call itself does to single positions, and the
        call is refused where it is not such a map.

        Args:
            targets: Exact types of modules, functions, or names of a tensor's methods.

        Example:
            >>> class Halves(nn.Module):
            ...     def forward(self, x):
            ...         return (x[..., ::2] + x[..., 1::2]) / 2
            >>> rules.pooling(Halves)

        Raises:
            TypeError: A target is neither a type of modules, a function nor a name.
            ValueError: There are no targets.
        """
        for target in targets:
            if isinstance(target, nn.Module) or not (isinstance(target, str) or callable(target)):
                raise TypeError(
                    "`rules.pooling(...)` takes types of modules, functions and names of a tensor's methods, "
                    f"got {target!r}. Pass the type of a module, not the module."
                )
        if not targets:
            raise ValueError("`rules.pooling()` got nothing to file. Pass the type of a module.")
        meanings.file(Pools(), *targets)

    def normalisation(
        self, *types: type[nn.Module], channel_axis: int | None = None
    ) -> Callable[[NormOf], NormOf]:
        """A decorator that files `norm(layer) -> Norm` under each of `types`.

        Args:
            types: Exact layer types.
            channel_axis: Where the layer expects the channels; anywhere among the norm's axes if left out.

        Raises:
            ValueError: The axis is another one, or there are no types.

        Example:
            >>> from ntkit.kernels import Norm
            >>> class Unit(nn.Module):
            ...     def forward(self, x):
            ...         return x / x.square().mean(-1, keepdim=True).sqrt()
            >>> @rules.normalisation(Unit)
            ... def unit(layer):
            ...     return Norm(axes=(-1,))
        """
        _check_types("normalisation", types)
        if channel_axis not in {None, 1, -1}:
            raise ValueError(
                f"`normalisation(channel_axis={channel_axis!r})` must be 1, -1 or None."
            )

        def file(norm: NormOf) -> NormOf:
            _check_callable("normalisation", norm)
            meanings.file(Normalises(norm, channel_axis), *types)
            return norm

        return file

    def attention(self, *types: type[nn.Module], weights: WeightsOf) -> Callable[[Apply], Apply]:
        """A decorator that files `rule(layer, state, variances) -> state` for layers of self-attention.

        The layer takes units `[n, *positions, channels]`, and may take a mask of keys as its second argument,
        `key_padding_mask`. The rule gets the state of the sums over positions, and says what the weights of
        values and output do to it. It holds in the limit of infinitely many heads.

        Args:
            types: Exact layer types.
            weights: `weights(layer, covariance, hidden)`: of the covariances `[n, positions, positions]` of
                each point's positions, in float64, and of where keys are not seen (`[n, 1, positions]`, or
                None), the weights `[n, queries, keys]`.
        """
        _check_types("attention", types)
        _check_callable("attention", weights)

        def file(apply: Apply) -> Apply:
            _check_callable("attention", apply)
            meanings.file(Attends(weights, apply), *types)
            return apply

        return file

    def __getitem__(self, layer: nn.Module) -> Rule:
        return self._entries[layer]

    def __contains__(self, kind: type) -> bool:
        return kind in self._entries

    def __iter__(self) -> Iterator[type]:
        return iter(self._entries)


def _check_types(door: str, types: tuple[object, ...]) -> None:
    """Refuse what no layer has as its type: it would be filed and never asked.

    Raises:
        TypeError: It is no type of modules.
        ValueError: There is none.
    """
    for kind in types:
        if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
            raise TypeError(
                f"`rules.{door}(...)` takes types of modules, got {kind!r}. Pass the class of the layer; "
                "functions of positions go to `rules.pooling`, activations to `register_activation`."
            )
    if not types:
        raise ValueError(f"`rules.{door}()` got no type. Pass the class of the layer.")


def _check_callable(door: str, function: object) -> None:
    """Refuse what cannot be called.

    Raises:
        TypeError: It cannot.
    """
    if not callable(function):
        raise TypeError(f"`rules.{door}(...)` files a function, got {function!r}.")


rules: RuleBook = RuleBook()
"""From the exact type of a layer to its rule of infinite width; `rules.register` adds one of your own.

Three other doors are for layers that are more than their own weights: `rules.normalisation` (group norm and the like),
`rules.pooling` (maps of positions, of functions too) and `rules.attention`. CONTRIBUTING has an example of each.

Example:
    >>> from torch import nn
    >>> nn.Linear in rules
    True
"""
