"""Writing scattered values: a CSV with a header, or an `.npz` of `points` and `values`."""

import csv
from collections.abc import Sequence
from io import BytesIO, StringIO
from pathlib import Path

import numpy as np

from ntkit._core.whole_files import write_bytes
from ntkit.tasks.files.array_writer import require_finite
from ntkit.tasks.files.wrong_ending import wrong_ending

__all__ = ["write_points"]


def write_points(
    path: Path, points: np.ndarray, values: np.ndarray, *, names: Sequence[str]
) -> list[str]:
    """Write a table, whole; every number is read back as it was.

    Args:
        path: Where to write: .csv or .npz.
        points: `[n, d]`, in the units of the file.
        values: `[n, o]`, in numbers of the file.
        names: Of the columns: the coordinates, then the values.

    Raises:
        ValueError: The name is of no such format, or the columns and names do not fit.
    """
    suffix = path.suffix.lower()
    if suffix not in {".csv", ".npz"}:
        raise ValueError(wrong_ending(path, (".csv", ".npz"), what="table"))
    if len(points) != len(values) or len(names) != points.shape[1] + values.shape[1]:
        raise ValueError(
            f"`points` {points.shape}, `values` {values.shape} and {len(names)} `names` are no table: one row "
            "each and one name a column are needed."
        )
    table = np.concatenate([points, values], 1).astype(np.float64)
    require_finite(table)
    if suffix == ".npz":
        buffer = BytesIO()
        np.savez(buffer, points=points, values=values)
        write_bytes(path, buffer.getvalue())
        return []
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(table.tolist())
    write_bytes(path, text.getvalue().encode())
    return []
