"""Error maps: what they hold in sum is what the task says."""

import pytest
import torch

from ntkit.tasks import ErrorMap, Signal, error_map, spread
from tests.cases import randn


@pytest.mark.parametrize("shape", [(16,), (10, 14), (11, 15), (8, 10, 12)])
@pytest.mark.parametrize("channels", [1, 3])
def test_mean_squares_are_the_errors_of_the_task(shape: tuple[int, ...], channels: int) -> None:
    task = Signal(randn(*shape, channels), n_axes=len(shape))
    found = task.values + 0.1 * randn(*shape, channels).double()
    errors = error_map(task, found)
    even = tuple(slice(0, n - n % 2) for n in shape)
    assert errors.seen.shape == tuple(n // 2 for n in shape)
    cropped = error_map(task, found[even])
    torch.testing.assert_close(cropped.unseen, errors.unseen)
    if all(n % 2 == 0 for n in shape):
        seen, unseen = task.errors(found)
        assert float(errors.seen.square().mean()) == pytest.approx(seen)
        assert float(errors.unseen.square().mean()) == pytest.approx(unseen)


def test_an_error_stands_in_its_cell() -> None:
    task = Signal(randn(8, 12))
    found = task.values.clone()
    found[4, 6] += 0.5  # trained on
    found[3, 9] += 0.3  # between
    errors = error_map(task, found)
    assert errors.seen.nonzero().tolist() == [[2, 3]]
    assert errors.unseen.nonzero().tolist() == [[1, 4]]
    assert float(errors.unseen[1, 4]) == pytest.approx(0.3 / 3**0.5)


@pytest.mark.parametrize(
    ("seen", "unseen", "verdict"),
    [(0.1, 0.1, "under"), (0.05, 0.1, "between"), (0.01, 0.1, "over"), (0.0, 0.0, "under")],
)
def test_verdicts(seen: float, unseen: float, verdict: str) -> None:
    assert ErrorMap(torch.full((4,), seen), torch.full((4,), unseen)).verdict == verdict


def test_spread_is_the_standard_deviation() -> None:
    fields = [randn(5, 6, 3) for _ in range(4)]
    wanted = torch.stack(fields).std(0).square().mean(-1).sqrt()
    torch.testing.assert_close(spread(fields), wanted)
    with pytest.raises(ValueError, match="two at least"):
        spread(fields[:1])


def test_what_has_no_map_is_refused() -> None:
    task = Signal(randn(8, 12))
    with pytest.raises(ValueError, match="every other sample"):
        error_map(task.keep_out(0.2), task.values)
    with pytest.raises(ValueError, match="has shape"):
        error_map(task, task.values[:6])
