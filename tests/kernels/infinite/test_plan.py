"""What is kept at each layer is decided from the graph, and no more than that is computed."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ntkit import ntk
from ntkit.kernels.infinite.program.plan import Plan
from ntkit.networks import Conv2d, Linear
from tests.cases import randn


def body() -> list[nn.Module]:
    return [Conv2d(2, 4, 3, padding=1), nn.ReLU(), Conv2d(4, 4, 3, padding=1), nn.ReLU()]


FLAT = nn.Sequential(*body(), nn.Flatten(), Linear(4 * 16, 1))
POOLED = nn.Sequential(*body(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), Linear(4, 1))


class Mixed(nn.Module):
    """One trunk, read by flattening and by pooling; and a branch of its own that is flattened."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.side = nn.Sequential(*body()), nn.Sequential(*body())
        self.first, self.second, self.third = Linear(64, 1), Linear(4, 1), Linear(64, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.trunk(x)
        pooled = self.second(y.mean((2, 3)))
        return self.first(y.flatten(1)) + pooled + self.third(self.side(x).flatten(1))


def kept(plan: Plan) -> list[str]:
    return [row.keeps for row in plan.rows if row.positions == (4, 4)]


def test_flattening_keeps_each_position_and_pooling_all_pairs() -> None:
    x = randn(3, 2, 4, 4)
    flat, pooled = ntk(FLAT).plan(x), ntk(POOLED).plan(x)
    assert set(kept(flat)) == {"each position with itself"}
    assert set(kept(pooled)) == {"all pairs of positions"}
    assert max(row.entries for row in flat.rows) == 16
    assert max(row.entries for row in pooled.rows) == 16**2
    assert pooled.bytes_per_pair == 16 * flat.bytes_per_pair


def test_branches_keep_what_their_own_readers_need() -> None:
    """The shared trunk needs all pairs for one of its readers; the other branch does not."""
    plan = ntk(Mixed()).plan(randn(3, 2, 4, 4))
    convolutions = [row for row in plan.rows if row.name.startswith("Conv2d")]
    assert [row.demand.layout for row in convolutions] == ["pairs", "pairs", "each", "each"]


def test_work_grows_with_the_pairs_and_falls_with_the_angle() -> None:
    small, large = ntk(POOLED).plan(randn(3, 2, 4, 4)), ntk(POOLED).plan(randn(6, 2, 4, 4))
    assert (small.n_pairs, large.n_pairs) == (6, 21)
    assert large.numbers * 6 == small.numbers * 21
    assert "21 pairs of 6 points" in str(large)
    x = randn(200, 16)
    chain = [m for _ in range(3) for m in (Linear(16, 16, bias=False), nn.ReLU())]
    quick = ntk(nn.Sequential(*chain)).plan(x)
    layers = ntk(nn.Sequential(*chain, Linear(16, 1))).plan(x)
    assert quick.route == "one function of the angle"
    assert quick.numbers == quick.n_pairs
    assert layers.numbers == 8 * layers.n_pairs  # the points, and seven steps


class Counted(TorchDispatchMode):
    """The size of the largest tensor of floats that any operation makes."""

    def __init__(self) -> None:
        super().__init__()
        self.largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and result.is_floating_point():
            self.largest = max(self.largest, result.untyped_storage().nbytes())
        return result


@pytest.mark.parametrize("net", [FLAT, POOLED], ids=["flat", "pooled"])
def test_no_table_is_larger_than_planned(net: nn.Module) -> None:
    """Of 6 points: one table of all pairs that are wanted, with the positions that are planned."""
    kernel, x = ntk(net), randn(6, 2, 4, 4)
    entries = max(row.entries for row in kernel.plan(x).rows)
    with Counted() as counted, torch.no_grad():
        kernel(x)
    assert counted.largest <= 8 * 36 * entries
