"""k-space from arrays and from HDF5, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from ntkit.tasks.files.kspace_reader import read_kspace

RANDOM = np.random.default_rng(0)
WAVES = RANDOM.normal(size=(3, 8, 6)) + 1j * RANDOM.normal(size=(3, 8, 6))


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (WAVES, WAVES),
        (WAVES[0], WAVES[:1]),
        (
            np.stack([WAVES] * 4, 1).astype(np.complex64),
            np.stack([WAVES] * 4, 1).astype(np.complex64),
        ),
        (np.stack([WAVES.real, WAVES.imag], -1), WAVES),
    ],
)
def test_arrays(tmp_path: Path, values: np.ndarray, wanted: np.ndarray) -> None:
    np.save(tmp_path / "k.npy", values)
    found = read_kspace(tmp_path / "k.npy")
    assert found.values.dtype == complex
    np.testing.assert_array_equal(found.values, wanted)
    assert bool(found.notes) == (values.dtype.kind != "c")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (WAVES.real, "k-space is complex"),
        (np.zeros((8, 8), complex), "has no signal"),
        (np.full((8, 8), np.nan + 0j), "64 NaN or infinite entries, the first at index"),
        (WAVES[:, :2], "at least 4 samples"),
        (WAVES[:0], r"is empty: its shape is \(0, 8, 6\)"),
        (WAVES[None, None], r"\[coils, kz, ky, kx\] is needed"),
    ],
)
def test_what_is_refused(tmp_path: Path, values: np.ndarray, message: str) -> None:
    np.save(tmp_path / "k.npy", values)
    with pytest.raises(ValueError, match=message):
        read_kspace(tmp_path / "k.npy")


def test_other_files(tmp_path: Path) -> None:
    (tmp_path / "k.dat").write_text("a")
    with pytest.raises(ValueError, match=r"has the ending \.dat"):
        read_kspace(tmp_path / "k.dat")
    np.save(tmp_path / "k.npy", WAVES)
    with pytest.raises(ValueError, match="`--slice 1` is of HDF5 files"):
        read_kspace(tmp_path / "k.npy", slice=1)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read_kspace(tmp_path / "none.npy")


def test_files_of_fastmri(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "file.h5"
    slices = np.stack([WAVES, 2 * WAVES, 3 * WAVES]).astype(np.complex64)
    mask = np.array([1, 0, 1, 1, 1, 0], np.float32)
    with h5py.File(path, "w") as file:
        file["kspace"], file["mask"] = slices, mask
    found = read_kspace(path)
    np.testing.assert_array_equal(found.values, slices[1])
    assert found.notes == ("Slice 1 of 3.",)
    assert found.mask is not None
    assert found.mask.tolist() == mask.astype(bool).tolist()
    np.testing.assert_array_equal(read_kspace(path, slice=2).values, slices[2])
    with pytest.raises(ValueError, match="`--slice 3` is none of its 3 slices"):
        read_kspace(path, slice=3)
    for content, message in [
        ({"image": mask}, "file.h5` cannot be used: it holds image, and no dataset kspace"),
        ({"kspace": slices.real}, "its kspace holds float32 of 4 axes"),
        ({"kspace": slices[:, 0], "mask": mask[1:]}, r"its mask has shape \(5,\)"),
        ({"kspace": slices * np.nan}, "file.h5` cannot be used: it has 144 NaN"),
    ]:
        with h5py.File(path, "w") as file:
            for name, values in content.items():
                file[name] = values
        with pytest.raises(ValueError, match=message):
            read_kspace(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match="is damaged"):
        read_kspace(path)
