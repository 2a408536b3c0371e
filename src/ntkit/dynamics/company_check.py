"""A warning where the rows of a network's outputs depend on each other: its expansion is that of the batch."""

from collections.abc import Callable, Hashable, Iterator
from itertools import combinations
from typing import Any

from torch import Tensor

from ntkit._core.company import mixing
from ntkit._core.company_rows import few_of
from ntkit._core.outside import warn
from ntkit._core.torch_internals import tree_flatten, tree_unflatten
from ntkit.dynamics.flat_outputs import flat

__all__ = ["CompanyCheck"]

_KINDS = 16
"""Shapes of points that are looked at: a stream of sentences, each of its own length, costs no more."""

_ARGUMENTS = 3
"""Inputs that may be the samples, all or some of them, at most: of more, all."""

_CHANGES = "of one that runs alone change"
"""In the words of `mixing`, where it was seen on outputs. That a sample does not run alone says as much of
a single input; of several, one may count in another (offsets)."""


class CompanyCheck:
    """Looks, once for inputs of a shape, whether a sample's outputs change in other company."""

    def __init__(self) -> None:
        self._looked_at: set[Hashable] = set()
        self._has_warned = False

    def __call__(
        self, run: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any
    ) -> None:
        """Warn, once in all, where they do.

        Chance alone is no reason: an expansion is that of one draw. Modules that do not take some of
        their points alone (offsets into others), and transforms under way, say nothing.

        Args:
            run: The network in evaluation mode.
            args: Its positional inputs.
            kwargs: Its inputs by keyword.
            outputs: What it made of them.
        """
        leaves, form = tree_flatten((args, kwargs))
        key = tuple(_kind(leaf) for leaf in leaves)
        if self._has_warned or key in self._looked_at or len(self._looked_at) >= _KINDS:
            return
        self._looked_at.add(key)
        try:
            found = _mixing(run, leaves, form, len(flat(outputs)))
        except Exception:  # it ran on all points: that it does not on some of them is no fault
            return
        if found is not None:
            self._has_warned = True
            warn(
                f"`module` {found} Its expansion is right for the batch as a whole, and no function "
                "of one sample: it differs with the other points. Call it on one sample at a time; or "
                "take out of `module` what goes along axis 0 of its tensors (`batch_first=True`, "
                "`dim=1`)."
            )


def _kind(leaf: Any) -> Hashable:
    if not isinstance(leaf, Tensor):
        return None
    return leaf.dtype, leaf.shape[1:], leaf.ndim > 0 and len(leaf) > 1


def _mixing(run: Callable[..., Any], leaves: list[Any], form: Any, n: int) -> str | None:
    """What was seen, whichever of the inputs with `n` entries on axis 0 are the samples; else None."""
    found = None
    is_alone = sum(isinstance(leaf, Tensor) for leaf in leaves) == 1
    for places in _choices(leaves, n):
        points = [leaves[k].detach() for k in places]

        def of(tensors: tuple[Tensor, ...], places: tuple[int, ...] = places) -> Tensor:
            own = [t.detach() if isinstance(t, Tensor) else t for t in leaves]
            for k, t in zip(places, tensors, strict=True):
                own[k] = t
            args, kwargs = tree_unflatten(own, form)
            return flat(run(*args, **kwargs))

        try:
            seen = mixing(of, few_of(points))
        except (RuntimeError, ValueError, IndexError, TypeError):
            continue  # others are the samples
        if seen is None or not seen.startswith("mixes"):  # what draws is not told from what mixes
            return None
        found = found or (seen if is_alone or _CHANGES in seen else None)
    return found


def _choices(leaves: list[Any], n: int) -> Iterator[tuple[int, ...]]:
    """Places of the inputs that may be the samples: all that have as many, then some of them.

    A mask that all samples share may have as many entries as there are samples.
    """
    places = [k for k, t in enumerate(leaves) if isinstance(t, Tensor) and t.ndim and len(t) == n]
    fewest = 1 if len(places) <= _ARGUMENTS else len(places)
    for count in range(len(places), fewest - 1, -1):
        if count:
            yield from combinations(places, count)
