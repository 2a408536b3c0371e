"""The cookbook of neural-tangents on plain modules, by the same numbers where it gives some."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ntkit

FOLDER = Path(__file__).parents[2] / "examples" / "from_neural_tangents"
pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="needs the source's examples")
SCRIPTS = (
    "bayesian_inference",
    "early_stopping",
    "empirical_ntk",
    "ensembling",
    "function_space",
    "infinite_networks",
    "weight_space",
)


def script(name: str) -> ModuleType:
    spec = spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def reference(name: str) -> dict[str, Tensor]:
    with np.load(Path(__file__).parent / "data" / "cookbook.npz", allow_pickle=False) as data:
        keys = [key for key in data if key.startswith(f"{name}/")]
        return {key.partition("/")[2]: torch.as_tensor(data[key]) for key in keys}


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected.to(found), rtol=1e-6, atol=1e-6)


def loaded(net: nn.Sequential, data: dict[str, Tensor]) -> nn.Module:
    """The network with the peer's weights, in float64."""
    first, last = net.double()[0], net[-1]
    weights = (first.weight, data["W0"].T), (first.bias, data["b0"])
    with torch.no_grad():
        for parameter, value in (*weights, (last.weight, data["W1"].T), (last.bias, data["b1"])):
            parameter.copy_(value)
    return net


@pytest.mark.parametrize("name", ["infinite_fcn", "infinite_cnn"])
def test_infinite_networks(name: str) -> None:
    example, data = script("infinite_networks"), reference(name)
    net, ridge = example.fully_connected(12), 1e-3
    if name == "infinite_cnn":
        net, ridge = example.convolutional(6), 1e-4
    found = example.infer(net, data["x"], data["y"], data["other"], ridge)
    close(found["nngp"], data["nngp"])
    close(found["ntk"], data["ntk"])


def test_weight_space() -> None:
    example, data = script("weight_space"), reference("weight_space")
    net = loaded(example.network(8, 32, 3), data)
    linear = ntkit.linearize(net)
    for f, losses in ((net, data["loss"]), (linear, data["linear"])):
        close(torch.tensor(example.train(f, data["x"], data["y"], steps=12, batch=8)), losses)


def test_function_space() -> None:
    pytest.importorskip("scipy")
    example, data = script("function_space"), reference("function_space")
    net = loaded(example.network(8, 64, 3), data)
    x, y, other, steps = data["x"], data["y"], data["other"], data["times"]
    flow, time = example.squares(net, x, y)
    close(flow.predict(x, steps * time), data["squares_train"])
    close(flow.predict(other, steps * time), data["squares_test"])
    flow, time = example.inertia(net, x, y, lr=0.1, beta=0.9)
    close(flow.predict(x, steps * time), data["heavy_train"])
    close(flow.predict(other, steps * time), data["heavy_test"])
    flow = example.entropy(net, x, y)
    close(flow.predict(x, steps), data["entropy_train"])
    close(flow.predict(other, steps), data["entropy_test"])


def test_empirical_ntk() -> None:
    example, data = script("empirical_ntk"), reference("empirical_ntk")
    net = example.network(5, 4, 5).double()
    with torch.no_grad():
        for layer, key in ((net[0], "W0"), (net[2], "W1")):
            layer.weight.copy_(data[key])
        net[4].weight.copy_(data["W2"])
    for found in example.tangent_kernels(net, data["x"], data["other"]):
        close(found, data["ntk"])
    traced = data["nngp"].diagonal(dim1=-2, dim2=-1).mean(-1)
    close(example.output_kernel(net, data["x"], data["other"]), traced)


def test_bayesian_inference() -> None:
    example, data = script("bayesian_inference"), reference("bayesian_inference")
    x, y, other, net = data["x"], data["y"], data["other"], example.network()
    nngp, ntk = ntkit.nngp(net), ntkit.ntk(net)
    close(nngp(other), data["prior"])
    noise = 1e-4 * float(nngp.diag(x).mean())
    process = example.posterior(net, x, y, noise).predict(other)
    close(process.mean, data["nngp_mean"])
    close(process.covariance, data["nngp_covariance"])
    close(process.mean, data["gp_mean"])
    close(process.covariance, data["gp_covariance"])
    all_networks = example.ensemble(net, x, y, 1e-4 * float(ntk.diag(x).mean()))
    end = all_networks.predict(other, [float("inf")])
    close(end.mean[0], data["ntk_mean"])
    close(end.covariance[0], data["ntk_covariance"])
    times = (data["times"] / y.numel()).tolist()
    early = all_networks.predict(other, times)
    close(early.mean, data["early_mean"])
    close(early.covariance, data["early_covariance"])
    close(example.expected_loss(all_networks, x, y, times), data["train_loss"])
    largest = ntkit.GradientDescent(ntk, x, y, lr=1e-3).stability_limit
    close(torch.tensor(largest * y.numel()), data["rate"])


def test_early_stopping() -> None:
    """The same predictions at given times; and the best of them is no better than the moment found."""
    example, data = script("early_stopping"), reference("early_stopping")
    flow = example.over_time(example.network(3), data["x"], data["y"])
    found = flow.predict(data["other"], data["times"] / data["y"].numel())
    close(found, data["mean"])
    truth = (2 * data["other"][:, :1]).sin()
    errors = (found - truth).square().mean((1, 2))
    assert flow.best_time(data["other"], truth).error <= float(errors.min())


def test_ensembling() -> None:
    """Means of wide networks are within their standard errors of those of infinite ones."""
    example, generator = script("ensembling"), torch.Generator().manual_seed(0)
    x = torch.tensor([[-1.0], [1.0]]).double()
    y, other, net = x.sin(), torch.tensor([[0.3], [2.0]]).double(), example.network(8)
    nets = example.trained(
        lambda: example.network(128, generator), x, y, members=100, lr=0.1, steps=100
    )(other)[..., 0]
    exact = ntkit.Ensemble(ntkit.nngp(net), ntkit.ntk(net), x, y).predict(other, [10.0])
    error = exact.deviation[0, :, 0] / 10
    assert ((nets.mean(0) - exact.mean[0, :, 0]).abs() < 4 * error).all()
    ratio = nets.std(0) / exact.deviation[0, :, 0]
    assert ((ratio > 0.75) & (ratio < 1.3)).all()


def test_every_script_has_its_test() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} == set(SCRIPTS)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_run_as_they_stand(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    script(name).main()
    assert capsys.readouterr().out
