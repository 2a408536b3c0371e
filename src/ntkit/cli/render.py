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

_FILMS = {".gif", ".mp4"}
_TURN = 60  # frames


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
    frames: Annotated[int | None, arg(metavar="INT", help_behavior_hint="")] = None,
    depth: bool = False,
    force: bool = False,
) -> int:
    """Write what the network of a run says: a picture, a sound, a volume, a film, a table, a mesh or a view.

    Args:
        run: The run folder, of `ntkit tune` or `ntkit fit`.
        out: The file to write, in the format of its name. Of a picture .png, .tif, .jpg or .webp; of a sound .wav,
            .flac or .ogg; of a volume .nii.gz, .nii, .tif, or a folder for slices as pictures; of a film .gif, .mp4 or .webp;
            of a table .csv or .npz; of a shape .ply, .obj, .glb or .stl, and .gif or .mp4 of it turning; of a field a
            picture for a view, .gif or .mp4 for a turn about the scene. All but tables and meshes also .npy.
        size: Samples along each axis, in the order of the axes: rows and columns; frames, rows and columns. By default
            those of the data (times --factor of the run); of a table 100 x 100 places, or the like; of a shape the cells
            of marching cubes along its longest side, 128; of a field the height and width of a view.
        scale: So many times as many samples along each axis as the data have, in place of --size.
        crop: The part to write: from where to where along each axis, in samples of the data, for example 0:128 64:; of
            a table, in its units.
        rate: Of a sound: samples a second. Of a film: frames a second.
        frames: Of a field: views of a turn about the scene; 60 for .gif and .mp4.
        depth: Of a field: distances in place of colours.
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
            raise ValueError("`--scale` is of data on a grid; of a table or a shape say `--size`.")
        lengths = [b - a for a, b in window] if window else domain.shape
        size = tuple(max(1, round(n * scale)) for n in lengths)
    how: dict[str, object] = {"size": size, "crop": window}
    takes = signature(job.render).parameters
    if frames is None and "frames" in takes and out.suffix.lower() in _FILMS:
        frames = _TURN
    is_film = out.suffix.lower() in _FILMS | {".npy"}
    if frames is not None and "frames" in takes and frames > 1 and not is_film:
        raise ValueError(
            f"`--frames {frames}` is of a film: pass a name that ends in .gif, .mp4 or .npy."
        )
    for name, value in (("rate", rate), ("frames", frames), ("depth", depth or None)):
        if value is not None and name not in takes:
            raise ValueError(f"`--{name}` is not for this run, which is of kind {domain.kind}.")
        how |= {} if value is None else {name: value}
    job.check_name(out)
    rendered = job.render(found.network, domain, **how)  # pyright: ignore[reportArgumentType]
    for note in job.write(out, rendered):
        print(f"note: {note}")
    print(f"{shown(out)}: {job.size_in_words(rendered)}")
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
