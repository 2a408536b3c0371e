"""Maps of positions: pooling, resizing, padding, sums and shares of positions, other orders."""

import torch
from torch import nn
from torch.nn import functional

from ntkit.kernels.infinite.rules.registry import rules

__all__: list[str] = []

rules.pooling(
    *(nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
    *(nn.Upsample, nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d),
    *(nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d),
    *(nn.ReflectionPad1d, nn.ReflectionPad2d, nn.ReflectionPad3d),
    *(nn.ReplicationPad1d, nn.ReplicationPad2d, nn.ReplicationPad3d),
    *(nn.CircularPad1d, nn.CircularPad2d, nn.CircularPad3d),
    *(functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d),
    functional.adaptive_avg_pool1d,
    functional.adaptive_avg_pool2d,
    functional.adaptive_avg_pool3d,
    *(functional.interpolate, functional.pad, torch.roll, torch.flip),
    *(torch.mean, torch.sum, torch.narrow, torch.index_select, torch.einsum),
    *("mean", "sum", "roll", "flip", "narrow", "index_select"),
)
