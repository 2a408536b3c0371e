"""A reconstruction's folder holds what was found, is read back as it was, and is made again where it was stopped."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("PIL")
pytest.importorskip("matplotlib")
pytest.importorskip("safetensors")
pytest.importorskip("jinja2")
pytest.importorskip("filelock")
pytest.importorskip("tyro")

import ntkit
from ntkit.experiments import reconstruct_run
from ntkit.experiments.progress import Telling
from ntkit.experiments.reconstruct_result import Leftover, ReconstructRun
from ntkit.experiments.reconstruct_run import resume_reconstruct, run_reconstruct
from ntkit.experiments.reconstruct_scores import covered, scores_of
from ntkit.experiments.reconstruct_spec import CtSpec, ImageSpec, MriSpec
from ntkit.experiments.run_folder import RunFolder
from ntkit.experiments.simulation import simulate_mri
from ntkit.tasks.similarity import ssim
from tests.cases import randn
from tests.experiments.reconstructions import quick, write_sinogram
from tests.experiments.stopping import Killed

ARRAYS = {"field.npy", "deviation.npy", "residual.npy", "alternatives.npz"}
FIGURES = {"images.png", "choice.png", "evidence.png", "residual.png"}
TEXTS = {"spec.json", "result.json", "report.html", ".lock"}


@pytest.fixture
def spec(tmp_path: Path) -> CtSpec:
    write_sinogram(tmp_path / "disc-ct.npy")
    return CtSpec(
        tmp_path / "disc-ct.npy",
        angles=("0:180:12",),
        size=(16,),
        truth=tmp_path / "disc.npy",
        out=tmp_path / "run",
        threads=1,
    )


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Solvers and figures take most of the time of so small a run."""

    def draw(run: ReconstructRun, _: object) -> None:
        for name in FIGURES:
            (run.folder / name).write_bytes(b"")

    monkeypatch.setattr(reconstruct_run, "reconstruct", quick)
    monkeypatch.setattr(reconstruct_run, "draw_reconstruction", draw)


def written(folder: Path) -> dict[str, object]:
    return json.loads((folder / "result.json").read_text())


@pytest.mark.slow
def test_the_folder_holds_the_run(spec: CtSpec) -> None:
    """With the solvers and the figures: near the truth, and nearer than filtered back-projection."""
    run = run_reconstruct(spec)
    assert {p.name for p in run.folder.iterdir()} == ARRAYS | FIGURES | TEXTS
    assert run.field.shape == run.deviation.shape == (16, 16)  # pyright: ignore[reportOptionalMemberAccess]
    assert run.scores["reconstruction"]["psnr"] > run.scores[run.baseline]["psnr"] + 3
    assert (run.folder / "residual.npy").stat().st_size > 8 * run.n_data
    page = (run.folder / "report.html").read_text()
    assert page.count("data:image/png;base64,") == len(FIGURES)
    assert "http" not in page.replace("http-equiv", "")  # self-contained
    assert run.why in page.replace("&#39;", "'")
    y, A = run.measured()
    torch.testing.assert_close(
        A(torch.from_numpy(run.field)[..., None])[..., 0] - y,
        torch.from_numpy(run.residual),
        atol=1e-4,  # the field was found in single precision
        rtol=1e-4,
    )


@pytest.mark.usefixtures("fast")
def test_a_run_is_read_back_as_it_was(spec: CtSpec) -> None:
    run = run_reconstruct(spec, command="ntkit reconstruct ct disc-ct.npy")
    again = ntkit.load(run.folder)
    assert isinstance(again, ReconstructRun)
    for name in ("choice", "table", "why", "leftover", "scores", "covered", "notes", "spec"):
        assert getattr(again, name) == getattr(run, name), name
    assert [row.name for row in again.priors] == [row.name for row in run.priors]
    assert np.isnan(again.priors[0].cross_validation)
    assert set(again.alternatives) == {
        *("filtered back-projection", "kernel alone", "total variation alone"),
    }
    assert not again.partial
    with pytest.raises(ValueError, match="is a reconstruction, and has no network"):
        _ = again.network
    (run.folder / "field.npy").unlink()
    with pytest.raises(ValueError, match=r"field\.npy` is missing or damaged"):
        _ = again.field


