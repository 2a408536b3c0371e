"""Exported networks: what each format computes, says and refuses."""

import json
import subprocess
import sys
from dataclasses import replace
from math import pi
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("safetensors")
pytest.importorskip("filelock")

from ntkit import encodings
from ntkit.experiments.export import FORMATS, ExportedNetwork, write_export
from ntkit.networks import FAMILIES, Linear, Sine, mlp, nerf, residual, siren, symmetrise
from ntkit.tasks import JOBS, Budget, Domain, Image, RadianceField
from tests.cases import seeded
from tests.experiments.exports import MADE, NETWORKS, PICTURE, network_on, places, subject_of
from tests.spheres import views
from tests.tolerances import relative_error

WITHOUT_NTKIT = """
import json, sys
from pathlib import Path
import torch

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "ntkit":
            raise ImportError("ntkit is not to be imported")

sys.meta_path.insert(0, Blocked())
found = {}
for path in Path(sys.argv[1]).glob("*.pt2"):
    texts = {"meaning.json": ""}
    program = torch.export.load(path, extra_files=texts).module()
    values = {n: program(x) for n, x in torch.load(path.with_suffix(".points")).items()}
    torch.save((values, json.loads(texts["meaning.json"])), path.with_suffix(".values"))
"""


def config_of(network: nn.Module, folder: Path, **options) -> dict:
    write_export(subject_of(network, **options), folder / "net.json", "tiny-cuda-nn", force=True)
    return json.loads((folder / "net.json").read_text())


@pytest.mark.slow
def test_each_network_as_a_torch_program_in_a_process_without_ntkit(
    tmp_path: Path, unchecked: None
) -> None:
    """The same values to rounding, for one point, several and none."""
    expected = {}
    for name, make in NETWORKS.items():
        subject = subject_of(make())
        write_export(subject, tmp_path / f"{name}.pt2", "torch")
        points = {n: places(n, subject.in_dim) for n in (0, 1, 7)}
        torch.save(points, tmp_path / f"{name}.points")
        expected[name] = {n: subject.network(x).detach() for n, x in points.items()}, subject
    subprocess.run([sys.executable, "-c", WITHOUT_NTKIT, str(tmp_path)], check=True)
    for name, (values, subject) in expected.items():
        found, meaning = torch.load(tmp_path / f"{name}.values")
        assert found[0].shape == (0, 2), name
        assert all(relative_error(found[n], values[n]) <= 1e-6 for n in (1, 7)), name
        assert meaning == subject.meaning(), name


def test_a_torch_program_is_plain_and_names_no_folder_of_its_writer(
    tmp_path: Path, unchecked: None
) -> None:
    path = tmp_path / "net.pt2"
    subject = subject_of(network_on(encodings.NeRF(2, 3)))
    write_export(subject, path, "torch")
    program = torch.export.load(path)
    assert relative_error(program.module()(places(7, 2)), subject.network(places(7, 2))) <= 1e-6
    assert not any(node.meta.get("stack_trace") for node in program.graph.nodes)
    assert str(Path(__file__).parents[2]).encode() not in path.read_bytes()
    operators = {n.target for n in program.graph.nodes if n.op == "call_function"}
    assert all(str(target).startswith("aten.") for target in operators)


class Branching(encodings.AbstractEncoding):
    in_dim, out_dim = 2, 2

    @property
    def is_stationary(self) -> bool:
        return False

    def forward(self, x):
        return x if x.sum() > 1 else -x


def test_what_torch_cannot_trace_is_refused(tmp_path: Path, unchecked: None) -> None:
    with pytest.raises(ValueError, match=r"`torch.export` cannot trace .* keep the run folder"):
        write_export(subject_of(network_on(Branching())), tmp_path / "net.pt2", "torch")
    assert not list(tmp_path.iterdir())


