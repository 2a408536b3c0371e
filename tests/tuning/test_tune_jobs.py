"""The choice for every kind of data, on fields whose answer is known; networks of one's own, sigmoids."""

from math import isfinite, isnan

import pytest
import torch
from torch import Tensor, nn

from ntkit import tune
from ntkit.networks import mlp
from ntkit.tasks import Budget, Image, Points, Signal, Video, train
from ntkit.tuning.answer import has_kernel
from ntkit.tuning.candidates import Candidate
from ntkit.tuning.plan import NetworkPlan
from tests.cases import TASKS, randn, seeded

SMALL = {"width": 64, "depth": 2, "n_frequencies": 64, "pilot": False, "steps": 100}
GAUSSIAN = {**SMALL, "encodings": ["gaussian"]}


def waves(x: Tensor, cycles: float, n: int = 12, seed: int = 1) -> Tensor:
    """Waves of about so many cycles per unit in all directions, from 0 to 1."""
    draw = seeded(seed)
    angle = torch.rand(n, x.shape[1], generator=draw, dtype=torch.float64) - 0.5
    directions = angle / angle.norm(dim=1, keepdim=True)
    phase = torch.rand(n, generator=draw, dtype=torch.float64)
    found = torch.cos(2 * torch.pi * (cycles * x @ directions.T + phase)).mean(1)
    return (found - found.min()) / (found.max() - found.min())


def places(n: int = 300) -> Tensor:
    return torch.rand(n, 2, generator=seeded(), dtype=torch.float64)


