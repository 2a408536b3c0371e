"""Which parameters of a layer are trained."""

from torch import nn

from ntkit._core.errors import UnsupportedLayerError

__all__ = ["trained", "trained_at_all"]


def trained(place: str, layer: nn.Module, *, no_grad: bool) -> tuple[bool, bool]:
    """Whether the weights and the biases of a layer are trained, at present.

    Args:
        place: What an error calls the layer's place.
        layer: It.
        no_grad: Whether it is called where no gradients are taken.

    Raises:
        UnsupportedLayerError: Some of its weights are, and others not.
    """
    of_weights: set[bool] = set()
    of_biases: set[bool] = set()
    for name, parameter in layer.named_parameters():
        (of_biases if "bias" in name else of_weights).add(parameter.requires_grad)
    for asks in (of_weights, of_biases):
        if len(asks) > 1:
            raise UnsupportedLayerError(
                f"At {place}: some weights of `{layer}` are frozen and others are not. Freeze all or "
                "none of them."
            )
    return of_weights != {False} and not no_grad, of_biases != {False} and not no_grad


def trained_at_all(place: str, layer: nn.Module, *, no_grad: bool) -> bool:
    """Whether the parameters of a layer are trained whose rule does not tell their parts.

    Args:
        place: What an error calls the layer's place.
        layer: It.
        no_grad: Whether it is called where no gradients are taken.

    Raises:
        UnsupportedLayerError: Some are, and others not.
    """
    asks = {parameter.requires_grad for parameter in layer.parameters()}
    if len(asks) > 1 and not no_grad:
        raise UnsupportedLayerError(
            f"At {place}: some parameters of `{layer}` are frozen and others are not, and its rule does not tell "
            "what each adds to the tangent kernel. Freeze all or none of them, or file the rule with `numbers=` "
            "or `windows=` (`ntkit.kernels.rules.register`)."
        )
    return asks != {False} and not no_grad