THEIRS = {
    "Centred-0": "Identity",
    "Identity-0": "Identity",
    "NeRF-0": "Frequency",
    "Composite-1": "Composite",
    "HashGrid-0": "HashGrid",
    "HashGrid-1": "HashGrid",
    "OneBlob-0": "OneBlob",
    "SphericalHarmonics-1": "SphericalHarmonics",
    "TriangleWave-0": "TriangleWave",
}
"""Encodings that tiny-cuda-nn has too, by its name for them."""


@pytest.mark.parametrize("name", MADE)
def test_each_encoding_for_tiny_cuda_nn(name: str, tmp_path: Path) -> None:
    """It is the encoding of the same features, or is refused."""
    encoding = MADE[name]()
    if name not in THEIRS:
        with pytest.raises(ValueError, match=r"no counterpart in tiny-cuda-nn.*`--format onnx`"):
            config_of(network_on(encoding), tmp_path)
        assert not list(tmp_path.iterdir())
        return
    config = config_of(network_on(encoding), tmp_path)
    assert config["encoding"]["otype"] == THEIRS[name]
    again = encodings.from_config(config["encoding"], encoding.in_dim, generator=seeded())
    if isinstance(encoding, encodings.HashGrid):  # new tables
        assert again.out_dim == encoding.out_dim
        again.load_state_dict(encoding.state_dict())
    x = places(7, encoding.in_dim)
    assert torch.equal(again(x), encoding(x))


def test_gaussian_frequencies_are_not_in_tiny_cuda_nn(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"`Gaussian` has no counterpart .* Random and learned"):
        config_of(network_on(encodings.Gaussian(2, 8, 5.0, seeded())), tmp_path)


@pytest.mark.parametrize(
    ("width", "depth", "otype"),
    [(16, 1, "FullyFusedMLP"), (128, 4, "FullyFusedMLP"), (256, 2, "CutlassMLP")],
)
def test_the_network_of_tiny_cuda_nn(width: int, depth: int, otype: str, tmp_path: Path) -> None:
    encoding = encodings.NeRF(2, 4)
    net = mlp(encoding, 2, width=width, depth=depth, generator=seeded())
    config = config_of(net, tmp_path)
    assert config["network"] == {
        "otype": otype,
        "activation": "ReLU",
        "output_activation": "None",
        "n_neurons": width,
        "n_hidden_layers": depth,
    }
    assert config["loss"] == {"otype": "L2"}
    adam = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    assert config["optimizer"] == {"otype": "Adam", "learning_rate": 1e-3, "l2_reg": 0.0, **adam}
    about = config["ntkit"]
    sizes = [about[k] for k in ("n_input_dims", "n_output_dims", "batch_size", "steps")]
    assert sizes == [2, 2, 512, 2000]
    with_end = config_of(nn.Sequential(*net, nn.Sigmoid()), tmp_path)
    assert with_end["network"] == config["network"] | {"output_activation": "Sigmoid"}


def test_a_loss_that_tiny_cuda_nn_has_not_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Odd(Image):
        def loss(self, found, true):
            return (found - true).abs().mean()

    monkeypatch.setitem(JOBS, "odd", Odd)
    subject = subject_of(network_on(encodings.NeRF(2, 3)), replace(PICTURE, kind="odd"))
    notes = write_export(subject, tmp_path / "a.json", "tiny-cuda-nn")
    assert "loss" not in json.loads((tmp_path / "a.json").read_text())
    assert any("the loss of a odd" in note for note in notes)


def stack(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 32), layers[0], nn.Linear(32, 32), *layers[1:])


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (nn.Softplus(10), "Softplus"),
        (nn.LeakyReLU(), "LeakyReLU"),
        (nn.Tanh(), "Tanh"),
        (nn.SiLU(), "SiLU"),
        (Sine(30.0), "Sine"),
    ],
    ids=str,
)
def test_activations_of_tiny_cuda_nn(layer: nn.Module, name: str, tmp_path: Path) -> None:
    """Its fused network has neither Sine nor SiLU (`fully_fused_mlp.cu`, `inference_mixed_precision_impl`)."""
    subject = subject_of(stack(layer, layer, Linear(32, 2)))
    notes = write_export(subject, tmp_path / "a.json", "tiny-cuda-nn")
    config = json.loads((tmp_path / "a.json").read_text())
    assert config["encoding"] == {"otype": "Identity"}
    fused = "CutlassMLP" if name in {"Sine", "SiLU"} else "FullyFusedMLP"
    assert (config["network"]["otype"], config["network"]["activation"]) == (fused, name)
    assert any("omega_0 of 30" in note for note in notes) == (name == "Sine")
    assert any("no biases" in note for note in notes)


