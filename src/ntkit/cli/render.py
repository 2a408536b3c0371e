"""`ntkit render`: the field of a trained network, as a file."""

from collections.abc import Sequence
from inspect import signature
from math import inf
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import arg

from ntkit._core.whole_files import shown
from ntkit.experiments.load import load
from ntkit.tasks import JOBS, Domain, Image

__all__ = ["render"]


def render(
    run: tyro.conf.Positional[Path],
    *,
    out: Path,
    size: Annotated[tuple[int, ...] | None, arg(metavar="INT ...", help_behavior_hint="")] = None,
    scale: Annotated[float | None, arg(metavar="NUMBER", help_behavior_hint="")] = None,
    crop: Annotated[
        tuple[str, ...] | None, arg(metavar="FROM:TO ...", help_behavior_hint="")
    ] = None,
    rate: Annotated[float | None, arg(metavar="NUMBER", help_behavior_hint="")] = None,
    force: bool = False,
) -> int:
    """Write what the network of a run says: a picture, a sound, a volume, a film or a table.

    Args:
        run: The run folder, of `ntkit tune` or `ntkit fit`.
        out: The file to write, in the format of its name. Of a picture .png, .tif, .jpg or .webp; of a sound .wav,
            .flac or .ogg; of a volume .nii.gz, .nii, .tif, or a folder for slices as pictures; of a film .gif, .mp4 or .webp;
            of a table .csv or .npz. All but tables also .npy.
        size: Samples along each axis, in the order of the axes: rows and columns; frames, rows and columns. By default
            those of the data (times --factor of the run); of a table 100 x 100 places, or the like.
        scale: So many times as many samples along each axis as the data have, in place of --size.
        crop: The part to write: from where to where along each axis, in samples of the data, for example 0:128 64:; of
            a table, in its units.
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
    window = None if crop is None else _window(crop, domain)
    if scale is not None:
        if size is not None or not 0 < scale < inf:
            raise ValueError(f"`--scale {scale:g}` must be above 0, and given without `--size`.")
        if domain.is_scattered:
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


def _window(crop: Sequence[str], domain: Domain) -> list[tuple[float, float]]:
    """`3:10`, `:10` or `3:` along each axis as numbers.

    Raises:
        ValueError: They have another form, or there is not one for each axis.
    """
    whole = domain.extent
    parts = [text.partition(":") for text in crop]
    try:
        if not all(colon for _, colon, _ in parts):
            raise ValueError
        return [
            (float(first or start), float(last or end))
            for (first, _, last), (start, end) in zip(parts, whole, strict=True)
        ]
    except ValueError:
        raise ValueError(
            f"`--crop {' '.join(crop)}` must be from:to for each of {len(whole)} axes, for example "
            f"{' '.join(['0:128'] * len(whole))}."
        ) from None
