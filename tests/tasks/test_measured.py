"""Fields that are known through measurements: their loss, bounds, scale, groups, and complex ones."""

import pytest
import torch
from torch import Tensor, nn

from ntkit import Grid, encodings, fit
from ntkit.measurements import AbstractMeasurement, Matrix, Radon, Samples
from ntkit.networks import mlp
from ntkit.tasks import Budget, Domain, Image, Measured, Trainer, total_variation, train
from ntkit.tasks.field_units import FieldUnits
from ntkit.tasks.least_squares import constant_fit, first_fit
from tests.cases import MEASUREMENTS, randn, seeded
from tests.tolerances import assert_near, relative_error

LINES = Radon.parallel((8, 8), [0.0, 0.5, 1.0, 1.6, 2.1, 2.6], n_detectors=14)
FIELD = randn(8, 8, 1).sigmoid()
COMPLEX = Matrix(torch.complex(randn(30, 30), randn(30, 30, seed=1)), (5, 6))


class Known(nn.Module):
    """A field that is what its parameters say, at the points of a grid."""

    def __init__(self, raw: Tensor) -> None:
        super().__init__()
        self.raw = nn.Parameter(raw.flatten(0, -2))

    def forward(self, points: Tensor) -> Tensor:
        assert len(points) == len(self.raw)
        return self.raw


class Bent(nn.Module):
    """Between 0 and 1, nearly the identity inside: `log((1 + e^5x) / (1 + e^(5x - 5))) / 5`."""

    def forward(self, x: Tensor) -> Tensor:
        return ((1 + (5 * x).exp()) / (1 + (5 * x - 5).exp())).log() / 5


def network(task: Measured, width: int = 16, seed: int = 0) -> nn.Sequential:
    encoding = encodings.Gaussian(task.in_dim, 8, 1.0, seeded(seed))
    return mlp(encoding, task.n_outputs, width=width, depth=2, generator=seeded(seed))


BOUNDS = {
    "none": None,
    "above": (0.0, None),
    "below": (None, 1.5),
    "both": (-0.25, 1.25),
    "infinite": (0.5, float("inf")),
}


@pytest.mark.parametrize("bounds", BOUNDS.values(), ids=list(BOUNDS))
def test_the_loss_is_that_of_the_problem_in_its_own_units(bounds) -> None:
    """`1/2 |A f - y|^2 + b TV(f)`, over `|y'|^2 / 2`, of the field that the task itself says."""
    y, b = 50 * LINES(FIELD), 3.0
    task = Measured(y, LINES, bounds=bounds, total_variation=b, hold_out=0.3)
    net = Known(randn(8, 8, 1, seed=5))
    (rows, true), field = task.training(), task.field(net)
    found = task.training_loss(net, rows, true, seeded())
    kept = ~task.held_out
    offset = LINES(torch.full((8, 8, 1), task.units.offset, dtype=torch.float64))
    misfit = 0.5 * (LINES(field) - y)[kept].square().sum()
    rounding = 1e-3 * task.units.scale
    objective = misfit + b * total_variation(field, 2, rounding=rounding)
    assert_near(found.detach(), objective / (0.5 * (y - offset)[kept].square().sum()), loosen=1e3)


def test_weights_are_of_the_squares() -> None:
    """Only their ratios matter, as in `ntkit.reconstruct`; data without one are left out."""
    y, weights = LINES(FIELD)[..., 0], randn(6, 14, seed=9).exp()
    weights[2, 3:5] = 0
    task, net = Measured(y, LINES, weights=8 * weights, total_variation=0.2), Known(randn(8, 8, 1))
    relative, kept = weights / weights[weights > 0].mean(), ~task.held_out
    rest = (LINES(task.field(net))[..., 0] - y)[kept].square() * relative[kept]
    of_constant = LINES(torch.full((8, 8, 1), task.units.offset, dtype=torch.float64))[..., 0]
    size = ((y - of_constant)[kept].square() * relative[kept]).sum()
    changes = total_variation(task.field(net), 2, rounding=1e-3 * task.units.scale)
    rows, true = task.training()
    found = task.training_loss(net, rows, true, seeded())
    assert_near(found.detach(), (rest.sum() + 2 * 0.2 * changes) / size, loosen=1e3)
    y[2, 3:5] = 1e6
    other = Measured(y, LINES, weights=weights, total_variation=0.2)
    assert other.units == task.units
    assert_near(other.training()[1], true)


@pytest.mark.parametrize("bounds", BOUNDS.values(), ids=list(BOUNDS))
def test_bounds_hold(bounds) -> None:
    task = Measured(LINES(FIELD), LINES, bounds=bounds)
    field = task.field(Known(2000 * randn(8, 8, 1).float()))
    low, high = bounds or (None, None)
    assert low is None or float(field.min()) >= low
    assert high is None or float(field.max()) <= high
    rendered = Measured.render(network(task), task.domain, size=(16, 4))
    assert low is None or float(rendered.numbers.min()) >= low
    assert high is None or float(rendered.numbers.max()) <= high