@pytest.mark.parametrize("d", [1, 3, 17])
def test_a_siren_has_its_bandwidth_in_tiny_cuda_nn(d: int, tmp_path: Path) -> None:
    """First weights there are `U(-30 / n, 30 / n)`, `n` the inputs padded to a multiple of 16."""
    network = siren(d, 2, bandwidth=7.0, width=32, depth=2, generator=seeded())
    config = config_of(network, tmp_path)
    assert (config["network"]["activation"], config["network"]["n_hidden_layers"]) == ("Sine", 2)
    padded = 32 if d > 16 else 16
    deviation = config["encoding"]["scale"] * 30 / padded / 3**0.5 / (2 * pi)
    assert deviation == pytest.approx(7.0)
    assert config["encoding"]["offset"] == -config["encoding"]["scale"] / 2


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_for_tiny_cuda_nn(family: str, tmp_path: Path) -> None:
    net = FAMILIES[family].build(2, 2, bandwidth=8.0, width=32, depth=2, generator=seeded())
    if family in {"siren", "hash"}:
        fused = "CutlassMLP" if family == "siren" else "FullyFusedMLP"
        assert config_of(net, tmp_path)["network"]["otype"] == fused
    else:
        with pytest.raises(ValueError, match="no counterpart in tiny-cuda-nn"):
            config_of(net, tmp_path)


