"""Every forward rule that is trusted, against nested reverse mode, and against values alone."""

from math import factorial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ntkit._core.backward_graph import walk
from ntkit.dynamics.forward_mode import forward_terms, plain_kernels
from ntkit.dynamics.forward_rules import TESTED, TESTED_ONCE, untested
from ntkit.dynamics.nested_reverse import reverse_terms
from ntkit.dynamics.plain_formulas import PlainFormulas
from tests.cases import randn
from tests.dynamics.forward_rows import KINKED, ROWS

pytestmark = pytest.mark.slow


ALONG = randn(4, 6, seed=1) / 5
OF_FULL_RANK = {"lstsq", "pinv"}  # where the rank falls, as at the ties, they have no derivative
POINTS = {
    "ordinary": randn(4, 6),
    "ties": torch.tensor([
        [0.0, 0, 0, 0, 0, 0],
        [1, 0, -1, 2, 1, 0],
        [2, 2, 2, 2, 2, 2],
        [-1, -1, 0, 0, 1, 1],
    ]).double(),
    "edges": torch.tensor([
        [0.0, 0.5, 1, -0.5, 3, -3],
        [6, -1, 1, 0.1, 0, 0],
        [1, 1, 1, 1, 1, 1],
        [-1, 2, 0, 0, 2, -1],
    ]).double(),
}


def seeded_row(name: str, q: Tensor) -> Tensor:
    """A row with the same dropout mask each time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ROWS[name](q)


def derivatives(name: str, at: Tensor, order: int, *, is_reverse: bool) -> list[Tensor]:
    """Terms, and the gradient of a random combination of them by the direction."""
    along = ALONG.clone().requires_grad_()
    way = reverse_terms if is_reverse else forward_terms
    with plain_kernels(nn.Identity()), PlainFormulas(order, is_reverse=is_reverse):
        terms, _ = way(
            lambda p: ({0: seeded_row(name, p["p"])}, ()), {"p": at}, {"p": along}, order
        )
        found = [term[0] for term in terms]
        total = sum((randn(*t.shape, seed=k) * t).sum() for k, t in enumerate(found))
        if not torch.as_tensor(total).requires_grad:
            return [*found, torch.zeros_like(along)]
        (gradient,) = torch.autograd.grad(total, along, allow_unused=True)
    return [*found, torch.zeros_like(along) if gradient is None else gradient]


@pytest.mark.parametrize("name", ROWS)
def test_forward_derivatives_are_those_of_backward_passes(name: str) -> None:
    """At ordinary points and at zeros, ties and edges; undefined at the same places."""
    highest = 3 if name in KINKED else 2  # the others are compared with their values to the third
    for order, points in ((highest, ["ordinary"]), (2, ["ties", "edges"]), (1, ["ordinary"])):
        for place in points:
            if place == "ties" and name in OF_FULL_RANK:
                continue
            at = POINTS[place]
            try:
                expected = derivatives(name, at, order, is_reverse=True)
            except torch.linalg.LinAlgError:
                continue  # of a singular matrix there is none
            found = derivatives(name, at, order, is_reverse=False)
            for a, b in zip(found, expected, strict=True):
                torch.testing.assert_close(
                    a, b, rtol=1e-9, atol=1e-9, equal_nan=True, msg=f"{name}, {place}, {order}"
                )


@pytest.mark.parametrize("name", [name for name in ROWS if name not in KINKED])
def test_forward_derivatives_are_those_of_the_values(name: str) -> None:
    """The polynomial through 15 values, within and behind smooth functions."""

    def function(q: Tensor) -> Tensor:
        return seeded_row(name, 1.3 * q.sin() + 0.1).tanh()

    at, radius, degree = POINTS["ordinary"], 0.1, 14
    nodes = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
    with plain_kernels(nn.Identity()), PlainFormulas(3):
        values = np.stack([function(at + radius * s * ALONG).numpy().ravel() for s in nodes])
        terms, _ = forward_terms(lambda p: ({0: function(p["p"])}, ()), {"p": at}, {"p": ALONG}, 3)
    table = np.polynomial.polynomial.polyfit(nodes, values, degree)
    for k, term in enumerate(terms):
        found, expected = term[0].flatten() / factorial(k), torch.from_numpy(table[k]) / radius**k
        off = float((found - expected).abs().max()) / max(1e-2, float(expected.abs().max()))
        assert off < 1e-12 * 100**k, k


def nodes_of(name: str, order: int) -> set[str]:
    at = POINTS["ordinary"].clone().requires_grad_()
    with plain_kernels(nn.Identity()), PlainFormulas(order):
        return {node.name() for node in walk([seeded_row(name, at).grad_fn])}


def test_each_rule_that_is_trusted_has_a_row() -> None:
    assert set().union(*(nodes_of(name, 3) for name in ROWS)) == TESTED
    assert set().union(*(nodes_of(name, 1) for name in ROWS)) <= TESTED | TESTED_ONCE


def test_what_has_no_row_is_not_trusted() -> None:
    p = randn(3, 3).requires_grad_()
    wrong = [torch.cholesky_inverse, torch.linalg.slogdet, lambda q: q.cumprod(0), torch.linalg.det]
    for function in wrong:
        found = function(p)
        found = found[1] if isinstance(found, tuple) else found
        assert untested(walk([found.grad_fn]), 1) is not None
