"""`ntkit export` as it is typed."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("tyro")
pytest.importorskip("rich")
pytest.importorskip("matplotlib")
pytest.importorskip("safetensors")
pytest.importorskip("jinja2")
pytest.importorskip("filelock")

import ntkit
from ntkit.experiments.results import TuneRun
from tests.cli.small import SMALL
from tests.cli.test_main import call


def test_a_fit_is_exported_once_at_a_name(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    here: Path,
    unchecked: None,
) -> None:
    nerf = ["--encoding", "nerf", "--bandwidth", "2", "--quiet"]
    assert call(monkeypatch, "fit", "image.npy", *SMALL, *nerf) == 0
    run = "runs/fit-image"
    assert call(monkeypatch, "export", run, "--format", "torch") == 0
    printed = capsys.readouterr().out
    assert "note: float32, any number of points, PyTorch alone reads it" in printed
    assert printed.splitlines()[-1].startswith("fit-image.pt2: ")
    x = torch.rand(5, 2)
    program = torch.export.load("fit-image.pt2").module()
    torch.testing.assert_close(program(x), ntkit.load(run).network(x), rtol=1e-6, atol=1e-6)
    to_json = ["export", run, "--format", "tiny-cuda-nn", "--out", "net.json"]
    assert call(monkeypatch, *to_json) == 0
    config = json.loads(Path("net.json").read_text())
    assert config["encoding"] == {"otype": "Frequency", "n_frequencies": 3}
    assert config["ntkit"]["kind"] == "image"
    assert call(monkeypatch, *to_json) == 2
    assert "`net.json` is there already" in capsys.readouterr().err
    assert call(monkeypatch, *to_json, "--force") == 0
    assert call(monkeypatch, *to_json, "--force", "--network", "no_encoding") == 2
    assert "holds one network; `name='no_encoding'` is none of it" in capsys.readouterr().err


def test_a_siren_for_tiny_cuda_nn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    siren = ["--encoding", "siren", "--bandwidth", "2", "--quiet"]
    assert call(monkeypatch, "fit", "image.npy", *SMALL, *siren) == 0
    write = ["export", "runs/fit-image", "--format", "tiny-cuda-nn"]
    assert call(monkeypatch, *write) == 0
    config = json.loads(Path("fit-image.json").read_text())
    assert config["network"]["activation"] == "Sine"
    budget = ntkit.load("runs/fit-image").budget
    assert config["optimizer"]["learning_rate"] == budget.lr
    assert config["ntkit"]["falling"] == budget.falling == 0.5
    deviation = config["encoding"]["scale"] * 30 / 16 / 3**0.5 / (2 * np.pi)
    assert deviation == pytest.approx(2.0)
    said = capsys.readouterr().out
    assert "so that the bandwidth is the same" in said
    assert "fell evenly to 0 over the last 50%" in said


def test_either_network_of_a_tune_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    only = ["--encodings", "identity", "gaussian", "--bandwidths", "2", "--quiet"]
    assert call(monkeypatch, "tune", "image.npy", *SMALL, *only) == 0
    write = ["export", "runs/tune-image", "--format", "tiny-cuda-nn"]
    run = ntkit.load("runs/tune-image")
    assert isinstance(run, TuneRun)
    other = "no_encoding" if run.proofs[1:] else "recommended"
    assert call(monkeypatch, *write, "--network", other) == 0
    config = json.loads(Path(f"tune-image-{other}.json").read_text())
    assert config["encoding"] == {"otype": "Identity"}
    assert call(monkeypatch, *write, "--network", "best") == 2
    assert "`name='best'` must be one of recommended, no_encoding" in capsys.readouterr().err
