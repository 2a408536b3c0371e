"""What is held out: like what is missing, disjoint from what is trained on, together what is known."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ntkit.tasks import Image, Points, Signal
from ntkit.tasks.missing import like_what_is_missing
from tests.cases import randn, seeded


def hole(height: int = 30, width: int = 36) -> Tensor:
    """All but a rectangle of 8 x 10 is known."""
    known = torch.ones(height, width, dtype=torch.bool)
    known[4:12, 5:15] = False
    return known


def scattered(share: float, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=seeded()) < share


MASKS = {"hole": hole(), "few": scattered(0.2, 24, 24), "most": scattered(0.97, 24, 24)}


@pytest.mark.parametrize("known", MASKS.values(), ids=MASKS)
def test_trained_and_held_out_samples_together_are_the_known_ones(known: Tensor) -> None:
    seen, held_out = like_what_is_missing(known, known.shape)
    assert not bool((seen & held_out).any())
    assert torch.equal(seen | held_out, known)
    assert bool(held_out.any())


def test_a_hole_is_judged_by_a_hole_of_its_shape() -> None:
    """Moved by a third of each axis, where all of it is over known samples."""
    known = hole()
    _, held_out = like_what_is_missing(known, known.shape)
    assert torch.equal(held_out, (~known).roll((10, 12), (0, 1)))
    assert int(held_out.sum()) == int((~known).sum())


def test_where_most_is_missing_a_tenth_of_what_is_known_is_held_out_one_by_one() -> None:
    """The missing samples moved would hold out four fifths of the known ones."""
    known = MASKS["few"]
    _, held_out = like_what_is_missing(known, known.shape)
    share = float(held_out.sum() / known.sum())
    deviation = (0.1 * 0.9 / float(known.sum())) ** 0.5
    assert abs(share - 0.1) < 3 * deviation


def test_what_is_missing_is_never_read() -> None:
    """Other values at missing pixels change neither what is trained on nor what is judged."""
    picture, known = torch.rand(30, 36, generator=seeded()).double(), hole()
    other = picture.clone()
    other[~known] = 0.5
    one, two = Image(picture, mask=known.numpy()), Image(other, mask=known)
    for a, b in zip(
        (*one.training(), *one.judged()), (*two.training(), *two.judged()), strict=True
    ):
        assert torch.equal(a, b)
    assert one.baseline() is None  # there is no bicubic interpolation of these


@given(st.floats(0.01, 0.9), st.integers(0, 5))
def test_a_share_is_kept_out_of_what_is_known(share: float, seed: int) -> None:
    signal = Signal(randn(40, 40), mask=MASKS_40)
    task = signal.keep_out(share, seed=seed)
    seen = task.measurement.seen
    assert torch.equal(seen | task.held_out, MASKS_40)
    assert not bool((seen & task.held_out).any())
    n = int(MASKS_40.sum())
    assert abs(int(task.held_out.sum()) / n - share) < 4 * (share * (1 - share) / n) ** 0.5


MASKS_40 = scattered(0.8, 40, 40)


def test_nothing_kept_out_is_all_samples_of_the_lattice() -> None:
    signal = Signal(randn(9, 12))
    task = signal.keep_out(0.0)
    assert task.measurement.steps == (1, 1)
    assert not task.judges
    assert task.baseline() is None
    assert len(task.training()[0]) == 9 * 12
    assert len(task.judged()[0]) == 0
    train, held_out = task.errors(task.values + 0.5)
    assert train == pytest.approx(0.25)
    assert held_out != held_out  # NaN: there is nothing to judge
    assert signal.judges  # the task that it was made of is as it was
    assert signal.measurement.steps == (2, 2)


def test_every_task_can_be_trained_on_other_samples() -> None:
    places = torch.rand(50, 2, generator=seeded()).double()
    for task in (Signal(randn(50)), Points(places, places.sum(1))):
        seen = torch.arange(50) < 20
        held_out = (torch.arange(50) >= 30) & (torch.arange(50) < 45)
        again = task.train_on(seen, held_out)
        assert torch.equal(again.measurement.index, torch.arange(20))
        assert torch.equal(again.judged()[0], task.points()[30:45])
        assert again.values is task.values


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: Signal(randn(9, 9), mask=randn(9, 9)), TypeError, "`mask` must be boolean, got"),
        (
            lambda: Image(randn(9, 9), mask=hole()),
            ValueError,
            r"`mask` has shape \(30, 36\), and the",
        ),
        (
            lambda: Signal(randn(9, 9), mask=randn(9, 9) > -9),
            ValueError,
            "True at 81 of 81 samples",
        ),
        (lambda: Signal(randn(9, 9), mask=randn(9, 9) > 9), ValueError, "True at 0 of 81 samples"),
        (lambda: Signal(randn(9)).keep_out(1.0), ValueError, r"`hold_out=1.0` must be a share"),
        (lambda: Signal(randn(9)).keep_out(-0.1), ValueError, r"`hold_out=-0.1` must be a share"),
        (lambda: Signal(randn(9)).keep_out(1e-6), ValueError, "of 9 samples holds out none"),
        (
            lambda: Signal(randn(9)).train_on(torch.arange(9) > 4, torch.arange(9) > 6),
            ValueError,
            "`seen` and `held_out` share points",
        ),
        (
            lambda: Signal(randn(9)).train_on(torch.arange(8) > 4, torch.arange(8) < 2),
            ValueError,
            r"`seen` \(8,\) and `held_out` \(8,\) need the shape of the points, \(9,\)",
        ),
        (
            lambda: Signal(randn(9)).train_on(torch.arange(9) > 9, torch.arange(9) < 2),
            ValueError,
            "`mask` is True nowhere",
        ),
    ],
)
def test_errors(unchecked, call, error, match: str) -> None:
    with pytest.raises(error, match=match):
        call()