def test_complex_fields_have_two_outputs() -> None:
    field = torch.complex(randn(5, 6, 2, seed=2), randn(5, 6, 2, seed=3))
    task = Measured(COMPLEX(field), COMPLEX, hold_out=0.0)
    assert task.n_outputs == 4
    raw = torch.view_as_real(field / task.units.scale).flatten(2)
    exact = Known(raw)
    (rows, true) = task.training()
    assert_near(task.predict(exact, rows).detach(), true)
    assert float(task.training_loss(exact, rows, true, seeded()).detach()) < 1e-25
    assert_near(torch.view_as_real(task.field(exact)), torch.view_as_real(field))
    assert_near(task.shown(exact), COMPLEX(field).abs())
    net = network(task, width=64)
    rendered = Measured.render(net, task.domain, size=(5, 6)).numbers.reshape(5, 6, 2, 2)
    assert_near(
        torch.from_numpy(rendered), torch.view_as_real(task.field(net)).double(), loosen=1e7
    )
    train(net, task, Budget("adam", 1e-2, 100))
    assert task.metric.quality(train(net, task, Budget("adam", 3e-3, 60))[-1].train) > 12


@pytest.mark.parametrize(
    "make",
    [make for every in MEASUREMENTS.values() for make in every],
    ids=[f"{kind.__name__}-{k}" for kind, every in MEASUREMENTS.items() for k in range(len(every))],
)
def test_every_measurement_can_be_trained_through(make) -> None:
    """The gradient of the loss, in float32, is `A^H` of what is left of the data."""
    A = make()
    field = randn(*A.field_shape, 1, seed=1) + (
        1j * randn(*A.field_shape, 1) if A.is_complex else 0
    )
    task = Measured(A(field), A, hold_out=0.0)
    outputs = randn(*A.field_shape, task.n_outputs, seed=2)
    net = Known(outputs.float())
    rows, true = (part.float() for part in task.training())
    task.training_loss(net, rows, true, seeded()).backward()
    unit = torch.view_as_complex(outputs)[..., None] if A.is_complex else outputs
    rest = A(task.units.values(unit)) - A(field)
    size = task.units.scale * true.double().square().sum()
    expected = 2 * A.adjoint(rest) / size
    if A.is_complex:
        expected = torch.view_as_real(expected)
    assert net.raw.grad is not None
    assert relative_error(net.raw.grad, expected.reshape(net.raw.shape)) < 1e-4


def test_scales_of_the_data_change_nothing() -> None:
    """The same training, whatever the unit of the data or of the field is."""
    qualities = []
    for factor in (1.0, 1e-4, 1e6):
        task = Measured(
            factor * LINES(FIELD), LINES, bounds=(0, None), total_variation=factor * 0.01
        )
        net = network(task)
        (evaluation,) = train(net, task, Budget("adam", 1e-2, 30))
        qualities.append([evaluation.train, evaluation.held_out])
        assert task.units.scale == pytest.approx(
            factor * float(first_fit(LINES(FIELD), LINES).max())
        )
    assert torch.tensor(qualities).diff(dim=0).abs().max() < 1e-4


def test_what_is_held_out_are_whole_groups() -> None:
    groups = torch.tensor([3, 3, 5, 5, 9, 9])
    task = Measured(LINES(FIELD), LINES, groups=groups, hold_out=0.1)
    assert int(task.held_out.sum()) == 2
    assert len(groups[task.held_out].unique()) == 1
    assert len({tuple(task.keep_out(0.1, seed=s).held_out.tolist()) for s in range(20)}) == 3
    assert not task.keep_out(0.0).judges
    assert task.keep_out(0.67).n_trained == 2 * LINES.data_shape[1]
    (rows, true), (at, others) = task.training(), task.judged()
    assert rows.tolist() == [[0.0]]
    assert at.tolist() == [[1.0]]
    net = Known(randn(8, 8, 1))
    whole = LINES(task.field(net).detach()).squeeze(-1)
    both = torch.cat([whole[~task.held_out].flatten(), whole[task.held_out].flatten()])
    offset = LINES(torch.full((8, 8, 1), task.units.offset, dtype=torch.float64))[..., 0]
    said = torch.cat([task.predict(net, rows), task.predict(net, at)], 1).detach()[0]
    moved = torch.cat([offset[~task.held_out].flatten(), offset[task.held_out].flatten()])
    assert_near(said * task.units.scale + moved, both)
    expected = torch.cat([true, others], 1)[0] * task.units.scale + moved
    y = LINES(FIELD)[..., 0]
    assert_near(expected, torch.cat([y[~task.held_out].flatten(), y[task.held_out].flatten()]))


