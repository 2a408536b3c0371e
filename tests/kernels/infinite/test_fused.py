"""What a GPU computes in one pass: the same digits as operation by operation, and these where nothing can be compiled."""

import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ntkit import nngp, ntk
from ntkit.kernels.infinite.back import angle_tiles, by_cosine, fused
from ntkit.kernels.infinite.back.fused import Fused, is_worth_fusing
from ntkit.networks import Linear
from tests.cases import randn, seeded

N = 150

Kernel = Callable[[nn.Module], Callable[..., Tensor]]


def network(depth: int, act: nn.Module, *, bias: bool) -> nn.Sequential:
    draw, layers = seeded(), list[nn.Module]()
    for k in range(depth):
        fan_in = 5 if k == 0 else 8
        layers += [Linear(fan_in, 8, bias, w_std=1.4, b_std=0.3, generator=draw), act]
    return nn.Sequential(*layers, Linear(8, 1, bias, generator=draw)).double()


def points() -> Tensor:
    """Of several lengths; some at zero, equal, opposite, multiples, and close."""
    x = randn(N, 5)
    x[0], x[1], x[2], x[3] = 0, x[4], -x[4], 2 * x[4]
    for k in range(1, 13):
        x[20 + k] = x[40] + 10.0**-k * randn(5, seed=k)
        x[60 + k] = -x[40] + 10.0**-k * randn(5, seed=k)
    return x


WITH_BIASES = network(3, nn.ReLU(), bias=True)
CASES = [
    pytest.param(ntk, network(3, nn.ReLU(), bias=False), id="by angle"),
    pytest.param(ntk, network(10, nn.ReLU(), bias=False), id="by angle, deep"),
    pytest.param(ntk, WITH_BIASES, id="by cosine"),
    pytest.param(nngp, network(1, nn.LeakyReLU(0.2), bias=True), id="by cosine, shallow"),
]


@pytest.fixture
def fuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this were a GPU."""
    for module in (fused, angle_tiles, by_cosine):
        monkeypatch.setattr(module, "is_worth_fusing", lambda _: True)
    monkeypatch.setattr(angle_tiles, "loops_for", lambda *_: None)
    monkeypatch.setattr(angle_tiles, "_BY_ANGLE", Fused(angle_tiles._by_angle))


def agrees(make: Kernel, net: nn.Module, tolerance: float) -> None:
    """Fused values against those of another kernel object, that were computed before."""
    x, y = points(), randn(40, 5, seed=9)
    with pytest.MonkeyPatch.context() as plain:
        for module in (fused, angle_tiles, by_cosine):
            plain.setattr(module, "is_worth_fusing", lambda _: False)
        expected = make(net)(x), make(net)(x, y), make(net)(x.float())
    kernel = make(net)
    for found, exact in zip((kernel(x), kernel(x, y)), expected, strict=False):
        scale = exact.diagonal().abs().max()
        assert (found - exact).abs().max() <= tolerance * scale
    assert torch.equal(kernel(x), kernel(x).T)
    single = kernel(x.float())
    assert (single - expected[2]).abs().max() <= 2e-6 * expected[2].abs().max()


@pytest.mark.usefixtures("fuses")
@pytest.mark.parametrize(("make", "net"), CASES)
def test_the_functions_are_the_route(make: Kernel, net: nn.Module, monkeypatch: Any) -> None:
    """As they are written."""
    calls: list[Any] = []

    def noted(function: Callable[..., Any]) -> Callable[..., Any]:
        calls.append(function)
        return function

    monkeypatch.setattr(fused, "_compiled", noted)
    agrees(make, net, 1e-13)  # one polynomial of the angle, or several of the cosine
    assert calls


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of what torch loads
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
@pytest.mark.usefixtures("fuses")
@pytest.mark.parametrize(("make", "net"), CASES[1:3])
def test_compiled_they_have_the_same_digits(
    make: Kernel, net: nn.Module, monkeypatch: Any, request: pytest.FixtureRequest
) -> None:
    """By the back end of torch for processors: its operations are those of the one for GPUs."""
    if request.config.getoption("--jaxtyping-packages"):  # torch compiles no checked annotations
        itself = f"{__file__}::{request.node.name}"
        command = [sys.executable, "-m", "pytest", "-m", "slow", "-p", "no:cacheprovider", itself]
        subprocess.run(command, cwd=request.config.rootpath, check=True)
        return
    failed: list[Any] = []
    monkeypatch.setattr(fused._LOG, "info", lambda *words: failed.append(words))
    agrees(make, net, 1e-13)
    assert not failed


@pytest.mark.usefixtures("fuses")
def test_what_cannot_be_compiled_runs_as_it_is_written(monkeypatch, caplog) -> None:
    def refused(*_: Any) -> Any:
        raise RuntimeError("no compiler\nhere\nin many lines")

    monkeypatch.setattr(fused, "_compiled", lambda _: refused)
    with caplog.at_level("INFO"):
        agrees(ntk, WITH_BIASES, 1e-13)
    assert {record.getMessage() for record in caplog.records} == {"Not compiled: no compiler here"}


@pytest.mark.usefixtures("fuses")
def test_no_memory_is_an_error(monkeypatch) -> None:
    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(fused, "_compiled", lambda _: full)
    with pytest.raises(torch.OutOfMemoryError, match="full"):
        Fused(torch.sin)(torch.ones(3))


def test_a_processor_runs_functions_as_they_are() -> None:
    table = torch.empty(2**21, device="meta")
    assert not is_worth_fusing(table)
    assert not is_worth_fusing(torch.empty(2**21))


def test_a_kernel_that_was_fused_travels() -> None:
    assert pickle.loads(pickle.dumps(Fused(torch.sin)))(torch.zeros(1)) == 0
