"""Composite modules that are followed inside: torch's written out as calls of their parts, ours as they stand."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels.infinite.meanings import AbstractMeaning, meanings
from ntkit.networks.linear_model import LinearModel
from ntkit.networks.nerf import SkipMLP, ViewMLP
from ntkit.networks.residual import ResidualBlock

__all__ = ["AsItSays", "WrittenOut"]


@dataclass(frozen=True)
class WrittenOut(AbstractMeaning):
    """A composite module that is followed inside, by a forward of the same meaning.

    Attributes:
        forward: `forward(module, *args, **kwargs)`, as calls of its parts.
    """

    forward: Callable[..., Any]

    what: ClassVar[str] = "forward written out"


@dataclass(frozen=True)
class AsItSays(AbstractMeaning):
    """A module of ours that is followed inside, by its own forward, as users' modules are."""

    what: ClassVar[str] = "its own forward"


def _encoder_layer(
    layer: nn.TransformerEncoderLayer,
    src: Any,
    src_mask: Any = None,
    src_key_padding_mask: Any = None,
    is_causal: bool = False,
) -> Any:
    """Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.1; `norm_first` as Xiong et al. 2020."""
    activation: Any = layer.activation

    def attend(x: Any) -> Any:
        found = layer.self_attn(
            x,
            x,
            x,
            key_padding_mask=src_key_padding_mask,
            need_weights=False,
            attn_mask=src_mask,
        )
        return layer.dropout1(found[0])

    def feed_forward(x: Any) -> Any:
        return layer.dropout2(layer.linear2(layer.dropout(activation(layer.linear1(x)))))

    if layer.norm_first:
        x = src + attend(layer.norm1(src))
        return x + feed_forward(layer.norm2(x))
    x = layer.norm1(src + attend(src))
    return layer.norm2(x + feed_forward(x))


def _encoder(
    encoder: nn.TransformerEncoder,
    src: Any,
    mask: Any = None,
    src_key_padding_mask: Any = None,
    is_causal: bool | None = None,
) -> Any:
    x = src
    for layer in encoder.layers:
        x = layer(x, src_mask=mask, src_key_padding_mask=src_key_padding_mask)
    return x if encoder.norm is None else encoder.norm(x)


def _bare(layer: nn.Module, *args: Any, **kwargs: Any) -> Any:
    raise UnsupportedLayerError(
        f"`{type(layer).__name__}` attends from one sequence to another, which has no rule. "
        "`nn.TransformerEncoder` has one."
    )


meanings.file(WrittenOut(_encoder_layer), nn.TransformerEncoderLayer)
meanings.file(WrittenOut(_encoder), nn.TransformerEncoder)
meanings.file(WrittenOut(_bare), nn.Transformer, nn.TransformerDecoder, nn.TransformerDecoderLayer)
meanings.file(AsItSays(), LinearModel, ResidualBlock, SkipMLP, ViewMLP)
