"""`ntkit gram` as it is typed."""

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("zarr")
pytest.importorskip("tyro")
pytest.importorskip("rich")
pytest.importorskip("matplotlib")
pytest.importorskip("safetensors")
pytest.importorskip("jinja2")
pytest.importorskip("filelock")

import zarr

from ntkit.kernels import RBF
from tests.cli.test_main import call
from tests.tolerances import assert_near

FACTORIES = """
import torch
import ntkit

def make():
    return ntkit.kernels.RBF(0.5)

def network():
    generator = torch.Generator().manual_seed(0)
    return ntkit.ntk(ntkit.networks.mlp(ntkit.encodings.Basic(3), 1, width=8, depth=1, generator=generator))

def text():
    return "kernel"
"""

X = np.random.default_rng(0).random((9, 3))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("gram_factories.py").write_text(FACTORIES)
    np.save("x.npy", X)
    np.save("y.npy", X[:4] + 1)
    np.save("whole.npy", np.arange(3))
    Path("text.npy").write_text("no numbers")
    with Path("several.npy").open("wb") as file:
        np.savez(file, x=X)
    return tmp_path


def test_shares_fill_one_array(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    asked = ("gram", "gram_factories:make", "x.npy", "--out", "K.zarr")
    assert call(monkeypatch, *asked, "--part", "2/2") == 0
    assert capsys.readouterr().out == "K.zarr: 0 of 1 chunks\n"
    assert call(monkeypatch, *asked, "--part", "1/2") == 0
    assert capsys.readouterr().out == "K.zarr: 1 of 1 chunks\n"
    matrix = torch.from_numpy(zarr.open_array("K.zarr", mode="r")[:])
    assert_near(matrix, RBF(0.5)(torch.from_numpy(X)))
    assert call(monkeypatch, *asked, "--against", "y.npy") == 2
    assert "holds another matrix" in capsys.readouterr().err


def test_a_factory_that_seeds_gives_the_same_kernel_again(
    monkeypatch: pytest.MonkeyPatch, here: Path
) -> None:
    asked = ("gram", "gram_factories:network", "x.npy", "--out", "K.zarr", "--against", "y.npy")
    assert call(monkeypatch, *asked) == call(monkeypatch, *asked, "--verify") == 0
    assert zarr.open_array("K.zarr", mode="r").shape == (9, 4)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("make", "x.npy"), "must be MODULE:FACTORY"),
        (("no_such_module:make", "x.npy"), "there is no module `no_such_module`"),
        (("gram_factories:made", "x.npy"), "has no function `made`"),
        (("gram_factories:text", "x.npy"), "returned str, and a kernel is needed"),
        (("gram_factories:make", "x.csv"), "must be an .npy file of points"),
        (("gram_factories:make", "whole.npy"), "holds int64, and points are float32 or float64"),
        (("gram_factories:make", "none.npy"), "does not exist"),
        (("gram_factories:make", "text.npy"), "is no array of numbers"),
        (("gram_factories:make", "several.npy"), "is no array of numbers"),
        (("gram_factories:make", "x.npy", "--part", "0/2"), "shares count from 1"),
        (("gram_factories:make", "x.npy", "--part", "1"), "must be I/N"),
    ],
    ids=str,
)
def test_mistakes_are_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    here: Path,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    assert call(monkeypatch, "gram", *arguments, "--out", "K.zarr") == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