def test_of_samples_everywhere_it_is_the_image() -> None:
    """The same network, trained on the same loss, as that of the pixels themselves."""
    image = randn(8, 8, 1).sigmoid()
    every, whole = Samples.everywhere((8, 8)), Image(image).keep_out(0.0)
    task = Measured(every(image), every, bounds=(0, 1), hold_out=0.0)
    nets = [network(task), nn.Sequential(*network(task), Bent())]
    for net, of, lr in zip(
        nets, (task, whole), (0.1 * float(image.square().mean()), 0.1), strict=True
    ):
        train(net, of, Budget("sgd", lr, 50))
    x = Grid((8, 8)).points()
    assert relative_error(task.field_network(nets[0])(x.float()), nets[1](x.float())) < 1e-4


def test_features_of_the_grid_are_computed_once_a_training() -> None:
    task = Measured(LINES(FIELD), LINES)
    calls: list[int] = []

    class Counted(encodings.AbstractFourier):
        def forward(self, x: Tensor) -> Tensor:
            calls.append(len(x))
            return super().forward(x)

    net = mlp(Counted(randn(8, 2).float()), 1, width=8, depth=1, generator=seeded())
    plain = mlp(encodings.LearnedFourier(Counted(randn(8, 2).float())), 1, width=8, depth=1)
    trainer = Trainer(net, task, Budget(steps=5), average=True)
    calls.clear()
    trainer.run(evaluate_at=range(1, 6))
    assert calls == [1, 64]
    assert Trainer(plain, task, Budget(steps=2)).run() is None


def test_large_fields_are_trained_in_parts() -> None:
    """What backpropagation needs is computed twice; the gradients are the same."""
    every = Samples.every((280, 300), 7)
    task = Measured(every(randn(280, 300, 1)), every, total_variation=0.1)
    net = network(task, width=4)
    (rows, true), gradients = task.training(), []
    for at_a_time in (2**16, 2**20):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ntkit.tasks.points_of_grid._TOGETHER", at_a_time)
            net.zero_grad()
            task.training_loss(net, rows.float(), true.float(), seeded()).backward()
            gradients.append(
                torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])
            )
    assert relative_error(gradients[0], gradients[1]) < 1e-4


def test_the_best_held_out_weights_are_kept_also_from_a_checkpoint() -> None:
    task = Measured(LINES(FIELD) + 0.3 * randn(6, 14, 1, seed=3), LINES, hold_out=0.3)
    budget, at = Budget("adam", 3e-2, 60), range(5, 61, 5)

    class Stop(Exception):
        pass

    def halt(step: int, _: float) -> None:
        if step == 40:
            raise Stop

    def fresh(seed: int = 0) -> tuple[nn.Sequential, Trainer]:
        net = network(task, width=32, seed=seed)
        return net, Trainer(net, task, budget, average=True, keep_best=True)

    (net, whole), (_, first), (twin, second) = fresh(), fresh(), fresh()
    whole.run(evaluate_at=at)
    with pytest.raises(Stop):
        first.run(evaluate_at=at, on_step=halt)
    second.restore(first.state())
    second.run(evaluate_at=at)
    least = min(e.held_out for e in whole.evaluations)
    assert least < whole.evaluations[-1].held_out  # it fits the noise in the end
    for trainer, one in ((whole, net), (second, twin)):
        trainer.take_better()
        rows, true = task.judged()
        sums = task.metric.sums(task.predict(one, rows), true.float())
        assert task.metric.error(sums.detach()) == pytest.approx(least, rel=1e-5)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), twin.parameters(), strict=True))


def test_fit_trains_it_and_renders_in_the_units_of_the_data() -> None:
    grid = Grid((8, 8), origin=0.1, spacing=0.05)
    smooth = 300 + 40 * torch.sin(6 * grid.points().sum(1)).reshape(8, 8, 1)
    task = Measured(LINES(smooth), LINES, grid)
    chosen = encodings.Gaussian(2, 16, 1.0, seeded())
    found = fit(task, encoding=chosen, steps=400, width=64, depth=2, lr=5e-3)
    assert found.train_quality > 25
    field = task.field(found.network).double()
    assert float((field - smooth).square().mean().sqrt()) < 8
    rendered = torch.from_numpy(found.render(size=(8, 8)).numbers)
    assert relative_error(rendered, field) < 1e-5
    part = torch.from_numpy(found.render(size=(4, 8), crop=[(2, 6), (0, 8)]).numbers)
    assert relative_error(part, field[2:6]) < 1e-5
    values = task.field_network(found.network)(grid.points().float())
    assert relative_error(values.reshape(8, 8, 1), field) < 1e-5


