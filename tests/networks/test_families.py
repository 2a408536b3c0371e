"""Families of networks to choose from: what all of them keep to, at full size and as scale models."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from ntkit.networks import FAMILIES, width_for
from ntkit.networks.families import Sizes
from ntkit.tasks import Budget, Signal, Trainer
from tests.cases import seeded

EACH = pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda f: f.name)


def build(family, d: int = 2, seed: int = 0, **options) -> nn.Module:
    options = {"bandwidth": family.usual_bandwidth(d), "width": 24, "depth": 2, **options}
    return family.build(d, 3, generator=seeded(seed), **options)


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@EACH
@pytest.mark.parametrize("d", [1, 2, 3])
def test_a_network_of_any_dimension_has_gradients_of_its_own(family, d: int) -> None:
    network = build(family, d)
    x = torch.rand(50, d, generator=seeded(1))
    network(x).square().sum().backward()
    assert network(x).shape == (50, 3)
    for p in network.parameters():
        assert p.dtype == torch.float32
        assert p.grad is not None
        assert bool(p.grad.isfinite().all())


@EACH
def test_one_seed_one_network_and_the_global_generator_untouched(family) -> None:
    before = torch.get_rng_state()
    states = [build(family, seed=s).state_dict() for s in (0, 0, 1)]
    assert torch.equal(before, torch.get_rng_state())
    assert all(
        torch.equal(a, b) for a, b in zip(states[0].values(), states[1].values(), strict=True)
    )
    assert any(
        not torch.equal(a, b) for a, b in zip(states[0].values(), states[2].values(), strict=True)
    )


@EACH
def test_copies_and_states_are_the_network(family) -> None:
    network, other = build(family), build(family, seed=5)
    x = torch.rand(9, 2, generator=seeded(1))
    assert torch.equal(deepcopy(network)(x), network(x))
    other.load_state_dict(network.state_dict())
    assert torch.equal(other(x), network(x))


@EACH
def test_a_scale_model_is_smaller_by_the_square_of_the_factor(family) -> None:
    """Parameters, to the share that grows in proportion to the width alone."""
    whole = build(family, width=192, depth=3)
    options = {"bandwidth": family.usual_bandwidth(2), "width": 192, "depth": 3}
    model = family.scaled(2, 3, factor=4, generator=seeded(), **options)
    assert count(whole) / 18 < count(model) < count(whole) / 10
    at_one = family.scaled(2, 3, factor=1, generator=seeded(), **options)
    x = torch.rand(9, 2, generator=seeded(1))
    assert torch.equal(at_one(x), whole(x))


@EACH
@pytest.mark.parametrize("d", [1, 2, 3])
def test_a_scale_model_begins_as_large_as_the_network(family, d: int) -> None:
    """Outputs of the same root mean square, to a factor that a narrow draw explains."""
    options = {"bandwidth": family.usual_bandwidth(d), "width": 128, "depth": 3}
    x = torch.rand(300, d, generator=seeded(1))
    sizes = []
    for make in (family.build, lambda *a, **k: family.scaled(*a, factor=4, **k)):
        found = [make(d, 8, generator=seeded(s), **options)(x).detach() for s in range(4)]
        sizes.append(float(torch.stack(found).std(2).mean()))
    assert 0.4 < sizes[1] / sizes[0] < 2.5


@EACH
def test_ladders_are_about_the_usual_constant(family) -> None:
    for d in (1, 2, 3, 4):
        usual = family.usual_bandwidth(d)
        steps = family.ladder(d, 5)
        assert list(steps) == sorted(steps)
        assert steps[2] == usual
        assert steps[0] == pytest.approx(usual * family.span[0])
        assert steps[-1] == pytest.approx(usual * family.span[1])
        assert family.ladder(d, 1) == (usual,)
    assert family.usual_bandwidth(1, 24_000) == 2 * family.usual_bandwidth(1)
    assert family.usual_bandwidth(2, 72) == family.usual_bandwidth(2) / 2


@EACH
def test_width_for_is_the_nearest_width(family) -> None:
    wanted = 100_000
    options = {"bandwidth": family.usual_bandwidth(2), "depth": 2}
    width = width_for(wanted, family, 2, 3, **options)
    off = [
        abs(count(build(family, width=w, **options)) - wanted) for w in range(width - 1, width + 2)
    ]
    assert off[1] == min(off)


def test_errors(unchecked) -> None:
    with pytest.raises(ValueError, match=r"`bandwidth=1e\+09` needs a grid of 2e\+09 cells a unit"):
        FAMILIES["hash"].build(2, 3, bandwidth=1e9)
    with pytest.raises(ValueError, match="`parameters=3` are fewer than the"):
        width_for(3, FAMILIES["siren"], 2, 3, bandwidth=5.0)
    for name in ("bandwidth", "factor", "crop"):
        options = {"bandwidth": 1.0, name: 0.0}
        with pytest.raises(ValueError, match=f"`{name}=0.0` must be a finite number above 0"):
            Sizes(2, 3, **options)


@EACH
def test_the_trainer_fits_it_and_restores_it(family) -> None:
    """A wave of two cycles, at the family's own rate; a copy goes on from a state to the same weights."""
    y = torch.arange(24) / 24
    task = Signal(0.5 + 0.4 * torch.sin(4 * torch.pi * (y[:, None] + y))[..., None], n_axes=2)
    budget = Budget(steps=60, lr=family.rate(48), batch_size=100)
    network = family.build(
        2,
        1,
        bandwidth=2.0 if family.name != "hash" else 12.0,
        width=48,
        depth=2,
        generator=seeded(),
    )
    twin = deepcopy(network)
    start = Trainer(deepcopy(network), task, budget)
    start.judge()
    trainer = Trainer(network, task, budget)
    trainer.run(evaluate_at=[30, 60])
    errors = [e.train for e in (*start.evaluations, *trainer.evaluations)]
    assert errors[0] > 2 * errors[1]
    assert errors[1] > errors[2]
    other = Trainer(twin, task, budget)
    other.restore(trainer.state())
    x = torch.rand(9, 2, generator=seeded(1))
    assert torch.equal(twin(x), network(x))


@pytest.mark.slow
@EACH
def test_compiled_it_is_one_graph(family, unchecked: None) -> None:
    network = build(family)
    x = torch.rand(9, 2, generator=seeded(1))
    found = torch.compile(network, backend="aot_eager", fullgraph=True)(x)
    torch.testing.assert_close(found, network(x))
