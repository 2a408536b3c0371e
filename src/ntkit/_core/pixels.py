"""Numbers as what a screen shows: 8 bits a channel, with transparency."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

__all__ = ["rgba"]


def rgba(values: Float[Tensor, "h w c"]) -> UInt8[np.ndarray, "h w 4"]:
    """Levels in [0, 1] as opaque pixels: of one channel in grey, of three or more in the colours of the first three.

    What lies outside of [0, 1] is clipped, as a screen does; NaN is black.

    Raises:
        ValueError: There are two channels, or the axes are not those of a picture.

    Example:
        >>> rgba(torch.tensor([[[0.0], [0.5], [2.0]]])).tolist()
        [[[0, 0, 0, 255], [128, 128, 128, 255], [255, 255, 255, 255]]]
    """
    if values.ndim != 3 or values.shape[-1] in {0, 2}:
        raise ValueError(
            f"`values` has shape {tuple(values.shape)}; a picture is [h, w, 1] or [h, w, 3]."
        )
    levels = values[..., :3].detach().cpu().nan_to_num(0.0).clamp(0, 1).mul(255).round()
    found = torch.full((*values.shape[:2], 4), 255, dtype=torch.uint8)
    found[..., :3] = levels.to(torch.uint8)
    return found.numpy()
