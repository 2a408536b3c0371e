"""Fitted units and numbers of the file, there and back; boxes; memory."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkit.tasks import files
from ntkit.tasks.files import Levels, Scattered
from ntkit.tasks.files.levels import depth_of, levels_of
from ntkit.tasks.files.sampling import check_memory, shrink


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_levels_there_and_back(low: float, width: float, seed: int) -> None:
    levels = Levels(low, low + width)
    values = np.random.default_rng(seed).uniform(low, low + width, 20)
    unit = levels.to_unit(values)
    assert unit.min() >= 0 and unit.max() <= 1
    np.testing.assert_allclose(levels.back(unit), values, atol=1e-12 * (abs(low) + width))


def test_each_column_of_scattered_values_has_its_levels() -> None:
    found = Scattered(
        np.zeros((2, 1)),
        np.array([[0.0, 0.5], [1.0, 0.25]]),
        (Levels(0, 10), Levels(-4, 4)),
        ("x", "a", "b"),
        geographic=False,
        notes=(),
        file_bytes=1,
    )
    np.testing.assert_array_equal(found.back(found.values), [[0, 0], [10, -2]])


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        (np.array([3, 9], np.uint8), (0, 255)),
        (np.array([3, 9], ">u2"), (0, 65535)),
        (np.array([0.25, 0.5]), (0, 1)),
        (np.array([-3.0, 9.0]), (-3, 9)),
        (np.array([-1000, 2000], np.int16), (-1000, 2000)),
        (np.array([7.0, 7.0]), (7, 14)),
    ],
)
def test_which_numbers_become_zero_and_one(values: np.ndarray, levels: tuple) -> None:
    found, notes = levels_of(values)
    assert (found.low, found.high) == levels
    assert bool(notes) == (levels not in {(0, 255), (0, 1), (7, 14)})


def test_numbers_that_have_no_levels() -> None:
    with pytest.raises(ValueError, match="2 NaN or infinite"):
        levels_of(np.array([np.nan, 1, np.inf]))
    with pytest.raises(ValueError, match="it is empty"):
        levels_of(np.zeros((0, 3)))
    with pytest.raises(ValueError, match="too far to be scaled"):
        levels_of(np.array([-1e308, 1e308]))


def test_depth_is_that_of_the_file() -> None:
    assert [depth_of(np.zeros(1, t)) for t in (np.uint8, np.int16, np.float64)] == [8, 16, 32]


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_boxes_against_a_loop(factor: int) -> None:
    values = np.random.default_rng(0).random((7, 8, 6, 2))
    found = shrink(values, range(3), factor)
    assert found.shape == (7 // factor, 8 // factor, 6 // factor, 2)
    for index in np.ndindex(found.shape[:3]):
        box = tuple(slice(i * factor, (i + 1) * factor) for i in index)
        np.testing.assert_allclose(found[index], values[box].mean((0, 1, 2)), rtol=1e-13)


def test_the_downscale_that_memory_asks_for_is_accepted(tmp_path) -> None:
    def asked(downscale: int, samples: int = 10**9, numbers: int = 1) -> None:
        check_memory(
            tmp_path / "a.nii",
            samples=samples,
            numbers=numbers,
            bytes_per_sample=2**20,
            way_out="Pass `--downscale {}`.",
            axes=3,
            downscale=downscale,
        )

    with pytest.raises(
        ValueError, match=r"1,000,000,000 samples, which need about \d+ GiB"
    ) as said:
        asked(1)
    asked(int(str(said.value).split("--downscale ")[1].rstrip("`.")))
    with pytest.raises(ValueError, match="Save a smaller copy with another program"):
        asked(1000, numbers=10**12)


def test_names_resolve_and_others_do_not() -> None:
    for package in ("PIL", "png", "tifffile", "soundfile", "nibabel"):
        pytest.importorskip(package)
    assert all(hasattr(files, name) for name in files.__all__)
    with pytest.raises(AttributeError, match="no attribute 'read_smell'"):
        files.read_smell  # noqa: B018


def test_a_missing_library_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    pytest.importorskip("soundfile")
    monkeypatch.setitem(sys.modules, "soundfile", None)
    monkeypatch.delitem(sys.modules, "ntkit.tasks.files.audio", raising=False)
    with pytest.raises(
        ImportError, match=r"`soundfile` is needed .* `pip install 'ntkit\[audio\]'"
    ):
        files.read_audio  # noqa: B018
