"""Compiled loops against the same kernels pass by pass, in every case that they take."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ntkit import nngp, ntk
from ntkit.kernels.infinite.loops import available
from ntkit.networks import Conv1d, Conv2d, Conv3d, Linear

pytest.importorskip("numba", reason="numba is the extra `fast`")
loops = import_module("ntkit.kernels.infinite.loops.entries")

CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "2-D, flattened": (lambda: images(nn.Flatten(), Linear(8 * 35, 1, bias=False)), (2, 5, 7)),
    "2-D, pooled": (lambda: images(*pooled(2)), (2, 5, 7)),
    "1-D": (
        lambda: nn.Sequential(
            Conv1d(2, 8, 3, padding=1), nn.ReLU(), Conv1d(8, 8, 5, padding=2), nn.ReLU(), *pooled(1)
        ),
        (2, 9),
    ),
    "3-D": (
        lambda: nn.Sequential(
            Conv3d(2, 8, 3, padding=1), nn.ReLU(), Conv3d(8, 8, 3, padding=1), nn.ReLU(), *pooled(3)
        ),
        (2, 3, 4, 2),
    ),
    "3-D, flattened": (
        lambda: nn.Sequential(
            Conv3d(2, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), Linear(8 * 24, 1)
        ),
        (2, 3, 4, 2),
    ),
    "kernels of several sizes": (
        lambda: nn.Sequential(
            Conv2d(2, 8, (3, 1), padding=(1, 0)),
            nn.LeakyReLU(0.3),
            Conv2d(8, 8, (5, 7), padding=(2, 3)),
            nn.ReLU(),
            Conv2d(8, 8, 1),
            nn.ReLU(),
            *pooled(2),
        ),
        (2, 4, 6),
    ),
    "kernels of even size": (
        lambda: nn.Sequential(Conv2d(2, 8, 2, padding="same"), nn.ReLU(), *pooled(2)),
        (2, 4, 3),
    ),
    "a window wider than the image": (
        lambda: nn.Sequential(Conv2d(2, 8, 9, padding=4), nn.ReLU(), *pooled(2)),
        (2, 3, 2),
    ),
    "dilation": (
        lambda: nn.Sequential(Conv2d(2, 8, 3, padding=2, dilation=2), nn.ReLU(), *pooled(2)),
        (2, 5, 4),
    ),
    "strides and circles between": (
        lambda: nn.Sequential(
            Conv2d(2, 8, 3, padding=1, padding_mode="circular"),
            nn.ReLU(),
            Conv2d(8, 8, 3, padding=1),
            nn.ReLU(),
            Conv2d(8, 8, 3, stride=2),
            nn.ReLU(),
            *pooled(2),
        ),
        (2, 6, 5),
    ),
    "the standard parametrisation": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 8, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1, groups=2),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, 1),
        ),
        (2, 5, 4),
    ),
    "frozen weights": (lambda: frozen(images(*pooled(2))), (2, 4, 5)),
    "other activations between": (
        lambda: nn.Sequential(
            Conv2d(2, 8, 3, padding=1),
            nn.ReLU(),
            Conv2d(8, 8, 3, padding=1),
            nn.GELU(),
            Conv2d(8, 8, 3, padding=1),
            nn.ReLU(),
            *pooled(2),
        ),
        (2, 4, 4),
    ),
    "residual": (lambda: Residual(), (2, 4, 5)),
    "several outputs": (lambda: Several(), (2, 4, 5)),
}


def images(*head: nn.Module) -> nn.Sequential:
    return nn.Sequential(
        Conv2d(2, 8, 3, padding=1, w_std=1.3, b_std=0.4),
        nn.ReLU(),
        Conv2d(8, 8, 3, padding=1, w_std=1.3, b_std=0.4),
        nn.ReLU(),
        Conv2d(8, 8, 3, padding=1, bias=False, w_std=1.3),
        nn.ReLU(),
        *head,
    )


def pooled(axes: int) -> tuple[nn.Module, ...]:
    pool = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)[axes - 1]
    return pool(1), nn.Flatten(), Linear(8, 1)


def frozen(net: nn.Sequential) -> nn.Sequential:
    net[2].weight.requires_grad_(False)
    net[4].requires_grad_(False)
    return net


class Residual(nn.Module):
    """A stem, and a block whose shortcut is taken before the nonlinearity."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Conv2d(2, 8, 3, padding=1)
        self.block = nn.Sequential(
            nn.ReLU(), Conv2d(8, 8, 3, padding=1), nn.ReLU(), Conv2d(8, 8, 3, padding=1)
        )
        self.head = nn.Sequential(nn.ReLU(), *pooled(2))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.head(x + self.block(x))


class Several(nn.Module):
    """What is within a chain for one output is asked for by another."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(Conv2d(2, 8, 3, padding=1), nn.ReLU())
        self.second = nn.Sequential(Conv2d(8, 8, 3, padding=1), nn.ReLU())
        self.early, self.late = nn.Sequential(*pooled(2)), nn.Sequential(*pooled(2))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.first(x)
        return self.early(x), self.late(self.second(x))


@contextmanager
def worth(entries: int) -> Iterator[None]:
    """Compiled loops from so many entries."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(available, "_WORTH", entries)
        yield


def both(call: Callable[[], Any]) -> tuple[Any, Any]:
    """By compiled loops, and without them."""
    with worth(0):
        quick = call()
    with worth(10**18):
        return quick, call()


def points(n: int, shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(n)).to(dtype)


