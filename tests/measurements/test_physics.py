"""A physics of batches is the measurement that it stands for."""

import pytest
import torch
from torch import Tensor

from ntkit.measurements import Fourier, Physics, Samples, adjoint_mismatch, physics_parts
from ntkit.measurements.blocks import blocks_of
from tests.cases import randn
from tests.measurements.stand_ins import Mixed, Scan, Weighted
from tests.tolerances import assert_near

MASK = randn(6, 8) > 0
COILS = randn(3, 6, 8, seed=2, dtype=torch.complex128)


def near(actual: Tensor, expected: Tensor) -> None:
    if actual.is_complex():
        actual, expected = torch.view_as_real(actual), torch.view_as_real(expected)
    assert_near(actual, expected)


def zeros(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.float64)


def test_a_mask_is_samples_of_all_channels() -> None:
    mask = MASK.double()[None, None]
    (A,) = physics_parts(Weighted(mask), zeros(2, 3, 6, 8))
    expected, field = Samples.mask(MASK), randn(6, 8, 3)
    near(A(field), expected(field))
    assert torch.equal(A.groups, expected.groups)
    y = mask * randn(1, 3, 6, 8, seed=1)
    assert torch.equal(A.gather(y[0]), expected(y[0].movedim(0, -1)))
    assert torch.equal(A.image(field), field.movedim(-1, 0))


def test_measurements_are_gathered_as_they_are_made() -> None:
    """Of an image, those of the physics, gathered, are those of the field."""
    for physics, y in (
        (Weighted(MASK.double()[None, None]), zeros(1, 2, 6, 8)),
        (Scan(MASK), zeros(1, 2, 6, 8)),
        (Scan(MASK, COILS), zeros(1, 2, 3, 6, 8)),
        (Mixed(randn(5, 12)), zeros(1, 5)),
    ):
        (A,) = physics_parts(physics, y)
        field = randn(*A.field_shape, 1, dtype=torch.complex128 if A.is_complex else torch.float64)
        if isinstance(physics, Weighted):
            field = field.repeat(1, 1, 2)
        near(A.gather(physics.A(A.image(field)[None])[0]), A(field))


@pytest.mark.parametrize("coils", [None, COILS], ids=["one coil", "three coils"])
def test_two_channels_are_a_complex_field(coils: Tensor | None) -> None:
    lines = torch.tensor([True, False, True, True, True, False, True, False])
    y = zeros(1, 2, 6, 8) if coils is None else zeros(1, 2, 3, 6, 8)
    (A,) = physics_parts(Scan(lines, coils), y)
    expected, field = Fourier((6, 8), lines, coils), randn(6, 8, 2, dtype=torch.complex128)
    assert A.is_complex and A.data_shape == expected.data_shape
    near(A(field), expected(field))
    assert torch.equal(A.groups, expected.groups)


def test_channels_that_differ_are_measured_one_by_one() -> None:
    weight = randn(1, 3, 6, 8).relu()
    parts = physics_parts(Weighted(weight), zeros(1, 3, 6, 8))
    field = randn(6, 8, 1)
    assert [len(A.data_shape) for A in parts] == [1, 1, 1]
    for k, A in enumerate(parts):
        seen = weight[0, k] > 0
        near(A(field)[:, 0], (weight[0, k] * field[..., 0])[seen])
        image = A.image(field)
        assert torch.equal(image[k], field[..., 0]) and float(image.abs().sum((1, 2))[k - 1]) == 0


def test_single_precision_stays_in_the_physics() -> None:
    (A,) = physics_parts(Scan(MASK, COILS), torch.zeros(1, 2, 3, 6, 8))
    assert 1e-17 < adjoint_mismatch(A) < 1e-7
    assert A(randn(6, 8, 1)).dtype == torch.complex128


def test_many_columns_are_carried_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    A = Physics(Weighted(torch.ones(1, 2, 6, 8)), (6, 8), (2, 6, 8), channels=2)
    field = randn(6, 8, 7)
    whole = A(field)
    monkeypatch.setattr("ntkit.measurements.physics._POINTS", 3 * 48)
    assert torch.equal(A(field), whole)


def test_groups_are_an_axis_numbers_or_blocks() -> None:
    physics, y = Weighted(torch.ones(1, 1, 6, 8)), torch.zeros(1, 1, 6, 8)
    along = physics_parts(physics, y, groups=-1)[0]
    assert torch.equal(along.groups, torch.arange(8).repeat(6))
    numbers = torch.arange(48).reshape(6, 8) // 7 * 5
    assert torch.equal(physics_parts(physics, y, groups=numbers)[0].groups, torch.arange(48) // 7)
    assert torch.equal(physics_parts(physics, y)[0].groups, blocks_of((6, 8), torch.arange(48)))


def test_pixels_are_square_unless_said_otherwise() -> None:
    physics, y = Weighted(torch.ones(1, 1, 6, 8)), torch.zeros(1, 1, 6, 8)
    assert physics_parts(physics, y)[0].grid.spacing == (1 / 8, 1 / 8)
    assert physics_parts(physics, y, spacing=(4.0, 2.0))[0].grid.spacing == (1 / 6, 0.5 / 6)


class Mixing:
    def A(self, x: Tensor) -> Tensor:
        return x + x.flip(1)

    A_adjoint = A


class Grey(Mixing):
    def A(self, x: Tensor) -> Tensor:
        return x.mean(1, keepdim=True)

    def A_adjoint(self, y: Tensor) -> Tensor:
        return y.repeat(1, 3, 1, 1) / 3


@pytest.mark.parametrize(
    ("physics", "y"),
    [(Mixing(), zeros(1, 2, 6, 8)), (Mixing(), zeros(1, 3, 6, 8)), (Grey(), zeros(1, 1, 6, 8))],
    ids=["two", "three", "three to one"],
)
def test_mixed_channels_are_refused(physics: Mixing, y: Tensor) -> None:
    with pytest.raises(ValueError, match=r"mixes \d channels"):
        physics_parts(physics, y)


@pytest.mark.usefixtures("unchecked")
def test_what_does_not_fit_is_refused() -> None:
    physics = Weighted(torch.ones(1, 1, 6, 8))
    for y in (torch.zeros(1, 1, 6, 8, dtype=torch.complex64), [torch.zeros(1, 1, 6, 8)]):
        with pytest.raises(TypeError, match="one tensor of real numbers"):
            physics_parts(physics, y)
    with pytest.raises(ValueError, match="do not fit: of several channels"):
        Physics(physics, (6, 8), (2, 6, 8), channels=3)
    with pytest.raises(ValueError, match="do not fit: of several channels"):
        Physics(physics, (6, 8), (1, 6, 8), is_complex=True)
    with pytest.raises(ValueError, match="must be one of 3"):
        Physics(physics, (6, 8), (3, 6, 8), channels=3, channel=3)
    with pytest.raises(ValueError, match="zero everywhere"):
        Physics(Weighted(torch.zeros(1, 1, 6, 8)), (6, 8), (1, 6, 8))
    with pytest.raises(ValueError, match="must be cut to"):
        Physics(Weighted(torch.ones(1, 1, 6, 8)), (6, 8), (1, 6, 9))
    with pytest.raises(ValueError, match="no axis of measurements"):
        Physics(physics, (6, 8), (1, 6, 8), groups=2)
    with pytest.raises(ValueError, match="a number for each of"):
        Physics(physics, (6, 8), (1, 6, 8), groups=torch.arange(6))
    with pytest.raises(ValueError, match="`y` has shape"):
        Physics(physics, (6, 8), (1, 6, 8)).gather(torch.zeros(6, 8))