def test_units_come_back_from_json() -> None:
    domain = Measured(LINES(FIELD), LINES, bounds=(0, None)).domain
    assert isinstance(domain.field_units, FieldUnits)
    assert Domain.from_dict(domain.to_dict()) == domain
    with pytest.raises(ValueError, match="`domain` is of kind 'image': it has no measured field"):
        Measured.render(nn.Identity(), Image(FIELD).domain)


def test_total_variation_is_of_steps_and_ramps() -> None:
    ramp = torch.arange(5.0).double()[:, None].expand(5, 4)[..., None]
    assert float(total_variation(3 * ramp, 2)) == pytest.approx(3 * 4 * 4)
    both = ramp + torch.arange(4.0).double()[None, :, None]
    assert float(total_variation(both, 2)) == pytest.approx(
        12 * 2**0.5 + 4 + 3
    )  # borders have one step
    assert float(total_variation(torch.cat([3 * ramp, 4 * ramp], -1), 2)) == pytest.approx(5 * 16)
    assert float(total_variation(ramp * (3 + 4j), 2)) == pytest.approx(5 * 16)
    volume = randn(3, 4, 5, 2)
    slow = sum(
        torch.stack([
            volume[min(i + 1, 2), j, k] - volume[i, j, k],
            volume[i, min(j + 1, 3), k] - volume[i, j, k],
            volume[i, j, min(k + 1, 4)] - volume[i, j, k],
        ]).norm()
        for i in range(3)
        for j in range(4)
        for k in range(5)
    )
    assert_near(total_variation(volume, 3), torch.as_tensor(slow))
    assert torch.autograd.gradcheck(
        lambda v: total_variation(v, 2, rounding=0.1), randn(3, 4, 1).requires_grad_()
    )


@pytest.mark.parametrize("measurement", [LINES, COMPLEX], ids=["real", "complex"])
def test_first_fits_are_least_squares(measurement: AbstractMeasurement) -> None:
    n = torch.Size(measurement.field_shape).numel()
    dtype = torch.complex128 if measurement.is_complex else torch.float64
    unit = torch.eye(n, dtype=dtype).reshape(*measurement.field_shape, n)
    matrix = measurement(unit).reshape(-1, n)
    field = randn(*measurement.field_shape, 1).to(dtype)
    data = measurement(field)
    found = first_fit(data, measurement, steps=3 * n).reshape(n, 1)
    exact = torch.linalg.pinv(matrix, rtol=1e-10) @ data.reshape(-1, 1)
    assert float((matrix @ (found - exact)).abs().max()) < 1e-6 * float(data.abs().max())
    assert constant_fit(measurement(0 * field + 7), measurement) == pytest.approx(
        0.0 if measurement.is_complex else 7.0
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": randn(4)}, r"`y` has shape \(4,\), and the data of the measurement \(6, 14\)"),
        ({"y": torch.full((6, 14), torch.nan)}, "`y` has .*NaN"),
        ({"y": torch.zeros(6, 14)}, "`y` has no signal"),
        ({"y": LINES(torch.full((8, 8, 1), 3.0).double())}, "`y` has no signal"),
        ({"grid": Grid((4, 4))}, r"`grid` has shape \(4, 4\), and the field"),
        ({"groups": torch.arange(4)}, r"`groups` has shape \(4,\), and the data 6 rows"),
        ({"hold_out": 0.95}, "`hold_out=0.95` must be a share of the 6 groups"),
        ({"groups": torch.zeros(6).long()}, "`hold_out=0.1` must be a share of the 1 groups"),
        ({"weights": randn(6)}, r"`weights` has shape \(6,\); one number a datum"),
        ({"weights": -torch.ones(6, 14)}, "`weights` must be finite, none below 0"),
        ({"total_variation": -1.0}, "`total_variation=-1.0`"),
        ({"bounds": (1, 0)}, r"`bounds=\(1, 0\)` must be a lower and an upper one"),
        ({"bounds": (0, float("nan"))}, "must be a lower and an upper one"),
        ({"bounds": (0,)}, r"`bounds=\(0,\)` must be a lower and an upper one"),
        ({"A": COMPLEX, "y": randn(30) + 0j, "bounds": (0, None)}, "have no meaning for a complex"),
    ],
)
def test_what_does_not_fit_is_refused(change, message, unchecked) -> None:
    given = {"y": LINES(FIELD), "A": LINES, **change}
    with pytest.raises(ValueError, match=message):
        Measured(**given)


def test_other_types_and_networks_are_refused() -> None:
    with pytest.raises(TypeError, match=r"`y` is torch.complex128, and the data of Radon are real"):
        Measured(LINES(FIELD) + 0j, LINES)
    task = Measured(COMPLEX(FIELD[:5, :6] + 0j), COMPLEX)
    with pytest.raises(
        ValueError, match=r"has \(1,\) outputs a point, and the field 2, a real and"
    ):
        task.check_network(mlp(encodings.Basic(2), 1, width=4, depth=1))
