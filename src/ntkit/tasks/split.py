"""A network in two: what comes first and stays as it is, and what is trained."""

from torch import nn

from ntkit.encodings import AbstractEncoding

__all__ = ["split_encoding"]


def split_encoding(network: nn.Module) -> tuple[nn.Module, nn.Module]:
    """A leading module whose features stay, and the rest; the identity and `network` if there is none."""
    if type(network) is nn.Sequential and len(network) > 1:
        first = network[0]
        is_fixed = not isinstance(first, AbstractEncoding) or first.is_fixed
        if is_fixed and not any(True for _ in first.parameters()):
            return first, network[1:]
    return nn.Identity(), network
