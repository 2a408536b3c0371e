"""A run folder holds what was found, and says when it is partial."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("PIL")
pytest.importorskip("matplotlib")
safetensors = pytest.importorskip("safetensors.torch")
pytest.importorskip("jinja2")

from ntkit.experiments import run as module  # noqa: E402
from ntkit.experiments.run import run_tune  # noqa: E402
from ntkit.experiments.spec import TuneSpec, parse_budget  # noqa: E402
from ntkit.tasks import Signal, psnr  # noqa: E402
from ntkit.tuning import build_network  # noqa: E402


@pytest.fixture
def spec(tmp_path: Path) -> TuneSpec:
    y, x = np.mgrid[0:24, 0:32] / 32
    np.save(tmp_path / "waves.npy", 0.5 + 0.25 * np.sin(12 * x + 5 * y) + 0.2 * np.cos(30 * y * x))
    return TuneSpec(
        photo=tmp_path / "waves.npy",
        budget="40",
        width=16,
        depth=2,
        n_frequencies=16,
        bandwidths=(1.0, 2.0, 4.0),
        out=tmp_path / "run",
        threads=1,
    )


def test_the_folder_holds_the_run(spec: TuneSpec) -> None:
    run = run_tune(spec, show_progress=False)
    folder = spec.folder
    result = json.loads((folder / "result.json").read_text())
    assert result["encoding"] == run.result.choice.name
    assert result["partial"] is False
    assert json.loads((folder / "spec.json").read_text())["budget"] == "40"
    names = {"bandwidth", "spectrum", "learning", "images"}
    assert {path.stem for path in folder.glob("*.png")} == names
    page = (folder / "report.html").read_text()
    assert page.count("data:image/png;base64,") == len(names)
    assert "http" not in page.replace("http-equiv", "")  # self-contained
    assert run.result.code in page


def test_the_weights_give_the_measured_error(spec: TuneSpec) -> None:
    run = run_tune(spec, show_progress=False)
    proof = run.proofs[0]
    network = build_network(run.result, run.result.choice, 2, 1)
    network.load_state_dict(safetensors.load_file(spec.folder / "recommended.safetensors"))
    signal = Signal(torch.from_numpy(np.load(spec.photo)), n_axes=2)
    with torch.no_grad():
        image = network(signal.grid.points().float()).reshape(*signal.shape, 1)
    train, held_out = signal.errors(image)
    assert psnr(train) == pytest.approx(proof.train_psnr, abs=1e-4)
    assert psnr(held_out) == pytest.approx(proof.held_out_psnr, abs=1e-4)


def test_the_same_spec_gives_the_same_result(spec: TuneSpec) -> None:
    def figures() -> dict[str, object]:
        run_tune(spec, show_progress=False)
        result = json.loads((spec.folder / "result.json").read_text())
        return {k: result[k] for k in ("table", "encoding", "bandwidth", "curves")}

    assert figures() == figures()


def test_an_interrupt_keeps_the_last_checkpoint(
    spec: TuneSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(proof, *args, **kwargs) -> None:
        def stop(step: int) -> None:
            if step == 30:
                raise KeyboardInterrupt

        real(proof, *args, on_step=stop, **kwargs)

    real = module.verify
    monkeypatch.setattr(module, "verify", interrupted)
    run = run_tune(spec, show_progress=False)
    assert run.partial
    assert 1 <= run.proofs[0].checkpoints[-1].step <= 30
    assert json.loads((spec.folder / "result.json").read_text())["partial"] is True
    assert "interrupted" in (spec.folder / "report.html").read_text()
    assert (spec.folder / "recommended.safetensors").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"budget": "soon"}, "must be a number of steps"),
        ({"budget": "rmsprop:1:2"}, "must be"),
        ({"encodings": ("wavelet",)}, "must name some of"),
        ({"bandwidths": (-1.0,)}, "above 0"),
        ({"threads": 0}, "at least 1"),
        ({"downscale": 0}, "at least 1"),
    ],
    ids=lambda v: next(iter(v)) if isinstance(v, dict) else "",
)
def test_nothing_is_written_on_a_mistake(
    spec: TuneSpec, change: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        run_tune(replace(spec, **change), show_progress=False)  # pyright: ignore[reportArgumentType]
    assert not spec.folder.exists()


def test_a_folder_that_cannot_be_written(spec: TuneSpec, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot be written"):
        run_tune(replace(spec, out=tmp_path / "file" / "run"), show_progress=False)


def test_budgets() -> None:
    assert parse_budget("300", 64).steps == 300
    assert parse_budget("sgd:0.5:20", 64).optimiser == "sgd"
    with pytest.raises(ValueError, match="optimiser:rate:steps"):
        parse_budget("adam:1:2:3", 64)
