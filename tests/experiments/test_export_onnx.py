"""ONNX files: the network's values by ONNX's own reference, at any number of points."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("safetensors")
pytest.importorskip("filelock")

import onnx
from onnx import reference

from ntkit import encodings
from ntkit.experiments.export import onnx_file, write_export
from ntkit.networks import symmetrise
from tests.cases import seeded
from tests.experiments.exports import NETWORKS, network_on, places, subject_of

pytestmark = pytest.mark.filterwarnings(
    "ignore:overflow encountered in cast:RuntimeWarning"  # the reference, of the bounds of `nan_to_num`
)


def agrees(network: nn.Module, path: Path, *, atol: float = 0.0) -> None:
    """As the network is, relative to its largest value, or to `atol`: of differences of larger ones."""
    subject = subject_of(network)
    write_export(subject, path, "onnx")
    model = onnx.load(path)
    run = reference.ReferenceEvaluator(model)
    for n in (1, 7):
        x = places(n, subject.in_dim)
        (found,) = run.run(["values"], {"coordinates": x.numpy()})
        expected = network(x).detach()
        off = float((torch.from_numpy(found) - expected).abs().max())
        assert off <= max(atol, 1e-6 * float(expected.abs().max()))
    assert {p.key: p.value for p in model.metadata_props}.items() >= subject.meaning().items()


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_each_network(name: str, tmp_path: Path, unchecked: None) -> None:
    agrees(NETWORKS[name](), tmp_path / "net.onnx")


@pytest.mark.slow
def test_a_pair_with_a_sigmoid(tmp_path: Path, unchecked: None) -> None:
    pair = symmetrise(nn.Sequential(network_on(encodings.NeRF(2, 3)), nn.Sigmoid()))
    next(pair.plus.parameters()).data += 0.1
    agrees(nn.Sequential(pair).eval(), tmp_path / "net.onnx", atol=1e-6)


@pytest.mark.slow
def test_a_file_is_plain_and_says_what_it_is(tmp_path: Path, unchecked: None) -> None:
    network = network_on(encodings.Gaussian(2, 8, 2.0, seeded()))
    path = tmp_path / "net.onnx"
    agrees(network, path)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 18)]
    values = [*model.graph.input, *model.graph.output]
    shapes = [[a.dim_param or a.dim_value for a in v.type.tensor_type.shape.dim] for v in values]
    assert [v.name for v in values] == ["coordinates", "values"]
    assert shapes == [["n", 2], ["n", 2]]
    assert str(Path(__file__).parents[2]).encode() not in path.read_bytes()
    assert not any(node.metadata_props for node in model.graph.node)


def test_beyond_two_gigabytes_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_file, "_MOST_BYTES", 1000)
    with pytest.raises(ValueError, match=r"an ONNX file holds 2 at most\. Pass `--format torch`"):
        write_export(subject_of(network_on(encodings.Basic(2))), tmp_path / "net.onnx", "onnx")


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r"`onnxscript` is needed .* 'ntkit\[export\]'"):
        write_export(subject_of(network_on(encodings.Basic(2))), tmp_path / "net.onnx", "onnx")
