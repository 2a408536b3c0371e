"""Results larger than memory: into a tensor, into an array, tile by tile, and what stops on the way."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ntkit import ntk
from ntkit._core.memory import numpy_dtype
from ntkit.kernels.infinite.back import interpreter
from ntkit.networks import Conv1d, Linear
from tests.cases import randn
from tests.tolerances import assert_near

# Some of the networks end in a nonlinearity, on purpose: their matrices are of hidden units.
pytestmark = pytest.mark.filterwarnings("ignore:.*comes after the last layer with weights")


def dense(*, bias: bool) -> nn.Sequential:
    layers = [Linear(3, 4, bias=bias), nn.ReLU(), Linear(4, 4, bias=bias), nn.ReLU()]
    return nn.Sequential(*layers, Linear(4, 1, bias=bias))


def images() -> nn.Sequential:
    return nn.Sequential(Conv1d(1, 4, 2), nn.ReLU(), nn.AdaptiveAvgPool1d(1))


CASES = [
    pytest.param(dense(bias=False), randn(130, 3), id="by the angle"),
    pytest.param(dense(bias=True), randn(30, 3), id="layer by layer"),
    pytest.param(images(), randn(7, 1, 3), id="positions"),
]
SMALL = 2**13
"""Bytes that make many tiles of the cases."""


@pytest.mark.parametrize(("net", "x"), CASES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_into_an_array_on_disk(
    net: nn.Module, x: Tensor, dtype: torch.dtype, tmp_path: Path
) -> None:
    """The same as the plain call, read back from a file that NumPy maps."""
    kernel, x, path = ntk(net), x.to(dtype), tmp_path / "gram.npy"
    for other in (None, x[:-1] + 1):
        expected = kernel(x, other)
        kind = numpy_dtype(dtype)
        mapped = np.lib.format.open_memmap(path, "w+", kind, tuple(expected.shape))
        found = kernel(x, other, out=mapped, memory=SMALL)
        mapped.flush()
        assert torch.equal(found, torch.from_numpy(np.load(path)))
        assert_near(found, expected)


@pytest.mark.parametrize(("net", "x"), CASES)
def test_into_a_view_of_a_tensor(net: nn.Module, x: Tensor) -> None:
    kernel, n = ntk(net), len(x)
    expected = kernel(x)
    whole = torch.full((n + 2, 2 * n, *expected.shape[2:]), -1.0, dtype=x.dtype)
    view = whole[1:-1, :n]
    assert kernel(x, out=view, memory=SMALL) is view
    assert_near(view, expected)
    assert bool((whole[:, n:] == -1).all()) and bool((whole[[0, -1]] == -1).all())


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize(("net", "x"), CASES)
def test_an_interruption_leaves_the_threads_as_they_were(
    net: nn.Module, x: Tensor, n_threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel, done, calls = ntk(net), interpreter._done, 0

    def interrupted(tile, corner) -> int:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return done(tile, corner)

    threads = torch.get_num_threads()
    monkeypatch.setattr(interpreter, "_done", interrupted)
    try:
        torch.set_num_threads(n_threads)
        with pytest.raises(KeyboardInterrupt):
            kernel(2 * x, memory=SMALL)
        assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(threads)


def test_tables_stay_within_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more pairs at a time than the budget holds, and every pair once."""
    seen: list[int] = []
    done = interpreter._done

    def counted(tile, corner) -> int:
        seen.append(done(tile, corner))
        return seen[-1]

    monkeypatch.setattr(interpreter, "_done", counted)
    kernel, x = ntk(dense(bias=True)), randn(60, 3)
    kernel(x, x.clone(), memory=SMALL)
    assert sum(seen) == 60 * 60
    assert max(seen) <= SMALL // kernel.plan(x).bytes_per_pair


def test_the_bar_counts_every_pair(capsys: pytest.CaptureFixture[str]) -> None:
    kernel, x = ntk(dense(bias=True)), randn(20, 3)
    kernel(x, x.clone(), progress=True)
    assert "400/400" in capsys.readouterr().err
    kernel(x)
    kernel(x, progress=False)
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"out": torch.zeros(4, 5)}, ValueError, r"`out` has shape \(4, 5\), .* result \(5, 5\)"),
        ({"out": torch.zeros(5, 5)}, ValueError, "`out` is torch.float32 .* torch.float64"),
        (
            {"out": torch.zeros(5, 5, dtype=torch.float64, requires_grad=True)},
            ValueError,
            "`out` asks for gradients",
        ),
        ({"out": "gram.npy"}, ValueError, r"`out='gram.npy'` must end in \.zarr: .*open_memmap"),
        ({"out": [[0.0]]}, TypeError, "`out` must be a tensor, an array or the path .* got list"),
        ({"out": np.zeros((5, 5), np.float32)}, ValueError, "`out` is torch.float32"),
        ({"out": np.zeros((4, 5))}, ValueError, r"`out` has shape \(4, 5\)"),
        ({"out": np.broadcast_to(0.0, (5, 5))}, ValueError, "may not be written to"),
        ({"out": np.zeros((5, 5))[::-1]}, ValueError, "an array that no tensor can share"),
        ({"memory": 10}, ValueError, "`memory=10` is less than the 64 bytes that one pair"),
        ({"memory": 0}, ValueError, "`memory=0` must be at least 1"),
        ({"memory": 1e9}, TypeError, "`memory=1000000000.0` must be an int"),
    ],
)
def test_options_that_are_refused(unchecked, options, error, match: str) -> None:
    with pytest.raises(error, match=match):
        ntk(dense(bias=True))(randn(5, 3), **options)


def test_an_array_is_written_into() -> None:
    kernel, x, out = ntk(dense(bias=True)), randn(5, 3), np.zeros((5, 5))
    found = kernel(x, out=out)
    assert np.shares_memory(found.numpy(), out)
    assert torch.equal(torch.from_numpy(out), kernel(x))


def test_gradients_and_several_outputs_need_fresh_memory() -> None:
    x = randn(3, 3)
    with pytest.raises(ValueError, match=r"`out=` takes one matrix .*, and gradients are wanted"):
        ntk(dense(bias=True))(x.requires_grad_(), out=torch.empty(3, 3, dtype=x.dtype))

    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = Linear(3, 4)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            y = self.body(x)
            return y, torch.relu(y)

    with pytest.raises(ValueError, match="and the module has several outputs"):
        ntk(Two())(x.detach(), out=torch.empty(3, 3, dtype=x.dtype))
