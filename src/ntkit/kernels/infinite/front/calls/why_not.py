"""Functions of torch that have no limit, or none that can be read off the call, and the way out."""

from collections.abc import Hashable

import torch
from torch import nn
from torch.nn import functional

from ntkit.kernels.infinite.rules import refusals

__all__ = ["why_not"]

_AS_MODULE = "its weights are no layer's. Use the module `{}` in its place."
_SCORES = (
    "a product of units with units (attention written by hand, pairwise interactions) has no rule. "
    "Use `ntkit.networks.SelfAttention` or `nn.MultiheadAttention`."
)

why_not: dict[Hashable, str] = {
    **dict.fromkeys(
        (
            functional.max_pool1d,
            functional.max_pool2d,
            functional.max_pool3d,
            functional.adaptive_max_pool1d,
            functional.adaptive_max_pool2d,
            functional.adaptive_max_pool3d,
            *("amax", "max", "amin", "min", torch.amax, torch.amin, torch.max, torch.min),
        ),
        refusals[nn.MaxPool2d],
    ),
    **dict.fromkeys((functional.softmax, torch.softmax, "softmax"), refusals[nn.Softmax]),
    **dict.fromkeys(
        (functional.log_softmax, torch.log_softmax, "log_softmax"), refusals[nn.LogSoftmax]
    ),
    functional.embedding: refusals[nn.Embedding],
    functional.group_norm: "normalisation as a function has no rule. Use the module `nn.GroupNorm`.",
    functional.instance_norm: refusals[nn.InstanceNorm2d],
    functional.linear: _AS_MODULE.format("nn.Linear"),
    functional.conv1d: _AS_MODULE.format("nn.Conv1d"),
    functional.conv2d: _AS_MODULE.format("nn.Conv2d"),
    functional.conv3d: _AS_MODULE.format("nn.Conv3d"),
    functional.conv_transpose1d: _AS_MODULE.format("nn.ConvTranspose1d"),
    functional.conv_transpose2d: _AS_MODULE.format("nn.ConvTranspose2d"),
    functional.batch_norm: _AS_MODULE.format("nn.BatchNorm1d"),
    functional.layer_norm: "normalisation as a function has no rule. Use the module `nn.LayerNorm`.",
    torch.baddbmm: _SCORES,
}
"""By function, or the name of a tensor's method."""
