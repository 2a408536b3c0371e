"""A module taken apart: what it computes, and the tree of its tensors under their names."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ntkit._core.copies import Copier
from ntkit._core.torch_internals import PARTS, WRAPPED, is_stored

__all__ = ["Branch", "as_written", "grow", "plant", "refuse_unusable", "skeleton", "untouched"]


class Branch(nn.Module):
    """Parameters, buffers and branches under the names that they have in a module; no forward."""


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
            is_kept = is_stored(part, name)
            branch.register_buffer(name, copy(buffer, False), persistent=is_kept)
        for name, child in vars(part)[PARTS].items():  # `named_children` leaves out repeated ones
            if child is not None:
                if id(child) not in branches:
                    fill(Branch(), child)
                branch.add_module(name, branches[id(child)])

    fill(root, module)


def plant(root: nn.Module, name: str, tensor: Tensor) -> None:
    """Register `tensor` as the buffer `name`, dots and all, making branches on the way."""
    *path, leaf = name.split(".")
    for step in path:
        if step not in vars(root)[PARTS]:
            root.add_module(step, Branch())
        root = root.get_submodule(step)
    root.register_buffer(leaf, tensor)


def skeleton(module: nn.Module) -> nn.Module:
    """A copy of `module` whose parameters and buffers have shapes but no memory.

    It computes once `ntkit._core.running.StandIn` hands it tensors. Backward hooks stay behind: they
    are no part of the function.
    """
    own = {id(t) for t in module.buffers()}

    def hollow(tensor: Tensor) -> Tensor:
        if isinstance(tensor, nn.Parameter):
            empty = tensor.detach().to("meta")
            return nn.Parameter(empty, requires_grad=tensor.requires_grad)
        if id(tensor) in own:
            return tensor.detach().to("meta")
        return tensor.detach().clone()  # left there by a forward pass, or a constant

    return Copier(hollow)(module)


def as_written(name: str) -> str:
    """The name that a part or tensor of a module has in its skeleton, where nothing is compiled."""
    return ".".join(part for part in name.split(".") if part != WRAPPED)


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
        ValueError: A lazy layer has no parameters yet, or it scatters samples over devices.
    """
    if not isinstance(module, nn.Module) or isinstance(module, torch.jit.ScriptModule):
        raise TypeError(
            f"`module` must be an ordinary torch.nn.Module, got {type(module).__name__}. "
            "Pass the network itself, before scripting."
        )
    for name, part in module.named_modules():
        if isinstance(part, nn.DataParallel):
            raise ValueError(
                f"`{name or 'module'}` (DataParallel) scatters samples over devices, which an expansion "
                "cannot. Pass what it wraps, `.module`."
            )
    lazy = [n for n, p in module.named_parameters() if nn.parameter.is_lazy(p)]
    if lazy:
        raise ValueError(
            f"`module` has lazy parameters without a shape yet: {', '.join(lazy)}. "
            "Call it once on an input first."
        )
