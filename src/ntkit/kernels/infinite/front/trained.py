"""Which parameters of a layer are trained."""

from torch import nn

from ntkit._core.errors import UnsupportedLayerError

__all__ = ["trained"]


def trained(place: str, layer: nn.Module, *, no_grad: bool) -> tuple[bool, bool]:
    """Whether the weights and the biases of a layer are trained, at present.

    Args:
        place: What an error calls the layer's place.
        layer: It.
        no_grad: Whether it is called where no gradients are taken.

    Raises:
        UnsupportedLayerError: Some of its weights are, and others not.
    """
    found = []
    for is_bias in (False, True):
        asks = {
            p.requires_grad for name, p in layer.named_parameters() if ("bias" in name) is is_bias
        }
        if len(asks) > 1:
            raise UnsupportedLayerError(
                f"At {place}: some weights of `{layer}` are frozen and others are not. Freeze all or "
                "none of them."
            )
        found.append(asks != {False} and not no_grad)
    return found[0], found[1]