@pytest.mark.parametrize("kind", TASKS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("hold_out", [None, 0.0, pytest.param(0.2, marks=pytest.mark.slow)])
def test_every_task_has_a_recommendation(kind: type, hold_out: float | None) -> None:
    """Samples as the task has them, all trained on, and a share of them drawn at random."""
    task = TASKS[kind]()
    task = task if hold_out is None else task.keep_out(hold_out)
    options = {**SMALL, "encodings": ["identity", "gaussian"], "bandwidths": [2.0]}
    result = tune(task, **{**options, "steps": 20, "width": 16, "n_frequencies": 16})
    assert len(result.table) == (1 + len(task.axis_factors) if has_kernel(task) else 0)
    for row in result.table:
        for p in row.predictions[:-1]:
            assert isfinite(p.train)
            assert isfinite(p.held_out)
    network = result.build(result.choice)
    assert network(torch.rand(3, task.in_dim, generator=seeded())).shape == (3, task.n_outputs)


def test_scattered_fields_of_larger_bandwidth_want_larger_bandwidths() -> None:
    """Waves of 0.7 and of 5 cycles; 240 training points resolve some 8 along an axis."""
    at = places()
    options = {**GAUSSIAN, "steps": 1000, "bandwidths": [0.5, 1, 2, 4]}
    smooth, rough = (tune(Points(at, waves(at, cycles)), **options) for cycles in (0.7, 5.0))
    assert smooth.bandwidth < rough.bandwidth
    assert smooth.flat_range[1] < rough.flat_range[1]


def test_the_same_samples_by_lattice_and_by_tile_are_predicted_alike() -> None:
    """A picture of which every pixel is trained on, and the same as scattered points: leave-one-out of both.

    One kernel is rounded to whole cycles, and its layers have rates of their own: the bandwidths rank alike.
    """
    side = 16
    grid = Signal(waves(Image(randn(side, side)).points(), 2.0).reshape(side, side))
    scattered = Points(grid.points(), grid.values[..., 0].flatten()).keep_out(0.0)
    whole = grid.keep_out(0.0)
    tables = [
        tune(
            task, optimiser="sgd", lr=0.05, bandwidths=[1, 2, 6], **{**GAUSSIAN, "steps": 2000}
        ).table
        for task in (whole, scattered)
    ]
    lattice, tile = ([row.at(2000).held_out for row in table] for table in tables)
    assert sorted(range(3), key=lambda k: lattice[k]) == sorted(range(3), key=lambda k: tile[k])


def test_leaving_each_sample_out_ranks_as_holding_some_out() -> None:
    """A smooth line of noise-free samples: large bandwidths fit it and miss what is between."""
    x = torch.arange(64).double()[:, None] / 64
    line = Signal(waves(x, 3.0))
    options = {**GAUSSIAN, "bandwidths": [2, 25]}
    everywhere = tune(line.keep_out(0.0), **options).table
    between = tune(line, **options).table
    for table in (everywhere, between):
        small, large = (row.at(100).held_out for row in table)
        assert small > large + 3


def test_a_picture_with_holes_is_tuned_at_its_known_pixels() -> None:
    """Other values at missing pixels change nothing."""
    known = torch.ones(16, 18, dtype=torch.bool)
    known[2:6, 3:8] = False
    picture = waves(Image(randn(16, 18)).points(), 3.0).reshape(16, 18)
    other = picture.clone()
    other[~known] = 0.3
    options = {**GAUSSIAN, "bandwidths": [1, 3]}
    one, two = (tune(Image(p, mask=known), **options) for p in (picture, other))
    assert one.table == two.table
    assert one.engine == "periodic (the kernel at the points themselves)"
    assert one.baseline is None
    assert any("dense kernel on all" in note for note in one.notes)


def film(still: bool) -> Video:
    """A pattern that stays, or flickers at 5 cycles over the film; in space 4 cycles."""
    shape = (24, 20, 20)
    x = Video(randn(*shape)).points()
    tempo = 0.0 if still else 5.0
    moving = torch.cos(2 * torch.pi * (4 * x[:, 1] + 4 * x[:, 2] + tempo * x[:, 0]))
    return Video((0.5 + 0.4 * moving).reshape(shape))


def test_a_film_that_changes_slowly_gets_a_smaller_bandwidth_along_time() -> None:
    options = {**GAUSSIAN, "bandwidths": [2, 4]}
    chosen = [tune(film(still), **options).choice.axes for still in (True, False)]
    assert chosen[0][1:] == chosen[1][1:] == (1.0, 1.0)
    assert chosen[0][0] < chosen[1][0]
    assert chosen[0][0] == min(axes[0] for axes in film(True).axis_factors)


def test_a_bandwidth_an_axis_is_built_and_written() -> None:
    candidate = Candidate("gaussian", 4.0, (0.25, 1.0, 1.0))
    encoding = candidate.build(3, 4000, seeded())
    spread = encoding.frequencies.double().std(0)
    assert spread.tolist() == pytest.approx([1.0, 4.0, 4.0], rel=0.05)
    assert candidate.code(3, 4000) == "ntkit.encodings.Gaussian(3, 4000, bandwidth=[1, 4, 4])"
    assert str(candidate) == "gaussian 1 x 4 x 4"


def test_a_network_of_ones_own_is_asked_by_its_kernel() -> None:
    """The default network handed in is the default network; another one is another."""
    line = Signal(waves(torch.arange(64).double()[:, None] / 64, 3.0))
    options = {**GAUSSIAN, "bandwidths": [2, 10]}

    def same(encoding: nn.Module) -> nn.Module:
        return mlp(encoding, 1, width=64, depth=2, parametrisation="standard")

    def shallow(encoding: nn.Module) -> nn.Module:
        return nn.Sequential(encoding, nn.Linear(128, 32), nn.GELU(), nn.Linear(32, 1))

    plain, mine, other = (
        tune(line, network=network, **options) for network in (None, same, shallow)
    )
    for a, b in zip(plain.table, mine.table, strict=True):
        # the norms of the layers, which enter the flow, are of other draws
        assert a.at(100).train == pytest.approx(b.at(100).train, abs=0.2)
        assert a.at(100).held_out == pytest.approx(b.at(100).held_out, abs=0.2)
    assert plain.table != other.table
    built = other.build(other.choice)
    assert [type(layer) for layer in built][1:] == [nn.Linear, nn.GELU, nn.Linear]
    again = other.build(other.choice)
    for p, q in zip(built.parameters(), again.parameters(), strict=True):
        assert torch.equal(p, q)  # the weights are drawn with the plan's seed


def test_networks_of_ones_own_have_no_scale_models_and_leave_the_global_generator_alone() -> None:
    line = Signal(waves(torch.arange(600).double()[:, None] / 600, 3.0))
    before = torch.random.get_rng_state()
    result = tune(
        line,
        network=lambda e: nn.Sequential(e, nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 1)),
        **{**GAUSSIAN, "pilot": True, "steps": 30, "bandwidths": [2, 10]},
    )
    assert result.models == ()
    assert result.clock is not None
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_sigmoid_is_trained_and_left_out_of_the_kernel() -> None:
    line = Signal(waves(torch.arange(64).double()[:, None] / 64, 3.0))
    options = {**GAUSSIAN, "bandwidths": [2, 10]}
    with_, without = (tune(line, sigmoid=s, **options) for s in (True, False))
    assert with_.table == without.table
    network = with_.build(with_.choice)
    assert type(network[-1]) is nn.Sigmoid
    assert type(without.build(without.choice)[-1]) is not nn.Sigmoid
    reached = train(network, line, Budget(steps=200))
    assert reached[-1].train < 0.05
    found = network(line.points().float()).detach()
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1
    plan = NetworkPlan(1, 1, sigmoid=True, factory=lambda e: nn.Linear(128, 1))
    assert type(plan.trainable(Candidate("gaussian", 2.0))[-1]) is nn.Sigmoid


def test_nothing_held_out_is_no_measured_number() -> None:
    task = Signal(randn(32)).keep_out(0.0)
    network = mlp(Candidate("gaussian", 2.0).build(1, 16, seeded()), 1, width=16, depth=1)
    assert isnan(train(network, task, Budget(steps=2))[-1].held_out)


@pytest.mark.parametrize(
    ("task", "options", "match"),
    [
        (
            Signal(randn(32)).keep_out(0.2),
            {"engine": "exact"},
            'engine="exact"` needs samples on a g',
        ),
        (
            Signal(randn(32)).keep_out(0.2),
            {"engine": "periodic"},
            "needs samples on a grid, all or",
        ),
        (
            Signal(randn(32)).keep_out(0.0),
            {"engine": "exact"},
            "judges held-out samples, and nothing",
        ),
    ],
)
def test_engines_that_do_not_fit_the_samples_are_refused(task, options, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        tune(task, **{**GAUSSIAN, **options})
