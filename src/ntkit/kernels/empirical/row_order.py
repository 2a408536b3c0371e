"""Whether a network may order its samples by their values, from the graphs of two runs."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from ntkit._core.torch_internals import keeps, metadata, saved, shape_of

__all__ = ["may_reorder"]

_ANY = (-1,)
"""In place of sizes: the node may do anything to rows."""

_UNKNOWN = (
    "AsStrided",
    "DiagonalScatter",
    "MaskedScatter",
    "MaskedSelect",
    "Nonzero",
    "Put",
    "SegmentReduce",
    "SelectScatter",
    "SliceScatter",
    "Take",
    "torch::autograd::CopySlices",
)
"""Beginnings of the names of nodes that say too little of where rows go."""


def may_reorder(few: Sequence[Any], more: Sequence[Any]) -> bool:
    """Whether some node moves, picks or adds up entries along an axis that the samples lie on.

    Then where a sample is may depend on values (sorting, experts, padding taken out), and what a few
    samples show need not hold for others. Nodes that work along axes of fixed size leave samples where
    they are.

    Args:
        few: Nodes of a run, in the order of the walk.
        more: Those of a run over another number of samples.
    """
    if [node.name() for node in few] != [node.name() for node in more]:
        return True
    for one, other in zip(few, more, strict=True):
        sizes = _worked_along(one)
        if sizes is _ANY or sizes != _worked_along(other):
            return True
    return False


def _worked_along(node: Any) -> tuple[int, ...]:
    """Sizes of the axes that a node works along."""
    name = node.name()
    if name.startswith(_UNKNOWN) or _is_custom(name):
        return _ANY
    of = _SIZES.get(name.rstrip("0123456789").removesuffix("Backward"))
    if of is not None:
        return of(node)
    dims = next((saved(node, key) for key in _DIMS if keeps(node, key)), ())
    dims = [dims] if isinstance(dims, int) else dims or ()
    return tuple(
        shape[_signed(d)]
        for shape in _inputs(node)
        for d in dims
        if -len(shape) <= _signed(d) < len(shape)
    )


_DIMS = ("dim", "dims", "dimension")


def _is_custom(name: str) -> bool:
    """Of a `torch.autograd.Function` of the user's."""
    return name.endswith("Backward")


def _inputs(node: Any) -> list[tuple[int, ...]]:
    """Shapes of the inputs that have gradients."""
    below = [(metadata(b), o) for b, o in node.next_functions if b is not None]
    return [tuple(shapes[o].shape) for shapes, o in below if o < len(shapes)]


def _stacked(node: Any) -> tuple[int, ...]:
    return (shape_of(node)[_signed(saved(node, "dim"))],)


def _indexed(node: Any) -> tuple[int, ...]:
    """Sizes of the axes with an index; a mask takes as many as it has."""
    is_read = keeps(node, "self_sym_sizes")
    shape = tuple(saved(node, "self_sym_sizes")) if is_read else shape_of(node)
    found: list[int] = []
    axis = 0
    for index in saved(node, "indices"):
        width = 1
        if index is not None:
            width = index.ndim if index.dtype in {torch.bool, torch.uint8} else 1
            found += shape[axis : axis + width]
        axis += width
    return tuple(found)


def _padded(node: Any) -> tuple[int, ...]:
    pad, shape = saved(node, "pad"), _inputs(node)[0]
    pairs = zip(pad[::2], pad[1::2], strict=True)
    return tuple(shape[-1 - k] for k, pair in enumerate(pairs) if any(pair))


def _summed_over(node: Any) -> tuple[int, ...]:
    """The axis that a product of matrices sums over."""
    factors = node.next_functions[-2:]
    shapes = [None if b is None else shape_of(b, o) for b, o in factors]
    if shapes[0] is not None:
        return shapes[0][-1:]
    return () if shapes[1] is None else shapes[1][-2:][:1]


_LAID_OUT = ("Permute", "Select", "Slice", "Squeeze", "Unsqueeze")
"""Have axes, and work along none: they cut, name or order them, the same for all values."""

_SIZES: dict[str, Callable[[Any], tuple[int, ...]]] = {
    **dict.fromkeys(_LAID_OUT, lambda _: ()),
    "Addmm": _summed_over,
    "Addmv": lambda _: _ANY,
    "Baddbmm": _summed_over,
    "Bmm": _summed_over,
    "ConstantPadNd": _padded,
    "Convolution": lambda node: tuple(size for shape in _inputs(node)[:1] for size in shape[2:]),
    "Diagonal": lambda node: _inputs(node)[0],
    "Embedding": lambda node: (saved(node, "weight_sym_argsize_0"),),
    "Index": _indexed,
    "IndexPut": _indexed,
    "Mm": _summed_over,
    "Mv": _summed_over,
    "Stack": _stacked,
}


def _signed(number: int) -> int:
    """Negative numbers are kept as if unsigned."""
    return number - 2**64 if number >= 2**63 else number