@pytest.mark.parametrize(
    ("network", "match"),
    [
        (nerf(encodings.NeRF(2, 3), 2, width=16), "`SkipMLP` has no counterpart"),
        (residual(encodings.NeRF(2, 3), 2, width=16), "`ResidualBlock` has no counterpart"),
        (symmetrise(network_on(encodings.NeRF(2, 3))), "no difference of two networks"),
        (nn.Bilinear(2, 2, 2), "`Bilinear` has no counterpart .* sequences of layers"),
        (stack(nn.GELU(), nn.GELU(), nn.Linear(32, 2)), r"`GELU\(approximate='none'\)` has no"),
        (stack(Sine(3.0, 0.5), nn.ReLU(), nn.Linear(32, 2)), "Sine without phase"),
        (
            stack(nn.ReLU(), nn.Tanh(), nn.Linear(32, 2)),
            r"one activation, got .*\['ReLU', 'Tanh'\]",
        ),
        (stack(nn.ReLU(), nn.ReLU(), nn.Linear(32, 8), nn.ReLU(), nn.Linear(8, 2)), r"\[8, 32\]"),
        (nn.Sequential(nn.Linear(2, 2)), "A network without hidden layers"),
        (nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.LayerNorm(2)), "`LayerNorm` has no"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_networks_that_tiny_cuda_nn_has_not(network: nn.Module, match: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=match):
        config_of(network, tmp_path)


def test_plain_gradient_descent_for_tiny_cuda_nn(tmp_path: Path) -> None:
    net = network_on(encodings.NeRF(2, 3))
    subject = ExportedNetwork(net, 2, 2, PICTURE, Budget("sgd", 0.5, 10))
    write_export(subject, tmp_path / "a.json", "tiny-cuda-nn")
    config = json.loads((tmp_path / "a.json").read_text())
    assert config["optimizer"] == {"otype": "SGD", "learning_rate": 0.5, "l2_reg": 0.0}


@pytest.mark.parametrize(
    ("domain", "coordinates", "values"),
    [
        (PICTURE, "24 x 32 samples; sample k of N along an axis is at k / N", "value * 255 + 0."),
        (
            Domain("audio", (800,), 1, ((-2.0, 2.0),), ("s",), (1 / 8000,)),
            "One unit along each axis is 0.1 s.",
            "value * 4 + -2.",
        ),
        (Domain("volume", (8, 8, 8), 1), "8 x 8 x 8 samples", "Those of the data."),
        (
            Domain("points", (9,), 2, ((0.0, 3.0), (1.0, 2.0)), low=(1.0,), high=(3.0,), names=("t", "a", "b")),
            "(t - 1) / 2.",
            "value * 3 + 0, value * 1 + 1, channel by channel.",
        ),
        (
            Domain("shape", (9,), 1, low=(1.0,) * 3, high=(3.0,) * 3, names=("x", "y", "z", "occupancy")),
            "(x - 1) / 2, (y - 1) / 2, (z - 1) / 2.",
            "A logit: above 0 inside, and not above 0 outside.",
        ),
        (
            Domain("shape", (9,), 1, ((0.0, 2.0),), low=(1.0,) * 3, high=(3.0,) * 3, names=("x", "y", "z", "signed distance")),
            "(z - 1) / 2.",
            "value * 2 + 0. Signed distances in units of the file, above 0 inside.",
        ),
        (
            Domain("points", (9,), 1, low=(0.0, 0.0, 5.0), high=(9.0, 9.0, 7.0), geographic=True),
            "(sin(lat) + 1) / 2, (x2 - 5) / 2; lon and lat in radians.",
            "Those of the data.",
        ),
    ],
    ids=lambda v: v.kind if isinstance(v, Domain) else "",
)  # fmt: skip
def test_the_meaning_of_the_numbers(domain: Domain, coordinates: str, values: str) -> None:
    meaning = ExportedNetwork(nn.Linear(1, 1), 1, 1, domain, Budget()).meaning()
    assert coordinates in meaning["coordinates"]
    assert meaning["values"].endswith(values)
    assert Domain.from_dict(json.loads(meaning["domain"])) == domain


def test_the_meaning_of_a_field_leads_back_to_its_box(unchecked: None) -> None:
    """Places by the words are where the renderer asks the network."""
    task = RadianceField(views(), view_directions=True, cones=True)
    scene = task.scene
    meaning = ExportedNetwork(nn.Linear(6, 4), 6, 4, task.domain, Budget()).meaning()
    low = ", ".join(f"{v:.9g}" for v in scene.low)
    assert (
        f"[n, 6], float32. (p - ({low})) / {scene.side:.9g} of a place p" in meaning["coordinates"]
    )
    assert "Then (d + 1) / 2" in meaning["coordinates"]
    assert "averaged over pieces of cones" in meaning["coordinates"]
    assert "100 softplus(v - 4) of the first is the density" in meaning["values"]
    row = task.training()[0][0]  # the origin and direction of a ray, in the box
    camera = np.array(task.views.cameras[task.held_out.index(False)].pose)[:, 3]
    np.testing.assert_allclose(row[:3], (camera - scene.low) / scene.side, rtol=1e-5)


def test_files_are_whole_or_left_alone(tmp_path: Path, unchecked: None) -> None:
    subject = subject_of(network_on(encodings.NeRF(2, 3)))
    path = tmp_path / "net.json"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match=r"net.json` is there already. Pass another name"):
        write_export(subject, path, "tiny-cuda-nn")
    assert path.read_text() == "mine"
    write_export(subject, path, "tiny-cuda-nn", force=True)
    assert [p.name for p in tmp_path.iterdir()] == ["net.json"]
    with pytest.raises(OSError, match=r"could not be written"):
        write_export(subject, tmp_path / "none" / "net.json", "tiny-cuda-nn")
    for format in FORMATS:
        with pytest.raises(ValueError, match=rf"must end in \.\w+, as files of format {format}"):
            write_export(subject, tmp_path / "net.bin", format)
    with pytest.raises(
        ValueError, match="`format='tflite'` must be one of tiny-cuda-nn, onnx, torch"
    ):
        write_export(subject, tmp_path / "net.tflite", "tflite")  # pyright: ignore[reportArgumentType]
