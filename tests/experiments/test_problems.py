"""Data of the command line become the measurement that made them; what does not fit is refused in one line."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("tyro")
pytest.importorskip("PIL")
pytest.importorskip("tifffile")

from ntkit.experiments.problems import completed, open_problem
from ntkit.experiments.problems.angles import angles_of, seem_radians
from ntkit.experiments.reconstruct_spec import CtSpec, ImageSpec, MriSpec
from ntkit.measurements import Fourier, Radon, Samples
from tests.cases import randn
from tests.experiments.reconstructions import write_sinogram


@pytest.fixture
def ct(tmp_path: Path) -> CtSpec:
    write_sinogram(tmp_path / "disc-ct.npy")
    return CtSpec(tmp_path / "disc-ct.npy", angles=("0:180:12",), size=(16,))


def scan_of(spec: CtSpec) -> Radon:
    A = open_problem(spec).A
    assert isinstance(A, Radon)
    return A


def test_a_sinogram_becomes_the_scan_that_made_it(ct: CtSpec, tmp_path: Path) -> None:
    problem = open_problem(replace(ct, truth=tmp_path / "disc.npy"))
    assert problem.truth is not None
    gap = problem.A(problem.truth[..., None])[..., 0] - problem.y
    assert float(gap.abs().max()) < 0.3  # noise of 0.05
    assert problem.bounds == (0.0, None)


def test_a_sinogram_of_scikit_image(tmp_path: Path) -> None:
    """Its layout is `[detectors, views]`, a pixel is one long, and the axis of rotation meets pixel `n // 2`."""
    transform = pytest.importorskip("skimage.transform")
    y, x = np.mgrid[0:32, 0:32] - 16.0
    bump = np.exp(-((y - 3) ** 2 + (x + 4) ** 2) / 18) * (y**2 + x**2 < 15**2)
    np.save(tmp_path / "s.npy", transform.radon(bump, np.arange(20) * 9.0, circle=True))
    spec = CtSpec(tmp_path / "s.npy", angles=("0:180:20",), transpose=True)
    problem = open_problem(spec)
    assert problem.A.field_shape == (32, 32)
    found = problem.A(torch.from_numpy(bump)[..., None])[..., 0]
    assert float((found - problem.y).norm() / problem.y.norm()) < 0.01
    with pytest.raises(ValueError, match=r"32 rows and 20 columns.*Pass `--transpose`"):
        open_problem(replace(spec, transpose=False))


def test_sizes_and_distances(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((5, 30)) + np.eye(5, 30))
    np.save(tmp_path / "b.npy", np.ones((5, 30, 20)) + np.eye(5, 30)[..., None])
    flat = CtSpec(tmp_path / "a.npy", angles=("0:360:5",))
    assert scan_of(flat).field_shape == (30, 30)
    assert scan_of(replace(flat, pixel=0.5, detector_spacing=1.0)).field_shape == (60, 60)
    assert scan_of(replace(flat, size=(8, 12))).field_shape == (8, 12)
    astra = scan_of(replace(flat, convention="astra"))
    assert (astra.centre, astra.beam.detector_centre) == ((14.5, 14.5), (14.5,))
    aside = scan_of(replace(flat, detector_centre=12.25))
    assert (aside.centre, aside.beam.detector_centre) == ((15, 15), (12.25,))
    far = replace(flat, geometry="fan", source_distance=3e3, detector_distance=1e3)
    assert scan_of(far).field_shape == (29, 29)  # the circle that the fan sees is a little smaller
    assert scan_of(far).beam.detector_spacing == (4 / 3,)
    assert scan_of(replace(far, curved=True)).field_shape == (29, 29)
    cone = replace(far, data=tmp_path / "b.npy", geometry="cone")
    assert scan_of(cone).field_shape == (20, 29, 29)
    stack = replace(flat, data=tmp_path / "b.npy")
    assert scan_of(stack).field_shape == (20, 30, 30)


def test_a_picture_as_large_as_its_default_is_seen_in_every_view(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((8, 21)) + np.eye(8, 21))
    fan = CtSpec(
        tmp_path / "a.npy",
        angles=("0:360:8",),
        convention="astra",
        geometry="fan",
        source_distance=40.0,
        detector_distance=10.0,
    )
    A = scan_of(fan)
    circle = A.pixels.norm(dim=1).reshape(A.field_shape) < A.field_shape[0] / 2 - 0.5
    assert bool(A.field_of_view[circle].all())
    assert not bool(A.field_of_view.all())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"angles": None}, r"`--angles` of the 12 views .* `--angles 0:180:12`"),
        ({"angles": ("0:180:11",)}, "has 12 views of 16 detectors, and `--angles` are 11"),
        ({"geometry": "fan"}, "needs `--source-distance` and `--detector-distance`"),
        ({"geometry": "cone"}, r"are \[views, detectors, rows\]"),
        ({"source_distance": 9.0}, "parallel rays have none"),
        ({"curved": True}, "`--curved` is of"),
        ({"size": (1, 2, 3)}, "must be one number, or one for each of 2 axes"),
        ({"size": (99999,)}, "from 4 to 4096"),
        ({"detector_centre": 16.0}, "must be one of the 16 detectors"),
        ({"pixel": -1.0}, "`pixel=-1.0` must be a finite number above 0"),
        ({"pixel": 0.0}, "`pixel=0.0` must be a finite number above 0"),
        ({"detector_spacing": 0.0}, "`detector_spacing=0.0` must be a finite number above 0"),
        ({"detector_spacing": 0.1, "size": None}, "sees is 1 x 1 pixels, and a picture has from 4"),
        ({"geometry": "fan", "source_distance": 9.0, "detector_distance": 1.0}, "inside of the field"),
        ({"data": Path("none.npy")}, "does not exist"),
        ({"truth": Path("none.png")}, "does not exist"),
    ],
)  # fmt: skip
def test_scans_that_do_not_fit(ct: CtSpec, options: dict[str, object], message: str) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        open_problem(replace(ct, **options))  # pyright: ignore[reportArgumentType]


def test_data_that_are_none(ct: CtSpec, tmp_path: Path) -> None:
    good = np.load(ct.data)
    damaged = good.copy()
    damaged[3, 4] = np.nan
    for values, message in [
        (damaged, r"1 NaN or infinite entries, the first at index \(3, 4\)"),
        (np.zeros_like(good), "has no signal: all of its values are 0"),
        (good + 1j, "real numbers"),
        (good[0], "2 to 3"),
    ]:
        np.save(tmp_path / "bad.npy", values)
        with pytest.raises(ValueError, match=message):
            open_problem(replace(ct, data=tmp_path / "bad.npy"))
    (tmp_path / "bad.tif").write_bytes(b"II")
    with pytest.raises(ValueError, match=r"has the ending \.tif"):
        open_problem(replace(ct, data=tmp_path / "bad.tif"))
    for truth, message in [
        (good[:8, :8], r"has shape \(8, 8\) .* the reconstruction is \(16, 16\)"),
        (np.zeros((16, 16)), "is 0 everywhere: no picture can be compared with it"),
        (np.eye(16) * 1j, "is complex, and the reconstruction is real"),
    ]:
        np.save(tmp_path / "bad.npy", truth)
        with pytest.raises(ValueError, match=message):
            open_problem(replace(ct, truth=tmp_path / "bad.npy"))


@pytest.mark.usefixtures("photo")
def test_a_truth_is_in_the_units_of_its_reconstruction(ct: CtSpec, tmp_path: Path) -> None:
    """Numbers of an array are not scaled by their own range; those of a picture are scaled as its data were."""
    np.save(tmp_path / "whole.npy", np.arange(256).reshape(16, 16) * 7)
    truth = open_problem(replace(ct, truth=tmp_path / "whole.npy")).truth
    assert truth is not None
    assert float(truth.max()) == 255 * 7
    wide = 20 * randn(12, 10).numpy()
    np.save(tmp_path / "wide.npy", wide)
    np.save(tmp_path / "part.npy", wide / 2)
    spec = ImageSpec(tmp_path / "wide.npy", mask=tmp_path / "mask.npy")
    for name, scale in [("wide", 1.0), ("part", 0.5)]:
        problem = open_problem(replace(spec, truth=tmp_path / f"{name}.npy"))
        assert problem.truth is not None
        low, high = problem.domain.levels[0]
        np.testing.assert_allclose(problem.truth.numpy() * (high - low) + low, scale * wide)


def test_signs_of_a_mistake_are_noted(ct: CtSpec, tmp_path: Path) -> None:
    def notes(**options: object) -> str:
        return " ".join(open_problem(replace(ct, **options)).notes)  # pyright: ignore[reportArgumentType]

    assert "radians" not in notes()
    assert "if they are radians" in notes(angles=tuple(map(str, np.arange(12) * np.pi / 12)))
    np.save(tmp_path / "light.npy", np.exp(-np.load(ct.data) / 5).clip(0, 1))
    assert "as intensities are behind an object" in notes(data=tmp_path / "light.npy")
    np.save(tmp_path / "below.npy", np.load(ct.data) - 5)
    assert "pass `--bounds none`" in notes(data=tmp_path / "below.npy")


def test_angles(tmp_path: Path) -> None:
    degrees = [0.0, 22.5, 90.0]
    np.save(tmp_path / "a.npy", degrees)
    (tmp_path / "a.txt").write_text("0\n22.5, 90\n")
    assert angles_of([str(tmp_path / "a.npy")]) == angles_of([str(tmp_path / "a.txt")]) == degrees
    assert angles_of(["-30:30:2"]) == [-30, 0]
    assert seem_radians([0, 1, 2, 3])
    assert not seem_radians([0, 1, 2])
    (tmp_path / "d.txt").write_text("# degrees\n0\n22.5; 90 # the last\n")
    assert angles_of([str(tmp_path / "d.txt")]) == degrees
    (tmp_path / "b.txt").write_text("0 one 2")
    (tmp_path / "e.txt").write_bytes(b"\x89PNG\x00")
    np.save(tmp_path / "c.npy", np.ones((3, 2)))
    for texts, message in [
        (["0:180"], "does not exist"),
        (["0:180:0"], "must be FROM:TO:COUNT"),
        (["1", "x"], "`x` is none"),
        ([], "must be FROM:TO:COUNT, .*; nothing was given"),
        (["nan", "1"], "`--angles nan 1` has angles that are NaN or infinite"),
        (["0:inf:3"], "`--angles 0:inf:3` has angles that are NaN or infinite"),
        ([str(tmp_path / "b.txt")], "cannot be used: it holds 'one', which is no number"),
        ([str(tmp_path / "e.txt")], "which is no number: one angle a view is needed, in degrees"),
        ([str(tmp_path / "c.npy")], "one angle a view is needed"),
    ]:
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            angles_of(texts)


def test_a_json_beside_the_data_fills_in_what_is_not_said(ct: CtSpec, tmp_path: Path) -> None:
    beside = tmp_path / "disc-ct.json"
    said = {"angles": list(range(12)), "pixel": 2.0, "size": [8], "truth": "disc.npy"}
    beside.write_text(json.dumps({"of": "ct", "measured": said}))
    found, names = completed(replace(ct, angles=None))
    assert isinstance(found, CtSpec)
    assert names == ["angles", "pixel", "truth"]  # the size was given
    assert angles_of(found.angles or ()) == said["angles"]
    assert (found.pixel, found.size, found.truth) == (2.0, (16,), tmp_path / "disc.npy")
    (tmp_path / "a.txt").write_text(" ".join(map(str, range(12))))
    found, _ = completed(replace(ct, angles=(str(tmp_path / "a.txt"),)))
    assert isinstance(found, CtSpec)
    assert found.angles == tuple(f"{float(k)}" for k in range(12))
    beside.write_text(json.dumps({"of": "mri", "measured": {}}))
    with pytest.raises(ValueError, match="for `ntkit reconstruct mri`"):
        completed(ct)
    beside.write_text(json.dumps({"of": "ct", "measured": {"pixel": "wide"}}))
    with pytest.raises(ValueError, match="`pixel` in the spec must be"):
        completed(ct)
    beside.write_text(json.dumps({"somebody": "else's"}))
    assert completed(ct) == (ct, [])


def write_kspace(tmp_path: Path, n_coils: int = 3) -> tuple[MriSpec, Fourier, torch.Tensor]:
    drawn = torch.Generator().manual_seed(0)
    mask = torch.rand(16, 12, generator=drawn) < 0.5
    mask[4:12, 2:10] = True
    coils = torch.complex(randn(n_coils, 16, 12), randn(n_coils, 16, 12))
    A = Fourier((16, 12), mask, coils if n_coils > 1 else None)
    field = torch.complex(randn(16, 12, 1), randn(16, 12, 1))
    kspace = A.scatter(A(field))
    np.save(tmp_path / "k.npy", kspace.numpy())
    np.save(tmp_path / "mask.npy", mask.numpy())
    np.save(tmp_path / "coils.npy", coils.numpy())
    return MriSpec(tmp_path / "k.npy", coils=tmp_path / "coils.npy"), A, A(field)[..., 0]


def test_kspace_becomes_the_measurement_that_made_it(tmp_path: Path) -> None:
    spec, A, data = write_kspace(tmp_path)
    for asked in (spec, replace(spec, mask=tmp_path / "mask.npy")):
        problem = open_problem(asked)
        assert isinstance(problem.A, Fourier)
        assert torch.equal(problem.A.mask, A.mask)
        torch.testing.assert_close(problem.y, data)
        torch.testing.assert_close(problem.A.coils, A.coils)
        assert problem.bounds is None
    assert "what is exactly 0" in " ".join(open_problem(spec).notes)
    spread = problem.arranged(problem.A, problem.y)
    assert torch.equal(torch.isnan(spread.real), ~A.mask)
    torch.testing.assert_close(spread[A.mask], data[:, 0])
    found = open_problem(replace(spec, coils=None))
    assert "sensitivities were found from the middle" in " ".join(found.notes)


def test_one_coil(tmp_path: Path) -> None:
    spec, A, data = write_kspace(tmp_path, 1)
    problem = open_problem(replace(spec, coils=None))
    assert problem.A.data_shape == A.data_shape
    torch.testing.assert_close(problem.y, data)


def test_columns_are_a_mask_too(tmp_path: Path) -> None:
    spec, _, _ = write_kspace(tmp_path)
    columns = np.arange(12) % 3 == 0
    np.save(tmp_path / "columns.npy", columns)
    problem = open_problem(replace(spec, mask=tmp_path / "columns.npy"))
    assert isinstance(problem.A, Fourier)
    np.testing.assert_array_equal(problem.A.mask.numpy(), np.tile(columns, (16, 1)))


def test_kspace_that_does_not_fit(tmp_path: Path) -> None:
    spec, A, _ = write_kspace(tmp_path)
    np.save(tmp_path / "small.npy", np.ones((3, 8, 12), complex))
    np.save(tmp_path / "narrow.npy", np.ones((16, 11), bool))
    np.save(tmp_path / "elsewhere.npy", ~A.mask.numpy())
    np.save(tmp_path / "black.npy", np.zeros((16, 12)))
    np.save(tmp_path / "nan.npy", np.full((16, 12), np.nan))
    np.save(tmp_path / "deaf.npy", np.zeros(np.load(spec.data).shape, complex))
    for options, message in [
        ({"coils": tmp_path / "small.npy"}, r"one map a coil is needed"),
        ({"mask": tmp_path / "narrow.npy"}, r"a mask of k-space is \(16, 12\)"),
        ({"mask": tmp_path / "elsewhere.npy"}, "no signal where it was measured"),
        (
            {"mask": tmp_path / "black.npy"},
            r"black\.npy` cannot be used: nothing in it is above 0\.5",
        ),
        ({"mask": tmp_path / "nan.npy"}, r"nan\.npy` cannot be used: it has NaN"),
        ({"coils": tmp_path / "deaf.npy"}, "all of its sensitivities are 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            open_problem(replace(spec, **options))
    off = np.roll(np.load(spec.data), (8, 6), (1, 2))
    np.save(tmp_path / "corner.npy", off)
    corner = replace(spec, data=tmp_path / "corner.npy", mask=None)
    missing = ~(off != 0).any(0)[8, 6]
    assert ("is not centred" in " ".join(open_problem(corner).notes)) == missing


@pytest.fixture
def photo(tmp_path: Path) -> ImageSpec:
    np.save(tmp_path / "photo.npy", randn(12, 10, 3).sigmoid().numpy())
    np.save(tmp_path / "mask.npy", np.arange(120).reshape(12, 10) % 3 > 0)
    return ImageSpec(tmp_path / "photo.npy")


def test_pixels_that_are_known(photo: ImageSpec, tmp_path: Path) -> None:
    problem = open_problem(replace(photo, mask=tmp_path / "mask.npy", truth=photo.data))
    assert isinstance(problem.A, Samples)
    assert problem.truth is not None
    torch.testing.assert_close(problem.A(problem.truth), problem.y)
    spread = problem.arranged(problem.A, problem.y)
    known = torch.from_numpy(np.load(tmp_path / "mask.npy"))
    assert torch.equal(spread.isnan().any(-1), ~known)
    torch.testing.assert_close(spread[known], problem.truth[known])
    torch.testing.assert_close(problem.spread(problem.y)[known], problem.truth[known].mean(-1))


def test_single_pixels_are_held_out_alone_and_holes_in_blocks(
    photo: ImageSpec, tmp_path: Path
) -> None:
    single = open_problem(replace(photo, mask=tmp_path / "mask.npy"))
    assert single.groups is not None
    assert sorted(single.groups.tolist()) == list(range(80))
    hole = np.ones((12, 10), bool)
    hole[2:9, 2:9] = False
    np.save(tmp_path / "hole.npy", hole)
    assert open_problem(replace(photo, mask=tmp_path / "hole.npy")).groups is None


def test_larger_and_sharper_pictures(photo: ImageSpec) -> None:
    for factor, blur in [(2, 0.0), (1, 1.0), (3, 0.7)]:
        problem = open_problem(replace(photo, factor=factor, blur=blur))
        assert problem.A.field_shape == (12 * factor, 10 * factor)
        flat = torch.full((*problem.A.field_shape, 1), 0.3).double()
        torch.testing.assert_close(problem.A(flat), torch.full((12, 10, 1), 0.3).double())
        assert problem.baseline[1].shape == (*problem.A.field_shape, 3)
        assert problem.y.shape == (12, 10, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs `--mask`"),
        ({"blur": -1.0}, "must be a standard deviation"),
        ({"blur": 9.0}, r"`--blur 9` is too wide for this picture: .* \(73, 73\)"),
        ({"blur": 1e300}, "`--blur 1e.300` is too wide"),
        ({"mask": Path("mask.npy"), "factor": 2}, "`--mask` is not for `--factor`"),
        ({"factor": 2, "truth": Path("photo.npy")}, r"the reconstruction is \(24, 20\)"),
    ],
)
def test_pictures_that_are_refused(
    photo: ImageSpec,
    options: dict[str, object],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        open_problem(replace(photo, **options))  # pyright: ignore[reportArgumentType]
