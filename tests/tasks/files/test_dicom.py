"""DICOM series: sorted by place, in the units of slope and intercept; mixed and gapped ones are refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("PIL")
pytest.importorskip("png")

from ntkit.tasks.files import kind_of, read_volume  # noqa: E402
from tests.tasks.files.examples import SERIES, dicom_series  # noqa: E402

SHAPE = (SERIES["n"], SERIES["rows"], SERIES["columns"])


def test_slices_in_the_order_of_their_places(tmp_path: Path) -> None:
    values = dicom_series(tmp_path)
    (tmp_path / "read me.txt").write_text("hello")
    assert kind_of(tmp_path) == "volume"
    found = read_volume(tmp_path)
    np.testing.assert_allclose(found.levels.back(found.values)[..., 0], values, atol=1e-9)
    assert (found.spacing, found.units, found.depth) == ((2.5, 0.5, 0.75), ("mm",) * 3, 12)
    assert found.notes[0] == "1 files that are no DICOM were left out"
    # Index (slice, row, column): DICOM counts x to the left and y to the back, NIfTI against it.
    np.testing.assert_allclose(found.affine @ [0, 0, 0, 1], [10, 20, 30, 1])
    np.testing.assert_allclose(found.affine @ [4, 6, 2, 1], [10 - 1.5, 20 - 3, 40, 1])
    assert found.file_bytes == sum(f.stat().st_size for f in tmp_path.glob("*.dcm"))


def test_a_file_of_many_frames(tmp_path: Path) -> None:
    values = dicom_series(tmp_path, frames=9)
    assert kind_of(tmp_path / "0.dcm") == "volume"
    found = read_volume(tmp_path / "0.dcm")
    np.testing.assert_allclose(found.levels.back(found.values)[..., 0], values, atol=1e-9)
    assert found.spacing == (5, 0.5, 0.75)
    (tmp_path / "0.dcm").rename(tmp_path / "scan")
    assert kind_of(tmp_path / "scan") == "volume"
    assert read_volume(tmp_path / "scan").shape == SHAPE


def test_without_slope_the_numbers_stay(tmp_path: Path) -> None:
    def edit(_: int, data) -> None:
        del data.RescaleSlope, data.RescaleIntercept, data.ImagePositionPatient
        data.PhotometricInterpretation = "MONOCHROME1"

    values = dicom_series(tmp_path, edit=edit)
    found = read_volume(tmp_path)
    numbers = found.levels.back(found.values)[..., 0]
    np.testing.assert_allclose(
        numbers[::-1], values + 1024
    )  # their numbers run against their places
    assert found.levels.high == 65535
    assert found.affine is None
    assert any("the files say no positions" in note for note in found.notes)
    assert any("were not inverted" in note for note in found.notes)


def test_a_tilted_stack(tmp_path: Path) -> None:
    """Sagittal slices, uneven by a tenth: the mean distance is taken, and said."""

    def edit(k: int, data) -> None:
        data.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
        data.ImagePositionPatient = [2.0 * k + (0.1 if k == 3 else 0), 5, 6]

    values = dicom_series(tmp_path, edit=edit)
    found = read_volume(tmp_path)
    back = found.levels.back(found.values)[..., 0]
    # The normal of these slices points to negative x: they are read from the last.
    np.testing.assert_allclose(back, values[::-1], atol=1e-9)
    np.testing.assert_allclose(found.affine @ [8, 0, 0, 1], [0, -5, 6, 1])
    assert any("mm apart were taken as 2 mm" in note for note in found.notes)


def _field(name: str, value: object, where: int | None = 3) -> Callable[[int, object], None]:
    def edit(k: int, data) -> None:
        if where is None or k == where:
            setattr(data, name, value)

    return edit


@pytest.mark.parametrize(
    ("name", "value", "where", "said"),
    [
        ("SeriesInstanceUID", "1.2.3", 3, "mixes 2 series in 9 files"),
        ("Rows", 9, 3, "mixes 2 heights"),
        ("Columns", 9, 3, "mixes 2 widths"),
        ("SamplesPerPixel", 3, 3, "is in colour"),
        ("ImagePositionPatient", [-10, -20, 30], 3, "two slices at one place"),
        ("ImagePositionPatient", [-10, -20, 34], 1, "mm apart: some are missing"),
        ("ImageOrientationPatient", [0, 1, 0, 1, 0, 0], 3, "mixes slices of different directions"),
        ("PixelSpacing", [0, 1], None, "mm apart; each distance must be above 0"),
        ("PixelSpacing", [-1, 1], None, "mm apart; each distance must be above 0"),
    ],
)
def test_series_that_are_refused(
    tmp_path: Path, name: str, value: object, where: int | None, said: str
) -> None:
    dicom_series(tmp_path, edit=_field(name, value, where))
    with pytest.raises(ValueError, match=said):
        read_volume(tmp_path)


def test_files_that_are_refused(tmp_path: Path) -> None:
    def pixels(_: int, data) -> None:
        del data.PixelData

    def rows(_: int, data) -> None:
        del data.Rows

    for number, edit in enumerate((pixels, rows)):
        dicom_series(tmp_path / str(number), edit=edit)
        with pytest.raises(ValueError, match=r"holds no pixels. Take it out of the series"):
            read_volume(tmp_path / str(number))
    dicom_series(tmp_path / "one")
    with pytest.raises(
        ValueError, match=r"is 1 x 10 x 8 samples.* Pass the folder of a whole series"
    ):
        read_volume(tmp_path / "one" / "0.dcm")
    with pytest.raises(ValueError, match=r"need about \d+ GiB"):
        read_volume(tmp_path / "one", bytes_per_sample=10**9)
    (tmp_path / "one" / "3.dcm").write_text("hello")
    with pytest.raises(ValueError, match="is damaged: File is missing DICOM"):
        read_volume(tmp_path / "one")
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="holds no DICOM file with pixels"):
        read_volume(tmp_path / "none")


def test_a_compression_that_is_not_read(tmp_path: Path) -> None:
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEG2000Lossless

    def edit(_: int, data) -> None:
        data.file_meta.TransferSyntaxUID = JPEG2000Lossless
        data.PixelData = encapsulate([b"\0" * 16])
        data["PixelData"].VR = "OB"

    dicom_series(tmp_path, edit=edit)
    with pytest.raises(ValueError, match=r"compressed \(JPEG 2000 .* Decompress the series first"):
        read_volume(tmp_path)
