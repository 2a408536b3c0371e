"""Tiles computed anywhere make the same matrix."""

import pickle
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import torch

import ntkit
from ntkit._core.executor import Threads
from ntkit.kernels import RBF, gram
from ntkit.operators import TiledOperator
from ntkit.solvers import solve
from tests.tolerances import assert_near

X = torch.rand(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
Y = torch.rand(31, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
KERNEL = RBF(0.3)


class Elsewhere:
    """Another process, as far as work can tell: all that goes there and comes back is pickled."""

    shares_memory = False

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def share(self, value: Any) -> bytes:
        self.sent.append(value)
        return pickle.dumps(value)

    def map(self, work: Callable[..., Any], items: Iterable[Any], *shared: bytes) -> Iterator[Any]:
        for item in items:
            call, at = pickle.loads(pickle.dumps((work, item)))
            with torch.no_grad():
                found = call(at, *map(pickle.loads, shared))
            yield pickle.loads(pickle.dumps(found))


EXECUTORS = pytest.mark.parametrize(
    "make", [lambda: Threads(1), lambda: Threads(2), Elsewhere], ids=["one", "two", "elsewhere"]
)


@EXECUTORS
@pytest.mark.parametrize("tile_bytes", [8 * 100, 8 * 400])
def test_products_entries_and_columns_are_those_of_the_matrix(
    make: Callable, tile_bytes: int
) -> None:
    v = torch.randn(50, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    for others in (X, Y):
        op = TiledOperator(KERNEL, X, others, tile_bytes=tile_bytes, executor=make())
        matrix = KERNEL(X, None if others is X else Y)
        assert_near(op @ v[: len(others)], matrix @ v[: len(others)])
        assert_near(op.dense(), matrix)
        index = torch.tensor([5, 0, 23])
        assert_near(op.columns(index), matrix[:, index])


def test_the_source_is_sent_once() -> None:
    executor = Elsewhere()
    op = gram(KERNEL, X, executor=executor)
    for _ in range(3):
        op @ X
    op.to(torch.float32) @ X
    assert sum(isinstance(value, tuple) for value in executor.sent) == 1


@EXECUTORS
def test_solvers_spectra_and_flows_take_it(make: Callable) -> None:
    executor = make()
    op, y = gram(KERNEL, X, executor=executor), X.sin()
    assert op.kind == "tiled"
    plain = gram(KERNEL, X)
    found = solve(op, y, ridge=0.1)
    assert_near(found.x, solve(plain, y, ridge=0.1).x, loosen=1e4)  # solved to 1e-8
    top = ntkit.spectrum(op, k=5, method="top-k").eigenvalues
    assert_near(top, ntkit.spectrum(plain, k=5).eigenvalues, loosen=100)
    flow = ntkit.GradientFlow(KERNEL, X, y, executor=executor)
    whole = ntkit.GradientFlow(KERNEL, X, y, structure="dense")
    times = [0.5, 3.0]
    assert flow.kind == "tiled"
    assert_near(flow.predict(Y, times), whole.predict(Y, times), loosen=1e4)  # to 1e-8 too


def test_what_is_computed_elsewhere_is_not_stored_here() -> None:
    found = solve(gram(KERNEL, X, executor=Elsewhere()), X.sin(), ridge=0.1)
    assert found.method == "cg, pivoted cholesky"
    assert "executor" in found.why


def test_gradients_do_not_come_back_from_elsewhere() -> None:
    scale = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    op = gram(RBF(scale), X, executor=Elsewhere())
    with pytest.raises(ValueError, match="Leave `executor` out"):
        op @ X
    with pytest.raises(ValueError, match="Gradients of a product"):
        gram(KERNEL, X, executor=Elsewhere()) @ X.clone().requires_grad_()
    with torch.no_grad():
        assert_near(op @ X, KERNEL(X) @ X)
    (gram(RBF(scale), X, executor=Threads(2)) @ X).sum().backward()
    assert scale.grad is not None
    other = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    (RBF(other)(X) @ X).sum().backward()
    assert other.grad is not None
    assert_near(scale.grad, other.grad)


def test_other_structures_are_refused() -> None:
    with pytest.raises(ValueError, match='`structure="dense"` needs no `executor`'):
        gram(KERNEL, X, structure="dense", executor=Threads(2))
    net = ntkit.networks.mlp(ntkit.encodings.Basic(2), 2, width=8, depth=1).double()
    full = ntkit.empirical_ntk(net, outputs="full")
    with pytest.raises(ValueError, match='`structure="tiled"` needs one tensor of points'):
        gram(full, X, structure="tiled", executor=Threads(2))
    assert_near(gram(full, X, executor=Threads(2)).dense(), gram(full, X).dense())
    traced = ntkit.empirical_ntk(net)
    assert_near(gram(traced, X, executor=Threads(2)) @ X, traced(X) @ X)
