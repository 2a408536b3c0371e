"""`ntkit render`: the field of a trained network, as a file."""

from collections.abc import Sequence
from inspect import signature
from pathlib import Path

import tyro

from ntkit._core.whole_files import shown
from ntkit.experiments.load import load
from ntkit.tasks import JOBS, Image

__all__ = ["render"]


def render(
    run: tyro.conf.Positional[Path],
    *,
    out: Path,
    size: tuple[int, ...] | None = None,
    scale: float | None = None,
    crop: tuple[str, ...] | None = None,
    rate: float | None = None,
    force: bool = False,
) -> int:
    """Write what the network of a run says: a picture, a sound, a volume, a film or a table.

    Args:
        run: The run folder, of `ntkit tune` or `ntkit fit`.
        out: The file, in the format of its name (of a volume a folder, for slices as pictures).
        size: Samples along each axis, for example 1024 768 (rows, columns).
        scale: So many times as many samples along each axis, in place of --size.
        crop: From where to where along each axis, in samples of the data, for example 0:128 64:256; of a table, in
            its units.
        rate: Of a sound: samples a second. Of a film: frames a second.
        force: Replace a file that is there.

    Raises:
        ValueError: An option does not fit the data of the run.
        FileExistsError: There is a file of this name.
    """
    if out.exists() and not force:
        raise FileExistsError(f"`{shown(out)}` is there already. Pass another name, or `--force`.")
    found = load(run)
    domain, job = found.domain, JOBS.get(found.domain.kind, Image)
    window = (
        None if crop is None else [_range(text, k, domain.shape) for k, text in enumerate(crop)]
    )
    if scale is not None:
        if size is not None or scale <= 0:
            raise ValueError(f"`--scale {scale:g}` must be above 0, and given without `--size`.")
        if domain.kind == "points":
            raise ValueError("`--scale` is of data on a grid; of a table say `--size`.")
        lengths = [b - a for a, b in window] if window else domain.shape
        size = tuple(max(1, round(n * scale)) for n in lengths)
    how: dict[str, object] = {"size": size, "crop": window}
    if rate is not None:
        if "rate" not in signature(job.render).parameters:
            raise ValueError(f"`--rate` is of sounds and films; this run is of kind {domain.kind}.")
        how["rate"] = rate
    rendered = job.render(found.network, domain, **how)  # pyright: ignore[reportArgumentType]
    for note in job.write(out, rendered):
        print(f"note: {note}")
    print(f"{shown(out)}: {' x '.join(map(str, rendered.values.shape))}")
    return 0


def _range(text: str, axis: int, shape: Sequence[int]) -> tuple[float, float]:
    """`3:10`, `:10` or `3:` as numbers.

    Raises:
        ValueError: It has another form.
    """
    first, colon, last = text.partition(":")
    try:
        if not colon or axis >= len(shape) > 1:
            raise ValueError
        return float(first or 0), float(last or shape[min(axis, len(shape) - 1)])
    except ValueError:
        raise ValueError(
            f"`--crop {text}` must be from:to for each of {len(shape)} axes, for example 0:128."
        ) from None
