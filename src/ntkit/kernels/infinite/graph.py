"""Reading a module: the feature map in front, and the layers that the rules walk."""

from dataclasses import dataclass

from torch import nn

from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels.infinite.rules import rules
from ntkit.networks.symmetrise import Symmetrised

__all__ = ["Chain", "read_chain"]


@dataclass(frozen=True)
class Chain:
    """A module as a feature map followed by layers.

    Attributes:
        features: Parameter-free modules in front of the first layer with parameters.
        layers: The rest, in order.
        starts_at_zero: Whether the module was symmetrised.
    """

    features: tuple[nn.Module, ...]
    layers: tuple[nn.Module, ...]
    starts_at_zero: bool


def read_chain(module: nn.Module) -> Chain:
    """Flatten nested `nn.Sequential`s into a chain, and check that each layer has a rule.

    Raises:
        TypeError: `module` is no `nn.Module`.
        UnsupportedLayerError: A layer has no rule.
        ValueError: There is no layer with parameters, or two layers share one.
    """
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"`module` must be a torch.nn.Module, got {type(module).__name__}. "
            "Wrap layers in `nn.Sequential(...)`."
        )
    body = module.plus if type(module) is Symmetrised else module
    flat = _flatten(body)
    own = [i for i, layer in enumerate(flat) if any(True for _ in layer.parameters())]
    if not own:
        raise ValueError(
            "`module` has no layer with parameters, so no tangent kernel. "
            "Add one, for example `nn.Sequential(encoding, ntkit.networks.Linear(f, 1))`."
        )
    _refuse_sharing(body)
    layers = flat[own[0] :]
    for layer in layers:
        if type(layer) not in rules:
            position = f"layer {flat.index(layer)}, `{layer}`: "
            try:
                rules[layer]
            except UnsupportedLayerError as error:
                raise UnsupportedLayerError(position + str(error)) from None
    return Chain(tuple(flat[: own[0]]), tuple(layers), type(module) is Symmetrised)


def _flatten(module: nn.Module) -> list[nn.Module]:
    if type(module) is not nn.Sequential:
        return [module]
    return [leaf for child in module for leaf in _flatten(child)]


def _refuse_sharing(module: nn.Module) -> None:
    names: dict[int, str] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        if id(parameter) in names:
            raise ValueError(
                f"`{name}` and `{names[id(parameter)]}` are one parameter. The rules of the "
                "infinite-width limit hold for independent weights; give each layer its own."
            )
        names[id(parameter)] = name
