"""The private names of torch that are needed, in one place; `tests/core/test_torch_internals.py` names the one that is gone.

What autograd keeps of a call (its input, the axes of a reduction, a stride) has no public name, and the rules of empirical
kernels are read off it. Versions of tensors, parts of a compiled module and trees of outputs are others.
"""

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map_only, tree_unflatten

__all__ = [
    "BACKWARD_HOOKS",
    "COMPILED_CALL",
    "COMPILER",
    "FORWARD_HOOKS",
    "PARTS",
    "TENSORS",
    "WRAPPED",
    "compiled_from",
    "is_stored",
    "keeps",
    "metadata",
    "number_of",
    "saved",
    "shape_of",
    "tree_flatten",
    "tree_leaves",
    "tree_map_only",
    "tree_unflatten",
    "version_of",
    "weight_norm",
]

COMPILER = "torch._dynamo"
"""The module that `torch.compile` loads, and whose classes wrap what it compiles."""

WRAPPED = "_orig_mod"
"""Where the wrapper of a compiled module holds it, and what its parameters' names begin with."""

COMPILED_CALL = "_compiled_call_impl"
"""What `module.compile()` puts into a module."""

TENSORS = ("_parameters", "_buffers")
"""Where a module holds its tensors."""

PARTS = "_modules"
"""Where a module holds its parts."""

FORWARD_HOOKS = ("_forward_hooks", "_forward_pre_hooks")
BACKWARD_HOOKS = ("_backward_hooks", "_backward_pre_hooks")

weight_norm = torch._weight_norm  # pyright: ignore[reportPrivateImportUsage]
"""What `nn.utils.weight_norm` calls."""

_NEEDED: Any = object()


def saved(node: Any, name: str, otherwise: Any = _NEEDED) -> Any:
    """What an autograd node kept of its call, by the argument's name in `derivatives.yaml` of torch.

    Raises:
        AttributeError: It keeps nothing of that name, and no `otherwise` is given.
    """
    found = getattr(node, f"_saved_{name}", otherwise)
    if found is _NEEDED:
        raise AttributeError(
            f"`{node.name()}` of torch {torch.__version__} keeps no `{name}`. This version of ntkit reads it: take another of "
            "one of them."
        )
    return found


def keeps(node: Any, name: str) -> bool:
    """Whether a node keeps something of that name."""
    return hasattr(node, f"_saved_{name}")


def metadata(node: Any) -> tuple[Any, ...]:
    """Shape, precision and device of each output of the call that a node belongs to; none of a leaf of an old torch."""
    return getattr(node, "_input_metadata", ())


def shape_of(node: Any, output: int = 0) -> tuple[int, ...]:
    """The shape of an output of the call that a node belongs to."""
    return tuple(metadata(node)[output].shape)


def number_of(node: Any) -> int:
    """Rises with each call, so that a node's is above those that it came from; the largest for leaves."""
    return node._sequence_nr()


def version_of(tensor: Tensor) -> int:
    """How often a tensor has been changed in place."""
    return tensor._version


def compiled_from(module: torch.nn.Module) -> torch.nn.Module | None:
    """The module that `torch.compile` wrapped into this one; None for one that it did not make."""
    is_wrapper = type(module).__module__.startswith(COMPILER)
    return vars(module)[PARTS].get(WRAPPED) if is_wrapper else None


def is_stored(module: torch.nn.Module, buffer: str) -> bool:
    """Whether a module's own buffer is part of its `state_dict`."""
    return buffer not in module._non_persistent_buffers_set