@pytest.mark.parametrize("make", [ntk, nngp])
@pytest.mark.parametrize("name", CASES)
def test_convolutions(name: str, make: Any) -> None:
    network, shape = CASES[name]
    kernel, x1, x2 = make(network()), points(5, shape), points(3, shape)
    x1[1] = x1[0]  # and points that are parallel, opposite and zero
    x1[2], x1[3], x1[4] = 2 * x1[0], -x1[0], 0
    for call in (lambda: kernel(x1), lambda: kernel(x1, x2)):
        quick, plain = both(call)
        for one, other in zip(
            *(k if isinstance(k, tuple) else (k,) for k in (quick, plain)), strict=True
        ):
            assert torch.allclose(one, other, rtol=1e-13, atol=1e-13)


def test_convolutions_of_float32() -> None:
    network, shape = CASES["2-D, pooled"]
    kernel, x = ntk(network()), points(6, shape, torch.float32)
    quick, plain = both(lambda: kernel(x))
    assert quick.dtype == torch.float32
    assert torch.allclose(quick, plain, rtol=1e-6)


def test_pairs_of_positions_of_the_output() -> None:
    net = nn.Sequential(Conv2d(2, 8, 3, padding=1), nn.ReLU(), Conv2d(8, 1, 3, padding=1))
    kernel, x = ntk(net, positions="pairs"), points(4, (2, 3, 5))
    quick, plain = both(lambda: kernel(x))
    assert quick.shape == (4, 4, 3, 5, 3, 5)
    assert torch.allclose(quick, plain, rtol=1e-13)


class Recorder:
    """The loops, and the names of those that were taken."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.taken.add(name)
        return getattr(loops, name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("2-D, pooled", {"chain"}),
        ("2-D, flattened", {"window_sums", "piecewise_linear"}),
        ("1-D", {"chain"}),
        ("3-D", {"window_sums", "piecewise_linear"}),
        ("strides and circles between", {"chain", "piecewise_linear"}),
        ("other activations between", {"chain", "window_sums"}),
    ],
)
def test_the_loops_are_taken(
    monkeypatch: pytest.MonkeyPatch, name: str, expected: set[str]
) -> None:
    recorder = Recorder()
    monkeypatch.setattr(available, "_loaded", lambda: recorder)
    network, shape = CASES[name]
    with worth(0):
        ntk(network())(points(3, shape))
    assert expected <= recorder.taken


def test_the_loops_of_the_angle_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    monkeypatch.setattr(available, "_loaded", lambda: recorder)
    layers = [m for _ in range(3) for m in (Linear(7, 7, bias=False), nn.LeakyReLU(0.1))]
    with worth(0):
        ntk(nn.Sequential(*layers, Linear(7, 1, bias=False)))(points(300, (7,)))
    assert "profile" in recorder.taken


def test_gradients_go_by_plain_passes() -> None:
    network, shape = CASES["2-D, pooled"]
    kernel = ntk(network())

    def gradient() -> Tensor:
        x = points(3, shape).requires_grad_()
        return torch.autograd.grad(kernel(x).sum(), x)[0]

    quick, plain = both(gradient)
    assert torch.equal(quick, plain)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("depth", [1, 3, 12])
@pytest.mark.parametrize("lengths", ["one", "many"])
def test_functions_of_the_angle(depth: int, dtype: torch.dtype, lengths: str) -> None:
    layers = [m for _ in range(depth) for m in (Linear(7, 7, bias=False), nn.LeakyReLU(0.1))]
    kernel = ntk(nn.Sequential(*layers, Linear(7, 1, bias=False)))
    x = points(700, (7,), dtype)
    if lengths == "one":
        x = x / x.norm(dim=1, keepdim=True)
    x[3], x[5], x[650] = x[2], -x[4], x[8] + 1e-7 * x[9]
    others = points(300, (7,), dtype)
    if lengths == "one":
        others = others / others.norm(dim=1, keepdim=True)
    tolerance = 2e-13 if dtype == torch.float64 else 3e-7
    for call in (lambda: kernel(x), lambda: kernel(x, others), lambda: kernel(others[:, :])):
        quick, plain = both(call)
        assert float(((quick - plain) / plain.abs().max()).abs().max()) < tolerance
    square = both(lambda: kernel(x))[0]
    assert torch.equal(square, square.T)


def test_polynomials_of_high_degree_go_by_plain_passes() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ntkit.kernels.infinite.loops.entries.DEGREES", ())
        quick, plain = both(
            lambda: ntk(nn.Sequential(Linear(5, 8), nn.ReLU(), Linear(8, 1)))(points(200, (5,)))
        )
    assert torch.allclose(quick, plain, rtol=1e-13)


@pytest.mark.parametrize(("dtype", "digits"), [(np.float64, 4e-16), (np.float32, 3e-7)])
def test_angles(dtype: Any, digits: float) -> None:
    """The arc cosine of the loops, near both ends too: a polynomial of degree 1 in it is it."""
    ends = np.logspace(-15, -1, 200)
    cosines = np.concatenate([np.linspace(-1, 1, 1001), 1 - ends, ends - 1]).astype(dtype)[None]
    coefficients = np.zeros(9, dtype)
    coefficients[-2] = 1
    out, ones = np.empty_like(cosines), np.ones(cosines.shape[1], dtype)
    constants = np.array([0, 1, np.pi / 2], dtype)
    loops.profile(8, True)(cosines, coefficients, constants, ones, ones, out, 0, 0)
    exact = np.arccos(cosines.astype(np.longdouble))
    assert np.all(np.abs(out - exact) <= digits * np.maximum(exact, np.finfo(dtype).tiny) * 2)


def test_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but speed depends on the extra."""
    network, shape = CASES["2-D, pooled"]
    kernel, x = ntk(network()), points(4, shape)
    expected = kernel(x)
    monkeypatch.setattr(available, "_loaded", lambda: None)
    with worth(0):
        assert torch.allclose(kernel(x), expected, rtol=1e-13)
