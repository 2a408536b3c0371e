"""A module as the kernel of a network takes it: tensors with samples in, one row a sample out."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit._core.torch_internals import tree_flatten, tree_leaves, tree_unflatten

__all__ = ["FlatOutputs", "flat"]


class FlatOutputs(nn.Module):
    """`module(*args, **kwargs)` with all floating outputs of a sample in a row.

    Tensors among the inputs with as many entries on axis 0 as the outputs are its arguments, in
    order; all else is held.

    Args:
        module: Any module.
        args: Its positional inputs.
        kwargs: Its inputs by keyword.
        n: Samples of the outputs.

    Attributes:
        sampled: The arguments to be called with.
    """

    def __init__(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], n: int
    ) -> None:
        super().__init__()
        self.module = module
        self._inputs = args, kwargs
        leaves, _ = tree_flatten(self._inputs)
        self._places = [
            k
            for k, leaf in enumerate(leaves)
            if isinstance(leaf, Tensor) and leaf.ndim and len(leaf) == n
        ]
        self.sampled: tuple[Any, ...] = tuple(leaves[k] for k in self._places)

    def forward(self, *sampled: Tensor) -> Float[Tensor, "n o"]:
        """The outputs of these samples."""
        leaves, form = tree_flatten(self._inputs)
        for k, t in zip(self._places, sampled, strict=True):
            leaves[k] = t
        args, kwargs = tree_unflatten(leaves, form)
        return flat(self.module(*args, **kwargs))


def flat(outputs: Any) -> Float[Tensor, "n o"]:
    """All floating outputs of a sample in a row.

    Raises:
        ValueError: There is none, or their first axes differ.
    """
    leaves = [leaf for leaf in tree_leaves(outputs) if isinstance(leaf, Tensor)]
    leaves = [leaf for leaf in leaves if leaf.is_floating_point()]
    if not leaves or len({leaf.shape[:1] for leaf in leaves}) > 1 or leaves[0].ndim == 0:
        shapes = [tuple(leaf.shape) for leaf in leaves]
        raise ValueError(
            f"`module(x)` must return floating tensors with one first axis, for the samples; got "
            f"{shapes}. Wrap the network in a module that returns such."
        )
    return torch.cat([leaf.reshape(len(leaf), -1) for leaf in leaves], dim=1)
