"""Reading scattered values: a table of numbers (CSV), or an `.npz` of columns."""

import csv
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ntkit._core.whole_files import shown
from ntkit.tasks.files.access import one_line, reading, require_file
from ntkit.tasks.files.content import Scattered
from ntkit.tasks.files.levels import levels_of
from ntkit.tasks.files.sampling import FEWEST, check_memory

__all__ = ["read_points"]

_MOST = 4  # coordinates
_LONGITUDE = {"lon", "long", "lng", "longitude"}
_LATITUDE = {"lat", "latitude"}
_AXES = {"x", "y", "z", "t", "time"}
_BYTES_PER_POINT = 2000  # of the kernel's work, where a caller does not say


def read_points(
    path: Path,
    *,
    columns: Sequence[str | int] | None = None,
    values: Sequence[str | int] | None = None,
    geographic: bool | None = None,
    bytes_per_sample: int = _BYTES_PER_POINT,
) -> Scattered:
    """The coordinates and values of a table.

    By default the coordinates are columns named lon and lat, or x, y, z and t (time), and otherwise all
    columns but the last; the values are the rest.

    Args:
        path: A CSV (comma, semicolon, tab or space; with or without a header), or an `.npz` that holds
            `points` `[n, d]` and `values` `[n]` or `[n, o]`, or one array a column.
        columns: The coordinates, 1 to 4 columns, by name or by place from 0.
        values: The values, by name or by place; by default all other columns.
        geographic: Whether the first two coordinates are longitude and latitude, in degrees; by default
            where they are named so.
        bytes_per_sample: Working memory of a point, by which tables that are too long are refused.

    Raises:
        ValueError: It is no table of numbers, ragged, with text, NaN or too few rows, or constant.
    """
    size = require_file(path, "a CSV of numbers, or an .npz with `points` and `values`")
    with reading(path, csv.Error, zipfile.BadZipFile):
        if path.suffix.lower() == ".npz":
            names, table, given = _archive(path)
        else:
            names, table, given = *_csv(path, bytes_per_sample), None
        place = _chosen(names, columns, given, geographic)
        rest = [i for i in range(len(names)) if i not in place] if values is None else []
        rest = rest or [_index(names, v) for v in values or ()]
        if not rest:
            raise ValueError(f"`{shown(path)}` has no column of values beside its coordinates.")
        named = names[place[0]].lower() in _LONGITUDE | _LATITUDE if len(place) > 1 else False
        on_earth = named if geographic is None else geographic
        if on_earth:
            place = _longitude_first(names, place)
        check_memory(
            path,
            samples=len(table),
            numbers=table.size,
            bytes_per_sample=bytes_per_sample,
            way_out="Pass fewer points.",
        )
        return _scattered(path, names, table, place, rest, on_earth, size)


def _scattered(
    path: Path,
    names: list[str],
    table: np.ndarray,
    place: list[int],
    rest: list[int],
    on_earth: bool,
    size: int,
) -> Scattered:
    """The answer, once it is known which column is what.

    Raises:
        ValueError: NaN, too few points, or constant values.
    """
    points, raw = table[:, place], table[:, rest]
    bad = np.flatnonzero(~np.isfinite(np.concatenate([points, raw], 1)).all(1))
    if bad.size:
        raise ValueError(
            f"`{shown(path)}` has {bad.size} rows with NaN or infinite numbers, the first is row "
            f"{bad[0] + 1} of numbers. Take them out."
        )
    if len(points) < FEWEST:
        raise ValueError(f"`{shown(path)}` has {len(points)} points; at least {FEWEST} are needed.")
    if on_earth:
        _check_degrees(path, points)
    notes, levels = [], []
    for i, column in zip(rest, raw.T, strict=True):
        if np.ptp(column) == 0:
            raise ValueError(
                f"`{shown(path)}` has one constant value in column `{names[i]}`, which every encoding fits."
            )
        found, more = levels_of(column)
        levels.append(found)
        notes += [f"{names[i]}: {note}" for note in more]
    distinct = len(np.unique(points, axis=0))
    if distinct < len(points):
        notes.append(f"{len(points) - distinct} points are at a place of another")
    if distinct < 2:
        raise ValueError(f"`{shown(path)}` has all its points at one place.")
    unit = np.stack([f.to_unit(c) for f, c in zip(levels, raw.T, strict=True)], 1)
    chosen = tuple(names[i] for i in (*place, *rest))
    return Scattered(points, unit, tuple(levels), chosen, on_earth, tuple(notes), size)


