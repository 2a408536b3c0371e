"""Volumes: numbers, distances and places of NIfTI, TIFF stacks and arrays, there and back."""

from pathlib import Path

import numpy as np
import pytest

nibabel = pytest.importorskip("nibabel")
pytest.importorskip("PIL")
pytest.importorskip("png")
tifffile = pytest.importorskip("tifffile")

from ntkit.tasks.files import (  # noqa: E402
    Levels,
    read_image,
    read_volume,
    resampled_affine,
    write_slices,
    write_volume,
)

SHAPE = (8, 10, 9)
TURNED = np.array([[0, -2.0, 0, 5], [1.5, 0, 0, -7], [0, 0, 3, 1], [0, 0, 0, 1]])


def numbers(*shape: int, dtype: type = np.int16) -> np.ndarray:
    return np.random.default_rng(0).integers(-900, 2000, shape or SHAPE).astype(dtype)


def saved(path: Path, values: np.ndarray, affine: np.ndarray = TURNED, unit: str = "mm") -> Path:
    image = nibabel.Nifti1Image(values, affine)
    image.header.set_xyzt_units(unit)
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_nifti_as_it_stands(tmp_path: Path, suffix: str, dtype: type) -> None:
    values = numbers(dtype=dtype)
    found = read_volume(saved(tmp_path / f"a.{suffix}", values))
    np.testing.assert_allclose(
        found.levels.back(found.values)[..., 0], values, rtol=1e-12, atol=1e-9
    )
    np.testing.assert_allclose(found.affine, TURNED)
    np.testing.assert_allclose(found.spacing, [1.5, 2, 3], rtol=1e-6)
    assert found.units == ("mm",) * 3
    assert found.depth == {np.uint8: 8, np.int16: 16, np.float32: 32}[dtype]


