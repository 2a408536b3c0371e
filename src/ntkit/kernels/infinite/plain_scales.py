"""All that the limit of a plain chain of dense layers depends on, in a glance."""

from torch import Tensor, nn

from ntkit.networks.linear import Linear

__all__ = ["plain_scales"]

_STATELESS = ("torch.nn.modules.container", "torch.nn.modules.activation")


def plain_scales(module: nn.Module) -> tuple[object, ...] | None:
    """The numbers that the kernel is a function of; None where it may depend on more.

    For containers of activations and of dense layers in the NTK parametrisation, whose rules read no
    weights: to compare these takes microseconds, to run the rules milliseconds.
    """
    found: list[object] = []
    for part in module.modules():
        own = [*part.parameters(recurse=False), *part.buffers(recurse=False)]
        if type(part) is Linear:
            if isinstance(part.w_std, Tensor) or isinstance(part.b_std, Tensor):
                return None
            found.append((part.w_std, part.b_std, *(p.requires_grad for p in own)))
        elif own or type(part).__module__ not in _STATELESS:
            return None
    return tuple(found)