@pytest.mark.usefixtures("fast")
def test_what_is_asked_is_passed_on(spec: CtSpec) -> None:
    def asked(**options: object) -> dict[str, object]:
        run = run_reconstruct(replace(spec, **options), force=True)  # pyright: ignore[reportArgumentType]
        return json.loads(run.notes[-1])

    usual = {"total_variation": True, "bounds": [0.0, None], "error_bars": True, "prior": None}
    assert asked() == usual
    assert asked(no_total_variation=True) == {**usual, "total_variation": False}
    assert asked(total_variation=0.5) == {**usual, "total_variation": 0.5}
    assert asked(bounds=("none",)) == {**usual, "bounds": None}
    assert asked(bounds=("none", "none")) == {**usual, "bounds": None}
    assert asked(bounds=("-1", "2")) == {**usual, "bounds": [-1, 2]}
    assert asked(error_bars=False) == {**usual, "error_bars": False}
    named = asked(prior=("ntk:4", "matern12:0.1"))["prior"]
    assert named == ["NTK, bandwidth 4", "Matern-1/2, length 0.1"]


@pytest.mark.usefixtures("fast")
def test_without_a_truth_and_without_error_bars(spec: CtSpec) -> None:
    run = run_reconstruct(replace(spec, truth=None, error_bars=False))
    assert (run.scores, run.covered, run.deviation) == ({}, None, None)
    page = (run.folder / "report.html").read_text()
    assert "Against the truth" not in page
    assert "No error bars were asked for" in page
    assert ", chosen from the measurements alone." in page
    for asked in ({"no_total_variation": True}, {"total_variation": 0.5}):
        run = run_reconstruct(replace(spec, **asked), force=True)  # pyright: ignore[reportArgumentType]
        page = (run.folder / "report.html").read_text()
        assert "as asked; the rest was chosen from the measurements alone." in page


