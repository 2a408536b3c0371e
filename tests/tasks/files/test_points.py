"""Tables of scattered values: which column is what, and what is no table."""

from pathlib import Path

import numpy as np
import pytest

from ntkit.tasks.files import Scattered, read_points, write_points


def table(*columns: str, n: int = 12) -> tuple[np.ndarray, list[str]]:
    return np.random.default_rng(0).normal(size=(n, len(columns))), list(columns)


def written(path: Path, values: np.ndarray, names: list[str] | None, delimiter: str = ",") -> Path:
    rows = [delimiter.join(map(repr, row)) for row in values.tolist()]
    path.write_text("\n".join([delimiter.join(names), *rows] if names else rows) + "\n")
    return path


def numbers(found: Scattered) -> np.ndarray:
    return found.back(found.values)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " "])
@pytest.mark.parametrize("header", [True, False])
def test_delimiters_and_headers(tmp_path: Path, delimiter: str, header: bool) -> None:
    values, names = table("a", "b", "c")
    found = read_points(written(tmp_path / "a.csv", values, names if header else None, delimiter))
    np.testing.assert_array_equal(found.points, values[:, :2])
    np.testing.assert_allclose(numbers(found), values[:, 2:], rtol=1e-12)
    assert found.names == (("a", "b", "c") if header else ("column 0", "column 1", "column 2"))
    assert not found.geographic
    assert found.values.min() == 0 and found.values.max() == 1


def test_columns_by_name_and_by_place(tmp_path: Path) -> None:
    values, names = table("id", "t", "height", "depth")
    path = written(tmp_path / "a.csv", values, names)
    found = read_points(path)
    np.testing.assert_array_equal(found.points, values[:, [1]])  # a name of an axis
    assert found.names == ("t", "id", "height", "depth")
    found = read_points(path, columns=["depth", 1], values=["height"])
    np.testing.assert_array_equal(found.points, values[:, [3, 1]])
    np.testing.assert_allclose(numbers(found), values[:, [2]], rtol=1e-12)
    found = read_points(path, columns=["1"], values=["0", 2])
    np.testing.assert_allclose(numbers(found), values[:, [0, 2]], rtol=1e-12)
    with pytest.raises(
        ValueError, match=r"there is no column `width`. The columns are id, t, height"
    ):
        read_points(path, columns=["width"])
    with pytest.raises(ValueError, match=r"has no column of values"):
        read_points(path, columns=names)
    for columns in ([], ["t", "t"]):
        with pytest.raises(ValueError, match="`--columns` must name 1 to 4 different columns"):
            read_points(path, columns=columns)
    values, names = table(*"abcdef")
    with pytest.raises(ValueError, match=r"there are 5. The columns are a, b, c, d, e, f"):
        read_points(written(path, values, names))


@pytest.mark.parametrize("names", [("lat", "lon"), ("Latitude", "Longitude")])
def test_longitude_comes_first(tmp_path: Path, names: tuple[str, str]) -> None:
    draw = np.random.default_rng(0)
    lat, lon = draw.uniform(-90, 90, 20), draw.uniform(-180, 180, 20)
    values = np.stack([draw.normal(size=20), lat, lon], 1)
    found = read_points(written(tmp_path / "a.csv", values, ["wind", *names]))
    assert found.geographic
    np.testing.assert_array_equal(found.points, np.stack([lon, lat], 1))
    assert found.names == (names[1], names[0], "wind")
    assert not read_points(tmp_path / "a.csv", geographic=False).geographic
    written(tmp_path / "a.csv", np.stack([lon, lat, lat], 1), None)
    assert not read_points(tmp_path / "a.csv").geographic
    found = read_points(tmp_path / "a.csv", geographic=True)
    np.testing.assert_array_equal(found.points, np.stack([lon, lat], 1))
    written(tmp_path / "a.csv", np.stack([lon, 2 * lat, lat], 1), None)
    with pytest.raises(ValueError, match=r"degrees in \[-180, 360\] and \[-90, 90\] are needed"):
        read_points(tmp_path / "a.csv", geographic=True)


