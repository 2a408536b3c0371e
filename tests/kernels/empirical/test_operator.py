"""Products without the matrix, by both ways, against the matrix."""

from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ntkit
from ntkit.kernels import EmpiricalKernel, Structured, empirical_ntk
from ntkit.kernels.empirical.batch import Batch
from ntkit.kernels.empirical.derivatives import DerivativeProducts
from ntkit.solvers.conjugate_gradients import conjugate_gradients
from ntkit.solvers.lanczos import lanczos
from tests.cases import randn
from tests.kernels.empirical import oracle
from tests.kernels.empirical.networks import NETWORKS, first, network
from tests.tolerances import assert_near


@pytest.fixture(params=["kept factors", "kept graphs", "blocks"])
def memory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Bytes with which each of the three ways is taken."""
    if request.param == "kept graphs":
        monkeypatch.setattr("ntkit.kernels.empirical.lazy.kept_bytes", lambda _: 2**60)
    return 1 if request.param == "blocks" else 2**30


def flat(full: Tensor) -> Tensor:
    return full.transpose(1, 2).flatten(2).flatten(0, 1)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_against_its_matrix(name: str, memory: int) -> None:
    net, x = network(name)
    whole = oracle.full(net, x)
    n, o = whole.shape[0], whole.shape[2]
    op = empirical_ntk(net, "full").operator(x, memory=memory)
    v = randn(n * o, 2)
    assert op.shape == (n * o, n * o)
    assert_near(op @ v, flat(whole) @ v, loosen=10)
    assert_near(op @ v[:, 0], flat(whole) @ v[:, 0], loosen=10)
    assert_near(op.diagonal(), flat(whole).diagonal())
    part = empirical_ntk(net, "full").operator(first(x, 2), x, memory=memory)
    assert_near(part @ v, flat(whole)[: 2 * o] @ v, loosen=10)
    assert_near(part.diagonal(), flat(whole).diagonal()[: 2 * o])
    mean = whole.diagonal(dim1=2, dim2=3).mean(-1)
    trace = empirical_ntk(net).operator(x, memory=memory)
    assert_near(trace @ v[:n], mean @ v[:n], loosen=10)
    assert_near(trace.diagonal(), mean.diagonal())
    last = empirical_ntk(net, -1).operator(x, memory=memory)
    assert_near(last @ v[:n], whole[..., -1, -1] @ v[:n], loosen=10)


def test_what_it_says_of_itself() -> None:
    net, x = network("mlp")
    kernel = empirical_ntk(net, "full")
    assert "factors of" in kernel.operator(x).about
    assert "1 samples at a time" in kernel.operator(x, memory=1).about
    assert kernel.operator(x).to(torch.float32).about == kernel.operator(x).about
    net, x = network("u-net")  # a transposed convolution has no rule
    assert "graphs kept" in empirical_ntk(net).operator(x).about


def test_graphs_take_the_memory_that_they_are_given() -> None:
    """Blocks of samples whose graphs fit; all samples at once where there is room."""
    net = nn.Sequential(nn.Linear(3, 100), nn.Tanh(), nn.Linear(100, 2)).double()
    x = randn(40, 3)
    for memory, blocks in ((10**7, 1), (30_000, 5)):
        target = empirical_ntk(net).target
        with target.evaluation():
            found = DerivativeProducts(target, Batch((x,), {}), Batch((x,), {}), [0, 1], memory)
        assert len(found._rows) >= blocks
        assert (len(found._rows) == 1) == (blocks == 1)


def test_blocks_do_not_depend_on_the_number_of_points() -> None:
    """A sample's share of the points is its own row, not all of them."""
    net = nn.Sequential(nn.Linear(30, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    kernel = empirical_ntk(net, "full")
    said = {kernel.operator(randn(n, 30), memory=2**13).about for n in (50, 500)}
    assert len(said) == 1
    assert "samples at a time" in said.pop()


def test_the_operator_stays_as_it_was_made(memory: int) -> None:
    """When the module is trained further."""
    net, x = network("resnet")
    kernel = empirical_ntk(net)
    expected = oracle.trace(net, x)
    op = kernel.operator(x, memory=memory)
    with torch.no_grad():
        for p in net.parameters():
            p *= 2
        for name, buffer in net.named_buffers():
            if name.endswith("var"):
                buffer *= 2
    assert_near(op @ torch.eye(3), expected, loosen=10)
    assert_near(op.diagonal(), expected.diagonal())
    assert float((kernel(x) - expected).abs().max()) > 1e-3


def test_float32_and_bfloat16(memory: int) -> None:
    for dtype, bound in ((torch.float32, 1e-5), (torch.bfloat16, 0.05)):
        net, x = network("vision transformer", dtype)
        exact, _ = network("vision transformer")
        exact.load_state_dict({k: t.double() for k, t in net.state_dict().items()})
        expected = flat(oracle.full(exact, x.double()))
        found = empirical_ntk(net, "full").operator(x, memory=memory).dense()
        assert found.dtype == torch.float64
        assert float((found - expected).norm() / expected.norm()) < bound


def test_gram_gives_it_when_asked_to_be_lazy() -> None:
    net, x = network("mlp")
    kernel = empirical_ntk(net)
    assert ntkit.gram(kernel, x).kind == "dense"
    for op in (
        ntkit.gram(kernel, x, lazy=True),
        ntkit.gram(kernel, x, structure="matrix-free"),
        ntkit.gram(kernel, x, lazy=True, structure="tiled"),
    ):
        assert_near(op.dense(), kernel(x), loosen=10)
    whole = empirical_ntk(net, "full")
    assert ntkit.gram(whole, x, x[:2], lazy=True).shape == (12, 6)
    assert_near(ntkit.gram(whole, x).dense(), flat(whole(x)))
    assert_near(ntkit.gram(whole, x[:2], x).dense(), flat(whole(x[:2], x)))
    assert ntkit.gram(kernel, ntkit.Grid((2, 2, 3)), lazy=True).kind == "matrix-free"
    assert ntkit.gram(ntkit.kernels.RBF(0.1), ntkit.Grid(9), lazy=True).kind == "toeplitz"
    assert ntkit.gram(ntkit.kernels.RBF(0.1), x, lazy=True).kind == "tiled"


def test_large_matrices_are_lazy_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    net, x = network("mlp")
    monkeypatch.setattr(import_module("ntkit.kernels.gram"), "DENSE_BYTES", 8 * 100)
    assert ntkit.gram(empirical_ntk(net), x).kind == "dense"
    assert ntkit.gram(empirical_ntk(net, "full"), x).kind == "matrix-free"


def test_points_that_are_no_single_tensor() -> None:
    net, x = network("language model")
    kernel = empirical_ntk(net)
    assert_near(ntkit.gram(kernel, x).dense(), oracle.trace(net, x))
    assert_near(ntkit.gram(kernel, x, lazy=True).dense(), oracle.trace(net, x), loosen=10)
    with pytest.raises(ValueError, match=r'"tiled"` needs one tensor of points'):
        ntkit.gram(kernel, x, structure="tiled")


def test_structures_that_do_not_hold() -> None:
    net, x = network("mlp")
    with pytest.raises(ValueError, match=r"one number for a pair"):
        ntkit.gram(empirical_ntk(net, "full"), x, structure="tiled")
    with pytest.raises(ValueError, match=r'"dense"` needs `lazy=False`'):
        ntkit.gram(empirical_ntk(net), x, structure="dense", lazy=True)
    with pytest.raises(ValueError, match=r'"matrix-free"` needs a kernel with products of its own'):
        ntkit.gram(ntkit.kernels.RBF(0.1), x, structure="matrix-free")


def test_no_second_derivative() -> None:
    """torch itself leaves that part out of the product without a word."""

    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return 2 * x

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx: Any, g: Tensor) -> Tensor:
            return 2 * g

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2).double()

        def forward(self, x: Tensor) -> Tensor:
            y = self.layer(x)
            return y + Once.apply(y)

    net = Net()
    assert_near(empirical_ntk(net).operator(randn(4, 3)).dense(), oracle.trace(net, randn(4, 3)))
    with pytest.raises(NotImplementedError, match=r"no second derivative.*structure="):
        empirical_ntk(net).operator(randn(4, 3), memory=1).dense()