@pytest.mark.usefixtures("fast")
def test_a_killed_run_is_made_again(spec: CtSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    def kill(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(reconstruct_run, "reconstruct", kill)
        with pytest.raises(Killed):
            run_reconstruct(spec)
    assert written(spec.out)["partial"] is True
    with pytest.raises(ValueError, match="--resume"):
        ntkit.load(spec.out)
    run = resume_reconstruct(spec.out)
    assert not run.partial
    field = run.field
    assert np.array_equal(resume_reconstruct(spec.out).field, field)
    with monkeypatch.context() as patch:  # while it is drawn
        patch.setattr(reconstruct_run, "write_report", kill)
        with pytest.raises(Killed):
            run_reconstruct(spec, force=True)
    assert written(spec.out)["partial"] is True
    assert np.array_equal(resume_reconstruct(spec.out).field, field)
    assert written(spec.out)["partial"] is False


@pytest.mark.usefixtures("fast")
def test_other_data_are_not_gone_on_with(spec: CtSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_reconstruct(spec)
    RunFolder(run.folder).write("result.json", {**written(run.folder), "partial": True})
    np.save(spec.data, np.load(spec.data)[::-1])
    with pytest.raises(ValueError, match="is no longer what the run in"):
        resume_reconstruct(run.folder)


@pytest.mark.usefixtures("fast")
def test_a_solver_that_fails_leaves_nothing(spec: CtSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("it does not fit")

    monkeypatch.setattr(reconstruct_run, "reconstruct", fail)
    with pytest.raises(ValueError, match="it does not fit"):
        run_reconstruct(spec)
    assert not spec.out.exists()


@pytest.mark.usefixtures("fast")
def test_large_pictures_take_long_and_too_large_ones_are_refused(spec: CtSpec) -> None:
    said: list[str] = []
    telling = Telling(on_notice=said.append)
    run_reconstruct(spec, telling=telling)
    assert said == []
    larger = replace(spec, truth=None, size=(320,))
    run_reconstruct(larger, telling=telling, force=True)
    assert said == ["This will take about 4 minutes on two cores."]
    with pytest.raises(ValueError, match="A picture of 4096 x 4096 would take 17 GB"):
        run_reconstruct(replace(larger, size=(4096,)), force=True)


@pytest.mark.parametrize("of", [CtSpec, MriSpec, ImageSpec])
def test_a_spec_survives_its_file(of: type[CtSpec]) -> None:
    spec = of(Path("a.npy"), prior=("ntk:4",), bounds=("0", "none"), total_variation=0.5)
    content = json.loads(json.dumps(spec.to_dict()))
    assert (content["job"], content["of"]) == ("reconstruct", of.of)
    again = of.from_dict(content)
    assert replace(again, data=spec.data) == spec


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"no_total_variation": True, "total_variation": 1.0}, "are asked for together"),
        ({"total_variation": -1.0}, "must be 0 or more"),
        ({"bounds": ("1", "0")}, "the lower one first"),
        ({"bounds": ("0",)}, "must be two numbers"),
        ({"bounds": ("a", "b")}, "must be two numbers"),
        ({"bounds": ("nan", "1")}, "must be two numbers"),
        ({"network": 0}, "must be from 1"),
        ({"network": 9, "prior": ("rbf:1",)}, "takes its bandwidth from a kernel of a network"),
        ({"seed": -1}, "must be from 0"),
    ],
)
def test_what_cannot_be_meant(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CtSpec(Path("a.npy"), **options).check()  # pyright: ignore[reportArgumentType]


def test_scores_are_of_the_range_of_the_truth() -> None:
    truth = randn(16, 20).sigmoid()
    low, peak = truth.min(), truth.max() - truth.min()
    found = truth + 0.1 * peak
    scores = scores_of(3 * found + 1, 3 * truth + 1)
    assert scores["psnr"] == pytest.approx(20)
    assert scores["ssim"] == pytest.approx(
        ssim(((found - low) / peak)[..., None], ((truth - low) / peak)[..., None])
    )
    turned = torch.polar(found, torch.full_like(found, 0.3))  # the phase counts for nothing
    assert scores_of(turned, truth)["psnr"] == pytest.approx(20)
    seen = torch.zeros(16, 20, dtype=torch.bool)
    seen[4] = True
    half = torch.where(seen, truth + 0.01 * peak, 0.0)
    assert scores_of(half, truth, seen)["psnr"] == pytest.approx(40)


def test_error_bars_of_noise_hold_nine_in_ten() -> None:
    truth, noise = torch.zeros(100, 100).double(), randn(100, 100)
    assert covered(noise, torch.ones_like(noise), truth) == pytest.approx(0.9, abs=0.01)
    assert covered(noise, None, truth) is None


@pytest.mark.parametrize(
    ("neighbours", "uneven", "words"),
    [
        (0.01, 0.0, "looks like noise"),
        (-0.2, 0.0, "rougher than noise"),
        (0.2, 0.1, "some structure"),
        (0.6, 0.5, "geometry"),
        (-0.2, 0.4, "larger in some places"),
    ],
)
def test_what_is_left_in_words(neighbours: float, uneven: float, words: str) -> None:
    assert words in Leftover(0.1, neighbours, 0.01, uneven).in_words("ct")
    assert "meets the data" in Leftover(1e-3, neighbours, 0.01, uneven).in_words("ct")


@pytest.mark.parametrize(("of", "words"), [("mri", "coils' sensitivities"), ("image", "--blur")])
def test_what_to_check_is_of_what_was_measured(of: str, words: str) -> None:
    told = Leftover(0.1, 0.6, 0.01, 0.0).in_words(of)
    assert words in told
    assert "angles" not in told


@pytest.mark.slow
def test_other_kinds_are_nearer_to_the_truth_than_what_is_usual(tmp_path: Path) -> None:
    y, x = np.mgrid[0:40, 0:40] / 40
    picture = 0.2 + 0.6 * (np.hypot(y - 0.5, x - 0.4) < 0.3) + 0.1 * np.sin(5 * x)
    picture += 0.02 * np.random.default_rng(1).normal(size=picture.shape)
    np.save(tmp_path / "photo.npy", picture.reshape(20, 2, 20, 2).mean((1, 3)))
    np.save(tmp_path / "whole.npy", picture)
    np.save(tmp_path / "mask.npy", np.random.default_rng(0).random((40, 40)) < 0.5)
    simulate_mri(tmp_path / "whole.npy", tmp_path / "k.npy", keep=0.5, coils=4, size=24)
    holes = ImageSpec(tmp_path / "whole.npy", mask=tmp_path / "mask.npy")
    for spec, gain in [
        (MriSpec(tmp_path / "k.npy"), 3),
        (replace(holes, truth=tmp_path / "whole.npy"), 8),
        (ImageSpec(tmp_path / "photo.npy", factor=2, truth=tmp_path / "whole.npy"), -0.5),
    ]:
        run = run_reconstruct(replace(spec, out=tmp_path / "run", threads=1), force=True)
        usual = run.scores[run.baseline]["psnr"]
        assert run.scores["reconstruction"]["psnr"] > usual + gain, spec
        assert (run.folder / "report.html").stat().st_size > 1e5
