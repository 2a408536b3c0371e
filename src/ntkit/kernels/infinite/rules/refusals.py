"""Layers that have no infinite-width limit of this kind, and why."""

from torch import nn

from ntkit.networks.finer import VariableSine
from ntkit.networks.wire import ComplexGabor, ComplexLinear

__all__ = ["refusals"]

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

refusals: dict[type[nn.Module], str] = {
    **dict.fromkeys(
        (
            nn.MaxPool1d,
            nn.MaxPool2d,
            nn.MaxPool3d,
            nn.AdaptiveMaxPool1d,
            nn.AdaptiveMaxPool2d,
            nn.AdaptiveMaxPool3d,
            nn.FractionalMaxPool2d,
            nn.FractionalMaxPool3d,
        ),
        _MAX,
    ),
    **dict.fromkeys((nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d), _INSTANCE),
    nn.SyncBatchNorm: _BATCH,
    **dict.fromkeys((nn.RNN, nn.LSTM, nn.GRU, nn.RNNCell, nn.LSTMCell, nn.GRUCell), _RECURRENT),
    **dict.fromkeys((ComplexGabor, ComplexLinear), _COMPLEX),
    VariableSine: _CHIRP,
    nn.Softmax: "its sum over channels is no elementwise function of a unit. Leave it to the loss.",
    nn.LogSoftmax: "its sum over channels is no elementwise function. Leave it to the loss.",
    nn.Embedding: (
        "tokens are integers, and the kernels take float points. Pass one-hot vectors through "
        "`nn.Linear(..., bias=False)`."
    ),
}
"""By exact type, the reason and the way out."""
