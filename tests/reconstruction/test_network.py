"""Networks trained on measurements: they find the field, and stop where what is held out says so."""

from math import isfinite

import pytest
import torch

from ntkit import Grid
from ntkit.encodings import Basic, Gaussian
from ntkit.measurements import Matrix, Radon
from ntkit.reconstruction import reconstruct, train_on_measurements
from tests.cases import randn, seeded
from tests.tolerances import relative_error

GRID = Grid((12, 12))
A = Radon.parallel((12, 12), torch.linspace(0, 3, 10))
BLOB = torch.exp(-40 * (GRID.points() - 0.45).square().sum(1)).reshape(12, 12)
QUICK = {"width": 32, "depth": 2, "n_frequencies": 32, "lr": 5e-3, "evaluations": 10}


def test_it_finds_the_field() -> None:
    y = A(BLOB[..., None])
    found = train_on_measurements(y, A, bandwidth=1.0, bounds=(0, None), steps=150, **QUICK)
    assert float(found.field.min()) >= 0
    assert relative_error(found.field, BLOB[..., None]) < 0.05
    at = found.network(GRID.points().float()).reshape(12, 12, 1)
    assert relative_error(at, found.field) < 1e-5
    assert len(found.held_out) == 10
    assert found.held_out[-1][0] == 150
    assert max(q for _, q in found.held_out) > 20
    assert found.seconds > 0


def test_it_stops_before_it_fits_the_noise() -> None:
    y = A(BLOB[..., None])[..., 0]
    noisy = y + 0.3 * y.std() * randn(*y.shape)
    errors = []
    for share in (0.2, 0.0):
        found = train_on_measurements(
            noisy, A, GRID, bandwidth=3.0, steps=300, hold_out=share, **QUICK
        )
        assert found.field.shape == (12, 12)
        errors.append(relative_error(found.field, BLOB))
        if share:
            step, quality = max(found.held_out, key=lambda pair: pair[1])
            assert found.step == step < 300
            assert quality == pytest.approx(
                found.task.metric.quality(min(e.held_out for e in found.evaluations))
            )
        else:
            assert found.step == 300
            assert found.held_out == ()
    assert errors[0] < errors[1]


def test_total_variation_makes_it_smoother() -> None:
    y = A(BLOB[..., None]) + 0.02 * randn(*A.data_shape, 1)
    rough, smooth = (
        train_on_measurements(
            y, A, encoding=Gaussian(2, 32, 3.0, seeded()), total_variation=b, steps=100, **QUICK
        )
        .field.diff(dim=0)
        .abs()
        .mean()
        for b in (0.0, 0.01)
    )
    assert smooth < 0.7 * rough


def test_complex_fields() -> None:
    measurement = Matrix(torch.complex(randn(60, 36), randn(60, 36, seed=1)), (6, 6))
    points = Grid((6, 6)).points().reshape(6, 6, 2)
    field = torch.exp(2j * points[..., :1]) * (1 + points[..., 1:])
    found = train_on_measurements(
        measurement(field)[..., 0], measurement, encoding=Basic(2), steps=200, **QUICK
    )
    assert found.field.dtype == torch.complex128
    assert float((found.field - field[..., 0]).abs().max()) < 0.2


def test_a_bandwidth_or_an_encoding_is_needed() -> None:
    y = A(BLOB[..., None])
    with pytest.raises(
        ValueError, match="`bandwidth=None` and `encoding=None`: pass one of the two"
    ):
        train_on_measurements(y, A)
    with pytest.raises(ValueError, match="pass one of the two"):
        train_on_measurements(y, A, bandwidth=1.0, encoding=Basic(2))
    with pytest.raises(ValueError, match="`evaluations=0`"):
        train_on_measurements(y, A, bandwidth=1.0, evaluations=0)
    with pytest.raises(ValueError, match="`device='cuda:77'` is not on this machine"):
        train_on_measurements(y, A, bandwidth=1.0, device="cuda:77")


def test_what_has_no_weight_judges_nothing() -> None:
    """Groups whose weight is 0 are never held out; where one alone has any, there is none to hold out beside it."""
    y = A(BLOB[..., None])
    weights = torch.zeros(A.data_shape, dtype=torch.float64)
    weights[3:5] = 1.0
    found = train_on_measurements(y, A, bandwidth=1.0, weights=weights, steps=4, seed=1, **QUICK)
    assert found.task.held_out.nonzero().flatten().tolist() in ([3], [4])
    assert all(isfinite(quality) for _, quality in found.held_out)
    weights[4] = 0.0
    with pytest.raises(ValueError, match="a share of the 1 groups that have any weight"):
        train_on_measurements(y, A, bandwidth=1.0, weights=weights, steps=4, **QUICK)


def test_an_encoding_takes_the_place_of_the_bandwidth_that_was_found() -> None:
    result = reconstruct(A(BLOB[..., None]), A, total_variation=False, error_bars=False)
    quick = {**QUICK, "steps": 2}
    assert result.network(encoding=Basic(2), **quick).field.shape == (12, 12, 1)
    with pytest.raises(ValueError, match="pass one of the two"):
        result.network(encoding=Basic(2), bandwidth=1.0, **quick)
