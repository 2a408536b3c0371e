"""Modules that have no kernel as they stand: their output of one sample is not a function of it."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.lazy import LazyModuleMixin

__all__ = ["refuse_unfit"]


def refuse_unfit(module: nn.Module) -> None:
    """Refuse layers that couple the samples of a batch or draw random numbers in their present mode.

    Raises:
        TypeError: The module is scripted.
        ValueError: A layer does one of these or is `nn.DataParallel`, or a parameter is not
            initialised yet.
    """
    if isinstance(module, LazyModuleMixin):
        raise ValueError("`module` is lazy and has no parameters yet; run it once on some data.")
    for name, layer in module.named_modules():
        where = f"`{name or 'module'}` ({type(layer).__name__})"
        if isinstance(layer, nn.DataParallel):
            raise ValueError(
                f"{where} scatters samples over devices, which a kernel is not computed by. "
                "Pass what it wraps, `.module`."
            )
        if type(layer).__module__.startswith("torch.jit"):
            raise TypeError(f"{where} is scripted; pass the module it was made from.")
        if isinstance(layer, LazyModuleMixin):
            raise ValueError(f"{where} is lazy; run the module once on some data first.")
        if isinstance(layer, _BatchNorm) and (layer.training or layer.running_mean is None):
            advice = (
                "Call `module.eval()` first."
                if layer.running_mean is not None
                else "It keeps no running statistics; use GroupNorm, or track them."
            )
            raise ValueError(
                f"{where} normalises by the statistics of the batch, so a sample's output depends "
                f"on the others. {advice}"
            )
        if layer.training and _drops(layer):
            raise ValueError(
                f"{where} drops units at random in training mode. Call `module.eval()` first."
            )


def _drops(layer: nn.Module) -> bool:
    if isinstance(layer, _DropoutNd):
        return layer.p > 0
    if isinstance(layer, nn.RNNBase | nn.MultiheadAttention):
        return layer.dropout > 0
    return isinstance(layer, nn.RReLU)
