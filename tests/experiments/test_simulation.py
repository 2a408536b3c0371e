"""Simulated measurements are those of the picture, from a finer grid, and go straight into a reconstruction."""

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("tyro")
pytest.importorskip("PIL")
pytest.importorskip("png")
pytest.importorskip("tifffile")

from ntkit.experiments.problems import Problem, completed, open_problem
from ntkit.experiments.reconstruct_spec import CtSpec, MriSpec
from ntkit.experiments.simulation import simulate_ct, simulate_mri
from ntkit.measurements import Fourier, Radon


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A smooth bump off the middle, so that the two grids agree."""
    y, x = np.mgrid[0:60, 0:80] / 80
    bump = np.exp(-((y - 0.3) ** 2 + (x - 0.6) ** 2) / (2 * 0.07**2))
    np.save(tmp_path / "bump.npy", bump)
    return tmp_path / "bump.npy"


def opened(spec: CtSpec | MriSpec) -> Problem:
    return open_problem(completed(spec)[0])


def relative(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm())


@pytest.mark.parametrize("geometry", ["parallel", "fan"])
def test_projections_are_those_of_the_truth(picture: Path, geometry: str) -> None:
    out = picture.with_name("a.npy")
    files = simulate_ct(picture, out, views=10, noise=0.0, size=40, pixel=2.0, geometry=geometry)  # pyright: ignore[reportArgumentType]
    assert [p.name for p in files] == ["a.npy", "a.json", "a-truth.png"]
    problem = opened(CtSpec(out))
    assert problem.truth is not None
    assert isinstance(problem.A, Radon)
    assert (problem.A.field_shape, problem.A.spacing) == ((40, 40), (2.0, 2.0))
    assert relative(problem.A(problem.truth[..., None])[..., 0], problem.y) < 0.01
    circle = problem.A.pixels.norm(dim=1).reshape(40, 40) < 40.0  # mm: what every view sees
    assert float(problem.truth[~circle].abs().max()) == 0
    assert float(problem.truth.max()) > 0.9


@pytest.mark.parametrize("coils", [1, 4])
@pytest.mark.parametrize("size", [32, 33])
def test_kspace_is_that_of_the_truth(picture: Path, coils: int, size: int) -> None:
    out = picture.with_name("k.npy")
    simulate_mri(picture, out, keep=0.3, coils=coils, noise=0.0, size=size)
    problem = opened(MriSpec(out))
    A = problem.A
    assert isinstance(A, Fourier)
    assert problem.truth is not None
    assert len(A.index) / size**2 == pytest.approx(0.3, abs=0.02)
    at = torch.arange(size).double() / size - 0.5
    y, x = at[:, None], at
    phase = torch.exp(1j * (1.5 * y - 1.0 * x + 2.0 * x * y + 3.0 * y**2))
    data = A((problem.truth * phase)[..., None])[..., 0]
    assert relative(data, problem.y) < 0.02  # half a fine pixel off would be 0.1


def test_places_around_the_middle(picture: Path) -> None:
    out = picture.with_name("k.npy")
    simulate_mri(picture, out, keep=0.125, pattern="random", coils=1, size=64)
    mask = opened(MriSpec(out)).A.mask  # pyright: ignore[reportAttributeAccessIssue]
    assert int(mask.sum()) == 512
    assert bool(mask[30:35, 30:35].all())
    y, x = np.mgrid[0:64, 0:64] - 32
    near = torch.from_numpy(np.hypot(y, x) < 16)
    assert float(mask[near].double().mean()) > 2 * float(mask[~near].double().mean())


def test_noise_is_as_large_as_asked(picture: Path) -> None:
    data = []
    for noise in (0.0, 0.05):
        simulate_ct(picture, picture.with_name("a.npy"), noise=noise, size=64, force=True)
        data.append(np.load(picture.with_name("a.npy")))
    assert (data[1] - data[0]).std() / data[0].std() == pytest.approx(0.05, rel=0.05)
    kspace = []
    for noise in (0.0, 0.05):
        simulate_mri(picture, picture.with_name("k.npy"), noise=noise, size=64, force=True)
        kspace.append(np.load(picture.with_name("k.npy")))
    measured = kspace[0] != 0
    error = np.abs(kspace[1] - kspace[0])[measured]
    size = np.sqrt((np.abs(kspace[0][measured]) ** 2).mean())
    assert np.sqrt((error**2).mean()) / size == pytest.approx(0.05, rel=0.05)
    assert not kspace[1][~measured].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 8}, "`--size 8` must be from 16"),
        ({"views": 0}, "`views=0` must be at least 1"),
        ({"noise": -1.0}, "must be 0 or more"),
        ({"pixel": 0.0}, "above 0"),
    ],
)
def test_scans_that_are_refused(picture: Path, options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simulate_ct(picture, picture.with_name("a.npy"), **options)  # pyright: ignore[reportArgumentType]
    assert [p.name for p in picture.parent.iterdir()] == ["bump.npy"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": 1.0}, "must be a share of k-space"),
        ({"coils": 0}, "`--coils 0` must be from 1"),
        ({"size": 4096}, "`--size 4096` must be from 16"),
    ],
)
def test_kspace_that_is_refused(picture: Path, options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simulate_mri(picture, picture.with_name("k.npy"), **options)  # pyright: ignore[reportArgumentType]
    assert [p.name for p in picture.parent.iterdir()] == ["bump.npy"]


def test_files_that_are_there_are_kept(picture: Path) -> None:
    out = picture.with_name("a.npy")
    picture.with_name("a-truth.png").write_text("mine")
    with pytest.raises(FileExistsError, match=r"a-truth\.png` is there already"):
        simulate_ct(picture, out, size=16)
    with pytest.raises(ValueError, match=r"must end in \.npy"):
        simulate_ct(picture, picture.with_name("a.tif"), size=16)
    simulate_ct(picture, out, size=16, force=True)
    assert picture.with_name("a-truth.png").read_bytes()[:4] == b"\x89PNG"
    np.save(picture, np.zeros((20, 20)))
    with pytest.raises(ValueError, match="one constant value"):
        simulate_ct(picture, picture.with_name("b.npy"), size=16)