def test_slope_and_intercept_are_applied(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(numbers(), TURNED)
    image.header.set_slope_inter(0.5, -3)
    nibabel.save(image, tmp_path / "a.nii")
    stored = np.asarray(nibabel.load(tmp_path / "a.nii").dataobj)
    found = read_volume(tmp_path / "a.nii")
    np.testing.assert_allclose(found.levels.back(found.values)[..., 0], stored, atol=1e-9)


@pytest.mark.parametrize(("unit", "factor"), [("micron", 1e-3), ("meter", 1e3), ("unknown", 1)])
def test_units_of_length_become_mm(tmp_path: Path, unit: str, factor: float) -> None:
    found = read_volume(saved(tmp_path / "a.nii", numbers(), unit=unit))
    np.testing.assert_allclose(found.spacing, np.array([1.5, 2, 3]) * factor, rtol=1e-6)
    np.testing.assert_allclose(found.affine[:3], TURNED[:3] * factor)
    assert any("mm were assumed" in note for note in found.notes) == (unit == "unknown")


def test_boxes_stay_where_they_are(tmp_path: Path) -> None:
    """The affine of a shrunk volume names the middle of each box."""
    values = numbers(17, 18, 16)
    found = read_volume(saved(tmp_path / "a.nii", values), downscale=2)
    assert found.shape == (8, 9, 8)
    np.testing.assert_allclose(found.spacing, [3, 4, 6], rtol=1e-6)
    for index in ((0, 0, 0), (7, 8, 1)):
        box = np.array([(2 * np.array(index) + corner).tolist() for corner in np.ndindex(2, 2, 2)])
        middle = (np.c_[box, np.ones(8)] @ TURNED.T).mean(0)
        np.testing.assert_allclose(found.affine @ [*index, 1], middle)
        mean = values[tuple(box.T)].mean()
        assert abs(found.levels.back(found.values)[index][0] - mean) < 1e-9


def test_one_of_several_volumes(tmp_path: Path) -> None:
    values = numbers(*SHAPE, 3)
    path = saved(tmp_path / "a.nii.gz", values)
    with pytest.raises(ValueError, match=r"holds 3 volumes .* `--frame`"):
        read_volume(path)
    found = read_volume(path, frame=2)
    np.testing.assert_allclose(found.levels.back(found.values)[..., 0], values[..., 2], atol=1e-9)
    assert "volume 2 of 3" in found.notes
    with pytest.raises(ValueError, match="`--frame 3` is none of the volumes"):
        read_volume(path, frame=3)
    with pytest.raises(ValueError, match="a volume has three axes"):
        read_volume(saved(path, numbers(8, 9)))


def test_places_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.nii"

    def edited(field: str, value: object, where: object = slice(None)) -> Path:
        image = nibabel.Nifti1Image(numbers(), TURNED)
        image.header.set_xyzt_units("mm")
        nibabel.save(image, path)
        content = bytearray(path.read_bytes())
        header = np.frombuffer(content, nibabel.Nifti1Header().template_dtype, 1)
        header = header.copy()
        header[field][0][where] = value
        path.write_bytes(header.tobytes() + bytes(content[header.nbytes :]))
        return path

    with pytest.raises(ValueError, match="affine with entries that are not finite"):
        read_volume(edited("srow_x", np.nan))
    with pytest.raises(ValueError, match="or that is flat"):
        read_volume(edited("srow_y", 0))
    with pytest.raises(ValueError, match="apart; each distance must be above 0"):
        read_volume(edited("pixdim", 0, 2))
    with pytest.raises(ValueError, match="apart; each distance must be above 0"):
        read_volume(edited("pixdim", np.inf, 1))
    assert "the affine's distances were taken" in "".join(read_volume(edited("pixdim", 9, 1)).notes)


def test_samples_that_are_refused(tmp_path: Path) -> None:
    holed = numbers(dtype=np.float32)
    holed[1, 2, 3] = np.nan
    with pytest.raises(ValueError, match="1 NaN or infinite entries"):
        read_volume(saved(tmp_path / "a.nii", holed))
    with pytest.raises(ValueError, match="one constant value everywhere"):
        read_volume(saved(tmp_path / "a.nii", np.zeros(SHAPE, np.int16)))
    with pytest.raises(ValueError, match="its samples are complex64"):
        read_volume(saved(tmp_path / "a.nii", np.zeros(SHAPE, np.complex64)))
    with pytest.raises(ValueError, match=r"need about \d+ GiB .* `--downscale \d+`"):
        read_volume(saved(tmp_path / "a.nii.gz", numbers()), bytes_per_sample=10**9)
    whole = (tmp_path / "a.nii.gz").read_bytes()
    (tmp_path / "a.nii.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="is damaged"):
        read_volume(tmp_path / "a.nii.gz")
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(ValueError, match="is no volume that is known by its name"):
        read_volume(tmp_path / "a.txt")
    with pytest.raises(FileNotFoundError, match="a folder of a DICOM series"):
        read_volume(tmp_path / "none.nii")


def test_pages_of_a_tiff(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    for values in (
        numbers(dtype=np.uint8),
        numbers(dtype=np.uint16),
        numbers(dtype=np.float32),
        numbers(*SHAPE, 3, dtype=np.uint16),
    ):
        tifffile.imwrite(path, values, photometric="rgb" if values.ndim == 4 else "minisblack")
        found = read_volume(path)
        back = found.levels.back(found.values).reshape(values.shape)
        np.testing.assert_allclose(back, values, rtol=1e-12, atol=1e-9)
        assert (found.spacing, found.units) == (None, ("slice", "px", "px"))
    tifffile.imwrite(path, values[0], photometric="rgb")
    with pytest.raises(ValueError, match="has one page: it is an image"):
        read_volume(path)
    with tifffile.TiffWriter(path) as file:
        for size in (8, 9, 8):
            file.write(numbers(size, 12, dtype=np.uint8))
    with pytest.raises(ValueError, match="has pages of different sizes"):
        read_volume(path)
    with tifffile.TiffWriter(path) as file:
        file.write(numbers(8, 12, dtype=np.uint8))
        file.write(numbers(8, 12, 3, dtype=np.uint8), photometric="rgb")
    with pytest.raises(ValueError, match="has pages of different sizes"):
        read_volume(path)


def test_arrays(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, numbers())
    found = read_volume(path)
    np.testing.assert_allclose(found.levels.back(found.values)[..., 0], numbers(), atol=1e-9)
    assert (found.spacing, found.affine, found.depth) == (None, None, 16)
    np.save(path, numbers(*SHAPE, 6))
    assert read_volume(path, channels=True).n_outputs == 6
    np.save(path, numbers(3, *SHAPE))
    assert read_volume(path, frame=1).shape == SHAPE
    with pytest.raises(ValueError, match=r"a volume has three axes. Name one"):
        read_volume(path)
    with pytest.raises(ValueError, match="`--frame 3` does not fit"):
        read_volume(path, frame=3)
    np.save(path, numbers(3, 9, 9))
    with pytest.raises(ValueError, match="is 3 x 9 x 9 samples; at least 8"):
        read_volume(path)


@pytest.mark.parametrize("suffix", ["nii", "nii.gz", "tif", "npy"])
@pytest.mark.parametrize("channels", [1, 3])
def test_written_and_read_again(tmp_path: Path, suffix: str, channels: int) -> None:
    unit = np.random.default_rng(0).random((*SHAPE, channels))
    levels, path = Levels(-1024, 976), tmp_path / f"a.{suffix}"
    assert write_volume(path, unit, levels=levels, affine=TURNED) == []
    if suffix.startswith("nii"):
        image = nibabel.load(path)
        np.testing.assert_allclose(image.affine, TURNED)
        back = np.asarray(image.dataobj).reshape(unit.shape)
        assert image.header.get_xyzt_units()[0] == "mm"
    else:
        found = read_volume(path)
        back = found.levels.back(found.values)
    np.testing.assert_allclose(back, levels.back(unit), rtol=1e-6, atol=1e-4)
    again = tmp_path / f"b.{suffix}"
    write_volume(again, unit, levels=levels, affine=TURNED)
    if suffix != "tif":
        assert again.read_bytes() == path.read_bytes()


def test_places_of_written_volumes(tmp_path: Path) -> None:
    unit = np.random.default_rng(0).random((*SHAPE, 1))
    path = tmp_path / "a.nii"
    write_volume(path, unit, spacing=(1, 2, 4))
    np.testing.assert_allclose(read_volume(path).spacing, [1, 2, 4])
    assert "1 mm apart" in write_volume(path, unit)[0]
    fine = resampled_affine(TURNED, (0.5, 0.25, 1), (1, 0, 2))
    np.testing.assert_allclose(fine @ [4, 8, 3, 1], TURNED @ [3, 2, 5, 1])
    with pytest.raises(ValueError, match="`affine` must be 4 x 4 finite"):
        write_volume(path, unit, affine=np.full((4, 4), np.nan))
    with pytest.raises(ValueError, match=r"Pass a name that ends in .nii.gz"):
        write_volume(tmp_path / "a.mha", unit)
    with pytest.raises(ValueError, match="NaN or infinite"):
        write_volume(path, unit * np.nan)


def test_slices_as_pictures(tmp_path: Path) -> None:
    whole = np.random.default_rng(0).integers(0, 256, (*SHAPE, 1))
    for axis in range(3):
        files = write_slices(tmp_path / str(axis), whole / 255, axis=axis, every=3)
        assert [f.name for f in files] == [
            "slice_000.png",
            "slice_003.png",
            "slice_006.png",
            "slice_009.png",
        ][: len(range(0, SHAPE[axis], 3))]
        found = read_image(files[1])
        np.testing.assert_array_equal(found.values * 255, whole.take(3, axis))
    turned = read_image(write_slices(tmp_path, whole / 255, turned=True)[0])
    np.testing.assert_array_equal(turned.values * 255, np.rot90(whole[0]))
    with pytest.raises(ValueError, match="are no slices of a volume of 3 axes"):
        write_slices(tmp_path, whole / 255, axis=3)
