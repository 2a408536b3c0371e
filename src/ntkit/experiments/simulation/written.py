"""The files of simulated measurements, whole or not at all."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from tyro.conf import arg

from ntkit._core.whole_files import shown, write_json, write_with
from ntkit.experiments.problems.beside import beside
from ntkit.tasks.files import write_image

__all__ = ["Out", "free", "part_of", "write_measured"]

Out = Annotated[Path | None, arg(metavar="PATH", help_behavior_hint="")]


def part_of(out: Path, name: str) -> Path:
    """A further file of some data: `a.npy` has `a-truth.png`."""
    return out.with_name(f"{out.stem}-{name}")


def free(out: Path, *names: str, force: bool) -> None:
    """Refuse where a file is there already, or the name is none of an array.

    Raises:
        ValueError: The name has another ending.
        FileExistsError: There is a file.
    """
    if out.suffix.lower() != ".npy":
        raise ValueError(f"`--out {shown(out)}` must end in .npy: the data are a NumPy array.")
    for path in (out, beside(out), *(part_of(out, name) for name in names)):
        if path.exists() and not force:
            raise FileExistsError(
                f"`{shown(path)}` is there already. Pass another name with `--out`, or `--force`."
            )


def write_measured(
    out: Path,
    data: np.ndarray,
    truth: np.ndarray,
    of: str,
    measured: dict[str, Any],
    simulated: dict[str, Any],
) -> list[Path]:
    """Write data, the JSON that says how they were measured, and the truth; the files are returned."""
    write_with(out, lambda part: np.save(part, data))
    true = part_of(out, "truth.png")
    write_image(true, truth[..., None], depth=16)
    content = {
        "format": 1,
        "of": of,
        "measured": measured | {"truth": true.name},
        "simulated": simulated | {"ntkit": version("ntkit")},
    }
    write_json(beside(out), content)
    return [out, beside(out), true]
