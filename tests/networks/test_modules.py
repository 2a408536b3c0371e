"""What every network keeps to as a module of torch: exported, saved and loaded, moved to another dtype."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from ntkit import networks
from tests.cases import LAYERS, NETWORKS, randn, seeded
from tests.tolerances import assert_near

SHAPES = {networks.SelfAttention: (3, 4), networks.ViewMLP: (3,)}
"""Of a point, where it is not two coordinates."""

each = pytest.mark.parametrize("kind", NETWORKS, ids=lambda kind: kind.__name__)
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same'")


def called(kind: type, n: int, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """Arguments of `n` points that the network of that row takes."""
    if kind in LAYERS:
        points = LAYERS[kind].points(n, seeded(), dtype)
        return points if isinstance(points, tuple) else (points,)
    return (randn(n, *SHAPES.get(kind, (2,))).to(dtype),)


def single(kind: type) -> nn.Module:
    """The network of that row in float32."""
    return NETWORKS[kind]().float()


@each
def test_exported_it_is_the_same_at_any_number_of_points(kind: type, unchecked: None) -> None:
    network, inputs = single(kind), called(kind, 4, torch.float32)
    shapes = tuple({0: torch.export.Dim("batch")} for _ in inputs)
    program = torch.export.export(network, inputs, dynamic_shapes=shapes).module()
    for n in (4, 3):
        points = called(kind, n, torch.float32)
        assert torch.equal(program(*points), network(*points))


@each
def test_its_state_is_the_network(kind: type) -> None:
    """Into one whose state was wiped out, without a key too many or too few."""
    network, other, inputs = single(kind), single(kind), called(kind, 3, torch.float32)
    for tensor in other.state_dict().values():
        tensor.zero_()
    other.load_state_dict(network.state_dict())
    assert torch.equal(other(*inputs), network(*inputs))


@each
def test_all_of_it_moves_to_float64(kind: type) -> None:
    """A constant left in float32 would keep the answer there, or its error."""
    network = single(kind)
    moved = deepcopy(network).to(torch.float64)
    assert {t.dtype.to_real() for t in floats(moved)} <= {torch.float64}
    found = moved(*called(kind, 3, torch.float64))
    assert found.dtype == torch.float64
    # the phases of waves are tens of radians, and float32 holds them to a few millionths
    assert_near(network(*called(kind, 3, torch.float32)), found, loosen=10.0)


def floats(network: nn.Module) -> list[Tensor]:
    """Parameters and buffers that are no whole numbers."""
    every = [*network.parameters(), *network.buffers()]
    return [t for t in every if t.is_floating_point() or t.is_complex()]
