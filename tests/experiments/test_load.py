"""A run comes back from its folder: the network gives the numbers that were measured, or is refused."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("PIL")
pytest.importorskip("matplotlib")
safetensors = pytest.importorskip("safetensors.torch")
pytest.importorskip("jinja2")
pytest.importorskip("filelock")

import ntkit  # noqa: E402
from ntkit.encodings import AbstractEncoding  # noqa: E402
from ntkit.experiments.progress import Telling  # noqa: E402
from ntkit.experiments.runs import list_runs  # noqa: E402
from ntkit.experiments.spec import TuneSpec  # noqa: E402
from ntkit.experiments.tune_run import run_tune  # noqa: E402
from ntkit.experiments.weights import read_tensors, write_tensors  # noqa: E402
from ntkit.networks import mlp  # noqa: E402
from ntkit.tasks import Image, psnr  # noqa: E402

pytestmark = pytest.mark.slow


Built = tuple[TuneSpec, Path]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("load")
    y, x = np.mgrid[0:24, 0:32] / 32
    np.save(folder / "waves.npy", 0.5 + 0.4 * np.sin(20 * x + 9 * y))
    spec = TuneSpec(
        data=folder / "waves.npy",
        budget="adam:3e-3:30",
        width=12,
        depth=2,
        n_frequencies=8,
        bandwidths=(2.0, 4.0),
        out=folder / "runs" / "first",
        threads=1,
    )
    run_tune(spec, telling=Telling(show_progress=False))
    run_tune(
        replace(spec, out=folder / "runs" / "twin", symmetrise=True),
        telling=Telling(show_progress=False),
    )
    return folder / "runs" / "first"


@pytest.mark.parametrize("name", ["first", "twin"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_loaded_network_has_the_measured_error(
    run: Path, name: str, dtype: torch.dtype
) -> None:
    loaded = ntkit.load(str(run.parent / name))
    signal = Image(loaded.spec.data)
    with torch.no_grad():
        image = loaded.network(signal.grid.points().to(dtype)).reshape(*signal.shape, 1)
    assert psnr(signal.errors(image)[1]) == pytest.approx(
        loaded.proofs[0].held_out_quality, abs=1e-4
    )


def test_the_loaded_network_is_ordinary(run: Path) -> None:
    """It is pickled, trained on, and has its kernel."""
    network = ntkit.load(run).network
    x = torch.rand(3, 2)
    assert torch.equal(pickle.loads(pickle.dumps(network))(x), network(x))
    kernel = ntkit.empirical_ntk(network)(x)
    parameters = list(network.parameters())
    rows = [torch.autograd.grad(network(p[None]).sum(), parameters) for p in x]
    jacobian = torch.stack([torch.cat([g.flatten() for g in row]) for row in rows])
    torch.testing.assert_close(kernel, jacobian @ jacobian.T, rtol=1e-4, atol=1e-5)


def test_a_run_is_copied_whole(run: Path) -> None:
    loaded = ntkit.load(run)
    twin = pickle.loads(pickle.dumps(loaded))
    assert (twin.spec, twin.folder, twin.proofs) == (loaded.spec, loaded.folder, loaded.proofs)
    assert twin.result.table == loaded.result.table
    x = torch.rand(5, 2)
    assert torch.equal(twin.result.encoding(x), loaded.result.encoding(x))


def test_weights_of_the_first_format_are_read(run: Path, tmp_path: Path) -> None:
    """Run folders of before had no version, no architecture and no checksum."""
    for path in run.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    tensors = safetensors.load_file(run / "recommended.safetensors")
    safetensors.save_file(tensors, tmp_path / "recommended.safetensors", metadata={"step": "30"})
    for name in ("spec.json", "result.json"):
        content = json.loads((run / name).read_text())
        new = {"format", "job", "started", "input_sha256", "draw", "width", "depth", "diverged"}
        new |= {"n_frequencies", "initial_function_mse", "tuning_notes", "predicted_best"}
        kept = {k: v for k, v in content.items() if k not in new or name == "spec.json"}
        kept.pop("format", None)
        (tmp_path / name).write_text(json.dumps(kept))
    x = torch.rand(3, 2)
    old, now = ntkit.load(tmp_path), ntkit.load(run)
    assert torch.equal(old.network(x), now.network(x))
    assert old.result.table == now.result.table
    assert old.result.plan == now.result.plan


def test_a_network_of_ones_own(run: Path, tmp_path: Path) -> None:
    loaded = ntkit.load(run)

    def factory(encoding: AbstractEncoding) -> nn.Module:
        return mlp(encoding, 1, width=12, depth=2)

    x = torch.rand(3, 2)
    assert torch.equal(loaded.trained(network=factory)(x), loaded.network(x))
    with pytest.raises(ValueError, match="does not fit"):
        loaded.trained(network=lambda encoding: mlp(encoding, 1, width=13, depth=2))


def test_damaged_weights_are_refused(run: Path, tmp_path: Path) -> None:
    loaded = ntkit.load(run)
    content = (run / "recommended.safetensors").read_bytes()
    loaded.folder = tmp_path
    path = tmp_path / "recommended.safetensors"
    with pytest.raises(FileNotFoundError, match="was not trained"):
        _ = loaded.network
    flipped = bytearray(content)
    flipped[-9] ^= 4
    for damaged in (bytes(flipped), content[:-8], b"", b"\x00" * 64, content[:5]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged"):
            _ = loaded.network


def test_tensors_survive_their_file(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(6.0).reshape(2, 3).T, "b": torch.tensor(3), "c": torch.empty(0)}
    write_tensors(tmp_path / "a.safetensors", tensors, {"seconds": 0.1, "name": "x"})
    back, about = read_tensors(tmp_path / "a.safetensors")
    assert about == {"seconds": 0.1, "name": "x"}
    assert back.keys() == tensors.keys()
    assert all(torch.equal(back[k], tensors[k]) for k in tensors)


def test_runs_are_listed(run: Path) -> None:
    (run.parent / "no run").mkdir()
    broken = run.parent / "broken"
    broken.mkdir()
    (broken / "spec.json").write_text('{"photo": "a.png"}')
    (broken / "result.json").write_text("{")
    found = {Path(e.folder).name: e for e in list_runs(run.parent)}
    assert found.keys() == {"first", "twin", "broken"}
    loaded = ntkit.load(run)
    entry = found["first"]
    assert (entry.state, entry.input) == ("done", "waves.npy")
    assert entry.choice == loaded.result.choice.label
    assert entry.held_out == pytest.approx(loaded.proofs[0].held_out_quality)
    assert entry.size == sum(p.stat().st_size for p in run.iterdir())
    assert found["broken"].state == "unreadable"
    with pytest.raises(FileNotFoundError, match="is no folder"):
        list_runs(run / "none")