def test_gradients_that_are_zero_whatever_comes_back() -> None:
    """Behind `torch.sign` they are no function of it; the products are those of the other layers."""

    class Signs(nn.Module):
        def __init__(self, *, heads: bool) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(3, 4), nn.Linear(4, 2)
            self.b.requires_grad_(heads)

        def forward(self, x: Tensor) -> Tensor:
            return self.b(torch.sign(self.a(x)))

    x = randn(4, 3)
    for heads in (True, False):
        net = Signs(heads=heads).double()
        op = empirical_ntk(net).operator(x, memory=1)
        assert_near(op.dense(), oracle.trace(net, x))


def test_a_backward_pass_that_detaches() -> None:
    class Detached(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return 2 * x

        @staticmethod
        def backward(ctx: Any, g: Tensor) -> Tensor:
            return 2 * g.detach()

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2).double()

        def forward(self, x: Tensor) -> Tensor:
            return Detached.apply(self.layer(x))

    with pytest.raises(NotImplementedError, match=r"detaches gradients.*structure="):
        empirical_ntk(Net()).operator(randn(4, 3), memory=1).dense()


# ------------------------------------------------------------------ in solvers


def problem() -> tuple[EmpiricalKernel, Tensor, Tensor]:
    net = nn.Sequential(nn.Linear(3, 20), nn.Tanh(), nn.Linear(20, 2)).double()
    x = randn(30, 3)
    return empirical_ntk(net, "full", method=Structured()), x, flat(oracle.full(net, x))


@pytest.mark.parametrize("memory", [2**30], ids=["kept factors"])
def test_lanczos_and_conjugate_gradients(memory: int) -> None:
    kernel, x, matrix = problem()
    op = kernel.operator(x, memory=memory)
    pairs = lanczos(op, steps=40, start=randn(60))
    expected = torch.linalg.eigvalsh(matrix).flip(0)
    assert_near(pairs.values[:8], expected[:8], loosen=100)
    b = matrix @ randn(60, 2)
    found = conjugate_gradients(op, b.T, tolerance=1e-8, max_iterations=400)
    assert found.converged


def test_gradient_flow_through_products_alone() -> None:
    kernel, x, _ = problem()
    scalar = empirical_ntk(kernel.target.module)
    y = torch.sin(3 * x[:, 0])
    times = [0.0, 0.5, 5.0]
    lazy = ntkit.GradientFlow(scalar, x, y, structure="matrix-free")
    dense = ntkit.GradientFlow(scalar, x, y, structure="dense")
    assert (lazy.kind, dense.kind) == ("matrix-free", "dense")
    probe = randn(4, 3, seed=2)
    torch.testing.assert_close(
        lazy.predict(probe, times), dense.predict(probe, times), rtol=1e-6, atol=1e-7
    )
