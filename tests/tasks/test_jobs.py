"""What holds of every task and every job: one table, all laws."""

from inspect import signature
from pathlib import Path

import numpy as np
import pytest
import torch

from ntkit.encodings import Basic
from ntkit.networks import mlp
from ntkit.tasks import (
    JOBS,
    PSNR,
    AbstractJob,
    AbstractSamples,
    AbstractTask,
    Budget,
    Domain,
    Image,
    Trainer,
    job,
)
from tests.cases import TASKS, randn, seeded

SAMPLED = pytest.mark.parametrize(
    "kind", [t for t in TASKS if issubclass(t, AbstractSamples)], ids=lambda kind: kind.__name__
)
EACH = pytest.mark.parametrize("kind", TASKS, ids=lambda kind: kind.__name__)
JOB = pytest.mark.parametrize("kind", JOBS.values(), ids=JOBS)


def test_jobs_are_the_tasks_that_people_have_files_of() -> None:
    assert {t for t in TASKS if issubclass(t, AbstractJob)} == set(JOBS.values())
    assert all(job.kind == name for name, job in JOBS.items())


@SAMPLED
def test_points_values_and_samples_fit_each_other(kind: type) -> None:
    task: AbstractSamples = TASKS[kind]()
    points, n = task.points(), task.values[..., 0].numel()
    assert points.shape == (n, task.in_dim)
    assert points.dtype == task.values.dtype == torch.float64
    assert float(points.min()) >= 0
    assert float(points.max()) <= 1
    assert task.values.shape == (*task.shape, task.n_outputs)
    if task.grid is not None:
        assert torch.equal(task.grid.points(), points)
        assert float(points.max()) < 1
    (x, y), (at, truth) = task.training(), task.judged()
    assert len(x) == len(y) == len(task.measurement.index)
    assert len(at) == len(truth) == int(task.held_out.sum())
    assert not bool((task.measurement.seen & task.held_out).any())
    assert len(task.axis_counts) == task.in_dim
    assert np.prod(task.axis_counts) == pytest.approx(len(x), rel=0.5)
    assert task.errors(task.values) == (0.0, 0.0)


@SAMPLED
def test_training_is_on_the_samples_of_the_measurement(kind: type) -> None:
    task: AbstractSamples = TASKS[kind]()
    x, y = task.training()
    order = task.measurement.index
    assert torch.equal(x, task.points()[order])
    assert torch.equal(y, task.values.reshape(-1, task.n_outputs)[order])


@EACH
def test_every_task_is_trained_drawn_and_scored(kind: type) -> None:
    pytest.importorskip("matplotlib")
    task: AbstractTask = TASKS[kind]()
    network = mlp(Basic(task.in_dim), task.n_outputs, width=8, depth=1, generator=seeded())
    trainer = Trainer(network, task, Budget(steps=2))
    trainer.run()
    assert trainer.evaluations[-1].is_finite
    found = task.shown(network)
    assert found.shape[1:] == task.truth.shape[1:]  # a surface has as many triangles as it has
    assert found.dtype == torch.float64
    figure = task.figure([("target", task.truth), ("fit\n1 dB", found)])
    assert len(figure.axes) >= 1
    views = task.film(found)
    assert views is None or (views.ndim == 4 and 0 <= float(views.min()) <= float(views.max()) <= 1)
    assert all(np.isfinite(v) and v >= 0 for v in task.scores(found, network).values())


@EACH
def test_every_training_goes_on_as_if_it_had_not_stopped(kind: type) -> None:
    """To the last bit; with what a task learns on the way, such as where a scene is empty (from step 16 on)."""
    task, budget = TASKS[kind](), Budget("adam", 1e-2, 36, 16)

    class Stop(Exception):
        pass

    def halt(step: int, _: float) -> None:
        if step == 20:
            raise Stop

    def fresh(seed: int = 0) -> Trainer:
        net = mlp(Basic(task.in_dim), task.n_outputs, width=8, depth=1, generator=seeded(seed))
        return Trainer(net, task, budget, average=True, generator=seeded(seed))

    whole, first, second = fresh(), fresh(), fresh(1)
    whole.run()
    with pytest.raises(Stop):
        first.run(on_step=halt)
    second.restore({name: tensor.clone() for name, tensor in first.state().items()})
    second.run()
    expected, found = whole.state(), second.state()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert second.evaluations == whole.evaluations


@SAMPLED
def test_samples_as_they_are_have_no_error(kind: type) -> None:
    task: AbstractSamples = TASKS[kind]()
    values = task.values.reshape(-1, task.n_outputs)
    assert task.metric.error(task.metric.sums(values, values)) == 0
    if isinstance(task.metric, PSNR):
        assert all(v == pytest.approx(0, abs=1e-9) for v in task.scores(task.values).values())


@JOB
def test_domains_come_back_from_json(kind: type[AbstractJob]) -> None:
    domain = TASKS[kind]().domain
    assert domain.kind == kind.kind
    assert Domain.from_dict(domain.to_dict()) == domain


@JOB
def test_every_job_renders_and_writes_all_its_formats(
    kind: type[AbstractJob], tmp_path: Path
) -> None:
    needs = {
        "audio": ["soundfile"],
        "volume": ["nibabel"],
        "video": ["av"],
        "field": ["av"],
        "shape": ["av", "trimesh"],
    }
    for package in ("PIL", *needs.get(kind.kind, ())):
        pytest.importorskip(package)
    task = TASKS[kind]()
    network = mlp(Basic(task.in_dim), task.n_outputs, width=8, depth=1, generator=seeded())
    size = [16] * len(task.domain.extent)
    rendered = kind.render(network, task.domain, size=size)
    assert np.isfinite(rendered.values).all()
    for suffix in kind.suffixes:
        path = tmp_path / f"out{suffix}"
        kind.write(path, rendered)
        assert path.stat().st_size > 0


@JOB
def test_the_file_is_the_first_argument_and_the_others_have_names(kind: type) -> None:
    first, *others = signature(kind).parameters.values()
    assert first.name == "source"
    assert all(p.default is not p.empty for p in others)


def test_a_name_is_given_once() -> None:
    with pytest.raises(ValueError, match="`kind='image'` is that of Image already"):
        job(type("Picture", (Image,), {}))
    assert JOBS["image"] is Image


def test_pictures_of_other_sizes_are_refused_as_predictions(unchecked) -> None:
    with pytest.raises(
        ValueError, match=r"`prediction` has shape \(9, 9\), the image \(9, 12, 3\)"
    ):
        TASKS[Image]().errors(randn(9, 9))
