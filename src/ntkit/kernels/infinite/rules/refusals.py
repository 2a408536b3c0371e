"""Calls that have no infinite-width limit of this kind, or none that can be read off them: why, and the way out."""

from collections.abc import Hashable

import torch
from torch import nn
from torch.nn import functional

from ntkit.kernels.infinite.meanings import NoLimit, meanings
from ntkit.networks.finer import VariableSine
from ntkit.networks.wire import ComplexGabor, ComplexLinear

__all__: list[str] = []

_MAX = (
    "the maximum over positions of Gaussian units has no closed covariance, so max pooling has no "
    "exact limit. Use average pooling, or a stride."
)
_INSTANCE = (
    "each channel is normalised by its own mean and variance over the positions, which stay random "
    "at any width. Use `nn.GroupNorm` with many channels a group."
)
_BATCH = "it couples the inputs of a batch. Use `nn.LayerNorm`, or `nn.BatchNorm` in eval mode."
_RECURRENT = (
    "recurrent weights are used at every step, and gates multiply dependent units. "
    "Take the empirical kernel."
)

_COMPLEX = (
    "the two parts of a complex unit go through a function of both, which has no closed covariance, so "
    "WIRE has no kernel of infinite width here. Take `ntkit.empirical_ntk`, or `siren`."
)

_CHIRP = (
    "its covariance has no closed form, and at FINER's frequencies numerical integrals do not settle. "
    "Take `ntkit.empirical_ntk`, or `siren`."
)
_SOFTMAX = "its sum over channels is no elementwise function of a unit. Leave it to the loss."
_LOG_SOFTMAX = "its sum over channels is no elementwise function. Leave it to the loss."
_TOKENS = (
    "tokens are integers, and the kernels take float points. Pass one-hot vectors through "
    "`nn.Linear(..., bias=False)`."
)
_AS_MODULE = "its weights are no layer's. Use the module `{}` in its place."
_NORM = "normalisation as a function has no rule. Use the module `{}`."
_SCORES = (
    "a product of units with units (attention written by hand, pairwise interactions) has no rule. "
    "Use `ntkit.networks.SelfAttention` or `nn.MultiheadAttention`."
)


def _refuse(why: str, *targets: Hashable) -> None:
    meanings.file(NoLimit(why), *targets)


_refuse(
    _MAX,
    *(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
    *(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
    *(nn.FractionalMaxPool2d, nn.FractionalMaxPool3d),
    *(functional.max_pool1d, functional.max_pool2d, functional.max_pool3d),
    functional.adaptive_max_pool1d,
    functional.adaptive_max_pool2d,
    functional.adaptive_max_pool3d,
    *("amax", "max", "amin", "min", torch.amax, torch.amin, torch.max, torch.min),
)
_refuse(
    _INSTANCE, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, functional.instance_norm
)
_refuse(_BATCH, nn.SyncBatchNorm)
_refuse(_RECURRENT, nn.RNN, nn.LSTM, nn.GRU, nn.RNNCell, nn.LSTMCell, nn.GRUCell)
_refuse(_COMPLEX, ComplexGabor, ComplexLinear)
_refuse(_CHIRP, VariableSine)
_refuse(_SOFTMAX, nn.Softmax, functional.softmax, torch.softmax, "softmax")
_refuse(_LOG_SOFTMAX, nn.LogSoftmax, functional.log_softmax, torch.log_softmax, "log_softmax")
_refuse(_TOKENS, nn.Embedding, functional.embedding)
_refuse(_SCORES, torch.baddbmm)
_refuse(_AS_MODULE.format("nn.Linear"), functional.linear)
_refuse(_AS_MODULE.format("nn.Conv1d"), functional.conv1d)
_refuse(_AS_MODULE.format("nn.Conv2d"), functional.conv2d)
_refuse(_AS_MODULE.format("nn.Conv3d"), functional.conv3d)
_refuse(_AS_MODULE.format("nn.ConvTranspose1d"), functional.conv_transpose1d)
_refuse(_AS_MODULE.format("nn.ConvTranspose2d"), functional.conv_transpose2d)
_refuse(_AS_MODULE.format("nn.BatchNorm1d"), functional.batch_norm)
_refuse(_NORM.format("nn.GroupNorm"), functional.group_norm)
_refuse(_NORM.format("nn.LayerNorm"), functional.layer_norm)