def test_archives(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    points, values, path = draw.random((20, 3)), draw.random((20, 2)), tmp_path / "a.npz"
    np.savez(path, points=points, values=values, note=np.array("made here"))
    found = read_points(path)
    np.testing.assert_array_equal(found.points, points)
    np.testing.assert_array_equal(numbers(found), values)
    np.savez(path, x=points[:, 0], height=values[:, 0], y=points[:, 1])
    found = read_points(path)
    np.testing.assert_array_equal(found.points, points[:, :2])
    assert found.names == ("x", "y", "height")
    np.savez(path, x=points[:, 0], y=points[:9, 1])
    with pytest.raises(ValueError, match=r"holds x \(20,\), y \(9,\): arrays of one length"):
        read_points(path)
    np.savez(path, x=points[:, 0] * 1j, y=points[:, 1])
    with pytest.raises(ValueError, match="columns of real numbers are needed"):
        read_points(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x,y,h\n1,2,3\n1,2\n", "number of columns changed from 3 to 2 at row 2"),
        ("x,y,h\n1,2,3\n1,two,3\n", "could not convert string 'two'"),
        ("x,y,h\n1,2,\n", "could not convert string ''"),
        ("x,y\n1,2,3\n4,5,6\n", "has 2 names in its header and 3 columns"),
        ("x,y,h\n", "has a header and no rows"),
        ("hello\0world", "it is no text"),
        ("1,2,3\n4,5,6\n", "has 2 points; at least 8"),
        ("".join(f"{k},2,nan\n" for k in range(9)), "has 9 rows with NaN .* the first is row 1"),
        ("".join(f"{k},2,{k / (k != 4 or 1e-320)}\n" for k in range(9)), "has 1 rows with NaN"),
        ("".join(f"{k},2,3\n" for k in range(9)), "one constant value in column `column 2`"),
        ("".join(f"1,2,{k}\n" for k in range(9)), "all its points at one place"),
        ("", "is empty"),
    ],
)
def test_what_is_no_table(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=said):
        read_points(path)


def test_files_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="Pass a CSV"):
        read_points(tmp_path / "none.csv")
    (tmp_path / "a.csv").write_bytes(b"a,b\n\xff\xfe\xfd,1\n")
    with pytest.raises(ValueError, match="cannot be used"):
        read_points(tmp_path / "a.csv")
    values, names = table("x", "y", "h", n=40)
    with pytest.raises(ValueError, match=r"need about \d+ GiB .* Pass fewer points"):
        read_points(written(tmp_path / "a.csv", values, names), bytes_per_sample=10**9)


def test_points_at_one_place_are_said(tmp_path: Path) -> None:
    values, names = table("x", "y", "h")
    values[3, :2] = values[7, :2]
    found = read_points(written(tmp_path / "a.csv", values, names))
    assert "1 points are at a place of another" in found.notes


@pytest.mark.parametrize("suffix", ["csv", "npz"])
def test_written_and_read_again(tmp_path: Path, suffix: str) -> None:
    values, _ = table("x", "y", "a, b", "c")
    path = tmp_path / f"a.{suffix}"
    names = ["x", "y", "a, b", "c"]
    assert write_points(path, values[:, :2], values[:, 2:], names=names) == []
    found = read_points(path)
    np.testing.assert_array_equal(found.points, values[:, :2])
    np.testing.assert_allclose(numbers(found), values[:, 2:], rtol=1e-12)
    if suffix == "csv":
        assert found.names == tuple(names)
    with pytest.raises(ValueError, match=r"Pass a name that ends in .csv"):
        write_points(tmp_path / "a.txt", values[:, :2], values[:, 2:], names=names)
    with pytest.raises(ValueError, match="are no table: one row each"):
        write_points(path, values[:, :2], values[:5, 2:], names=names)
    with pytest.raises(ValueError, match="NaN or infinite"):
        write_points(path, values[:, :2], values[:, 2:] * np.nan, names=names)