def _csv(path: Path, bytes_per_sample: int) -> tuple[list[str], np.ndarray]:
    """Names of the columns, and the table `[rows, columns]`.

    Raises:
        ValueError: A row is of another length, or an entry is no number.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline(10**6)
        if "\0" in first:
            raise ValueError("it is no text.")
        delimiter = next((c for c in (";", "\t", ",") if c in first), None)
        check_memory(
            path,
            samples=path.stat().st_size // max(len(first), 1),
            numbers=path.stat().st_size // 2,
            bytes_per_sample=bytes_per_sample,
            way_out="Pass fewer points.",
        )
        header = next(csv.reader([first], delimiter=delimiter)) if delimiter else first.split()
        has_header = not all(_is_number(entry) for entry in header)
        file.seek(0)
        if has_header:
            file.readline()
        if not file.read(1000).strip():
            raise ValueError(f"`{shown(path)}` has a header and no rows of numbers.")
        file.seek(0)
        if has_header:
            file.readline()
        try:
            table = np.loadtxt(file, delimiter=delimiter, ndmin=2, quotechar='"', comments=None)
        except ValueError as error:
            text = one_line(error).split("; use `usecols`")[0].rstrip(".")
            raise ValueError(
                f"`{shown(path)}` is no table of numbers: {text} (rows count from "
                f"{'the one below the header' if has_header else 'the first'})."
            ) from None
    names = [entry.strip() for entry in header] if has_header else []
    names = names or [f"column {i}" for i in range(table.shape[1])]
    if len(names) != table.shape[1]:
        raise ValueError(
            f"`{shown(path)}` has {len(names)} names in its header and {table.shape[1]} columns."
        )
    return names, table


def _archive(path: Path) -> tuple[list[str], np.ndarray, int | None]:
    """Names, the table, and how many of its columns are `points`, of an `.npz`.

    Raises:
        ValueError: The arrays are no columns of one length.
    """
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        named = {"points", "values"} <= set(archive.files)
        wanted = ["points", "values"] if named else archive.files
        arrays = {name: archive[name] for name in wanted}
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu" or array.ndim not in {1, 2}:
            raise ValueError(
                f"`{shown(path)}` holds `{name}` of {array.dtype} and shape {array.shape}; columns of real "
                "numbers are needed."
            )
    if len({len(array) for array in arrays.values()}) != 1:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "nothing"
        raise ValueError(f"`{shown(path)}` holds {shapes}: arrays of one length are needed.")
    given = arrays["points"][:1].size if named else None
    names: list[str] = []
    for name, array in arrays.items():
        names += [name] if array.ndim == 1 else [f"{name} {i}" for i in range(array.shape[1])]
    parts = [array.reshape(len(array), -1) for array in arrays.values()]
    return names, np.concatenate(parts, 1).astype(np.float64), given


def _chosen(
    names: list[str],
    columns: Sequence[str | int] | None,
    given: int | None,
    geographic: bool | None,
) -> list[int]:
    """Which columns are the coordinates.

    Raises:
        ValueError: There is no such column, or too few or too many.
    """
    lower = [name.lower() for name in names]
    if columns is not None:
        found = [_index(names, column) for column in columns]
    elif given is not None:
        found = list(range(given))
    elif set(lower) & _LONGITUDE and set(lower) & _LATITUDE:
        found = [next(i for i, n in enumerate(lower) if n in s) for s in (_LONGITUDE, _LATITUDE)]
    else:
        found = [i for i, name in enumerate(lower) if name in _AXES]
        found = found or list(range(len(names) - 1))
    fewest = 2 if geographic else 1
    if not fewest <= len(found) <= _MOST or len(set(found)) < len(found):
        raise ValueError(
            f"`--columns` must name {fewest} to {_MOST} different columns of coordinates, and there are "
            f"{len(found)}. The columns are {', '.join(names)}."
        )
    return found


def _index(names: list[str], column: str | int) -> int:
    """Where a column is.

    Raises:
        ValueError: There is none.
    """
    if column in names:
        return names.index(str(column))
    text = str(column)
    if text.isdigit() and int(text) < len(names):
        return int(text)
    raise ValueError(f"there is no column `{column}`. The columns are {', '.join(names)}, from 0.")


def _longitude_first(names: list[str], place: list[int]) -> list[int]:
    if names[place[0]].lower() in _LATITUDE:
        return [place[1], place[0], *place[2:]]
    return place


def _check_degrees(path: Path, points: np.ndarray) -> None:
    """Refuse what is no longitude and latitude.

    Raises:
        ValueError: One is out of range.
    """
    lon, lat = points[:, 0], points[:, 1]
    if abs(lat).max() > 90 or lon.min() < -180 or lon.max() > 360:
        raise ValueError(
            f"`{shown(path)}` has longitudes from {lon.min():g} to {lon.max():g} and latitudes from "
            f"{lat.min():g} to {lat.max():g}: degrees in [-180, 360] and [-90, 90] are needed."
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
