"""A module taken apart: what it computes, and the tree of its tensors under their names."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

import torch
from torch import Tensor, nn

__all__ = ["Branch", "grow", "plant", "refuse_unusable", "skeleton", "slots", "untouched"]


class Branch(nn.Module):
    """Parameters, buffers and branches under the names that they have in a module; no forward."""


def slots(module: nn.Module, kind: str) -> dict[str, list[str]]:
    """All names of each tensor, by its first; several where it is tied.

    A submodule that occurs twice counts once. The first names are those of `named_parameters()`.

    Args:
        module: Where to look.
        kind: "parameters" or "buffers".
    """
    names: dict[int, list[str]] = {}
    for prefix, part in module.named_modules():
        own = getattr(part, f"named_{kind}")(recurse=False, remove_duplicate=False)
        for name, tensor in own:
            names.setdefault(id(tensor), []).append(f"{prefix}.{name}" if prefix else name)
    return {found[0]: found for found in names.values()}


def grow(root: nn.Module, module: nn.Module) -> None:
    """Copy all tensors of `module`, its names, ties and modes, into the empty `root`."""
    tensors: dict[int, Tensor] = {}
    branches: dict[int, nn.Module] = {}

    def copy(tensor: Tensor, is_parameter: bool) -> Tensor:
        if id(tensor) not in tensors:
            plain = tensor.detach().clone()
            tensors[id(tensor)] = (
                nn.Parameter(plain, requires_grad=tensor.requires_grad) if is_parameter else plain
            )
        return tensors[id(tensor)]

    def fill(branch: nn.Module, part: nn.Module) -> None:
        branches[id(part)] = branch
        branch.training = part.training
        for name, parameter in part.named_parameters(recurse=False, remove_duplicate=False):
            twin = copy(parameter, True)
            assert isinstance(twin, nn.Parameter)
            branch.register_parameter(name, twin)
        for name, buffer in part.named_buffers(recurse=False, remove_duplicate=False):
            is_kept = name not in part._non_persistent_buffers_set
            branch.register_buffer(name, copy(buffer, False), persistent=is_kept)
        for name, child in part._modules.items():  # `named_children` leaves out repeated ones
            if child is not None:
                if id(child) not in branches:
                    fill(Branch(), child)
                branch.add_module(name, branches[id(child)])

    fill(root, module)


def plant(root: nn.Module, name: str, tensor: Tensor) -> None:
    """Register `tensor` as the buffer `name`, dots and all, making branches on the way."""
    *path, leaf = name.split(".")
    for step in path:
        if step not in root._modules:
            root.add_module(step, Branch())
        root = root.get_submodule(step)
    root.register_buffer(leaf, tensor)


def skeleton(module: nn.Module) -> nn.Module:
    """A copy of `module` whose parameters and buffers have shapes but no memory.

    It computes once `torch.func.functional_call` hands it tensors. Backward hooks stay behind: they
    are no part of the function.
    """
    hollow: dict[int, object] = {}
    for parameter in module.parameters():
        hollow[id(parameter)] = nn.Parameter(
            parameter.detach().to("meta"), requires_grad=parameter.requires_grad
        )
    for buffer in module.buffers():
        hollow[id(buffer)] = buffer.detach().to("meta")
    for part in module.modules():  # left there by a forward pass: deepcopy refuses them
        for value in vars(part).values():
            if isinstance(value, Tensor) and not value.is_leaf:
                hollow.setdefault(id(value), value.detach().clone())
    copy = deepcopy(module, hollow)
    for part in copy.modules():
        part._backward_hooks.clear()
        part._backward_pre_hooks.clear()
    return copy


@contextmanager
def untouched(module: nn.Module) -> Iterator[None]:
    """Set the attributes of all parts of `module` back at the end: modes, stored attention maps."""
    before = [(part, dict(vars(part))) for part in module.modules()]
    try:
        yield
    finally:
        for part, attributes in before:
            for name in vars(part).keys() - attributes.keys():
                del vars(part)[name]
            vars(part).update(attributes)


def refuse_unusable(module: nn.Module) -> None:
    """Check that `module` is one that can be taken apart.

    Raises:
        TypeError: It is no `nn.Module`, or a scripted one.
        ValueError: A lazy layer has no parameters yet.
    """
    if not isinstance(module, nn.Module) or isinstance(module, torch.jit.ScriptModule):
        raise TypeError(
            f"`module` must be an ordinary torch.nn.Module, got {type(module).__name__}. "
            "Pass the network itself, before scripting."
        )
    lazy = [n for n, p in module.named_parameters() if nn.parameter.is_lazy(p)]
    if lazy:
        raise ValueError(
            f"`module` has lazy parameters without a shape yet: {', '.join(lazy)}. "
            "Call it once on an input first."
        )
