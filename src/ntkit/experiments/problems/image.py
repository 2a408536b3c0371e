"""A picture with pixels missing, too few pixels, or a blur."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from ntkit.experiments.problems.checked import refuse_too_large
from ntkit.experiments.problems.problem import Problem
from ntkit.experiments.problems.truth import read_truth
from ntkit.experiments.reconstruct_spec import ImageSpec
from ntkit.measurements import AbstractMeasurement, Blur, Samples, Subsample
from ntkit.tasks import Domain
from ntkit.tasks.files import Content, read_image, read_mask

__all__ = ["open_image"]

_SCATTERED = 0.75
"""Of the missing pixels, so many with a known neighbour: they are single ones, and no holes."""


def open_image(spec: ImageSpec) -> Problem:
    """The picture of a file, and what it is of the one that is looked for.

    Raises:
        ValueError: Nothing is to be done to it, or two things at once that exclude each other.
    """
    if spec.blur < 0 or not spec.blur < float("inf"):
        raise ValueError(
            f"`--blur {spec.blur:g}` must be a standard deviation of 0 or more, in pixels."
        )
    if spec.mask is None and spec.factor == 1 and spec.blur == 0:
        raise ValueError(
            "`ntkit reconstruct image` needs `--mask` (pixels that are known), `--factor` (times as large) or `--blur` "
            "(standard deviation in pixels)."
        )
    if spec.mask is not None and (spec.factor > 1 or spec.blur > 0):
        raise ValueError("`--mask` is not for `--factor` and `--blur`: fill the picture in first.")
    content = read_image(spec.data, downscale=spec.downscale)
    values = _without_alpha(content)
    n = values.shape[-1]
    refuse_too_large(
        [side * spec.factor for side in content.shape], n, "shrink it first, with `--downscale`"
    )
    A = _masked(spec, content.shape) if spec.mask else _coarse(spec, content.shape)
    known = isinstance(A, Samples)
    seen = values.flatten(0, 1)[A.index] if isinstance(A, Samples) else values
    y = seen[..., 0] if values.shape[-1] == 1 else seen
    groups = _one_by_one(A) if isinstance(A, Samples) else None
    return Problem(
        y=y,
        A=A,
        domain=Domain(
            "image",
            A.field_shape,
            n,
            levels=((content.levels.low, content.levels.high),),
            units=("px", "px"),
            depth=content.depth,
        ),
        baseline=_filled(A, values) if isinstance(A, Samples) else _enlarged(values, spec),
        bounds=(0.0, 1.0),
        unit="",
        notes=(*content.notes, _said(spec, A)),
        truth=read_truth(spec.truth, A.field_shape, n, levels=content.levels),
        groups=groups,
        held="single pixels"
        if groups is not None
        else "blocks of pixels"
        if known
        else "bands of pixels",
        arranged=_on_grid if known else _as_measured,
    )


def _without_alpha(content: Content) -> Tensor:
    """`[h, w, 1 or 3]`, or as many bands as there are."""
    values = torch.from_numpy(content.values)
    return values[..., :-1] if values.shape[-1] in {2, 4} else values


def _masked(spec: ImageSpec, shape: tuple[int, ...]) -> Samples:
    assert spec.mask is not None
    mask = read_mask(spec.mask, shape, downscale=spec.downscale)
    return Samples.mask(torch.from_numpy(mask))


def _coarse(spec: ImageSpec, shape: tuple[int, ...]) -> AbstractMeasurement:
    """A blur and means of blocks, as far as they are asked for.

    Raises:
        ValueError: The blur is wider than the picture.
    """
    fine = tuple(n * spec.factor for n in shape)
    parts: list[AbstractMeasurement] = []
    if spec.factor > 1:
        parts.append(Subsample(fine, spec.factor))
    if spec.blur > 0:
        try:
            parts.append(Blur(fine, spec.blur * spec.factor))
        except ValueError as error:
            raise ValueError(
                f"`--blur {spec.blur:g}` is too wide for this picture: {error}"
            ) from None
    return parts[0] if len(parts) == 1 else parts[0] @ parts[1]


def _filled(A: Samples, values: Tensor) -> tuple[str, Tensor]:
    """The picture as it came, black where it is not known."""
    known = _known(A)
    picture = torch.where(known[..., None], values, 0.0)
    return "as it came", picture[..., 0] if values.shape[-1] == 1 else picture


def _enlarged(values: Tensor, spec: ImageSpec) -> tuple[str, Tensor]:
    """As large as is wanted, by the usual formula."""
    if spec.factor == 1:
        return "as it came", values[..., 0] if values.shape[-1] == 1 else values
    planes = values.movedim(-1, 0)[None]
    larger = F.interpolate(planes, scale_factor=spec.factor, mode="bicubic", antialias=False)
    found = larger[0].movedim(0, -1).clamp(0, 1)
    return "bicubic", found[..., 0] if values.shape[-1] == 1 else found


def _known(A: Samples) -> Bool[Tensor, "..."]:
    known = torch.zeros(A.field_shape, dtype=torch.bool)
    known.view(-1)[A.index] = True
    return known


def _one_by_one(A: Samples) -> Int[Tensor, " n"] | None:
    """Each pixel a group, in an order of chance, where the missing ones are single; None where they are holes."""
    known = F.pad(_known(A).double(), (1, 1, 1, 1))
    beside = known[:-2, 1:-1] + known[2:, 1:-1] + known[1:-1, :-2] + known[1:-1, 2:]
    missing = known[1:-1, 1:-1] == 0
    if float((beside[missing] >= 1).double().mean()) < _SCATTERED:
        return None
    return torch.randperm(len(A.index), generator=torch.Generator().manual_seed(0))


def _on_grid(A: AbstractMeasurement, data: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
    """Samples at their pixels."""
    assert isinstance(A, Samples)
    tail = data.shape[1:]
    picture = data.new_full((A.field_shape[0] * A.field_shape[1], *tail), torch.nan)
    picture[A.index] = data
    return picture.reshape(*A.field_shape, *tail)


def _as_measured(_: AbstractMeasurement, data: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
    return data


def _said(spec: ImageSpec, A: AbstractMeasurement) -> str:
    if isinstance(A, Samples):
        share = len(A.index) / (A.field_shape[0] * A.field_shape[1])
        return f"{100 * share:.0f} % of the pixels are known."
    blur = f"blurred with a standard deviation of {spec.blur:g} pixels" if spec.blur else ""
    means = f"means of {spec.factor} x {spec.factor} of the new ones" if spec.factor > 1 else ""
    return f"The pixels of the picture are taken for {' and '.join(t for t in (means, blur) if t)}."
