"""The view of spectra: rates and powers are the library's, and the front is where they say it is."""

from typing import Any

import pytest
import torch

pytest.importorskip("PIL")

from ntkit import ntk
from ntkit.spectra import kernel_spectrum, power_left, power_spectrum
from ntkit.studio.asks import Reply
from ntkit.studio.desk import Desk
from ntkit.studio.views.spectrum import RATE
from ntkit.tuning import Candidate, NetworkPlan
from tests.studio.desks import desk_of_picture, last_reply


@pytest.fixture(scope="module")
def desk() -> Desk:
    return desk_of_picture()


def answer(desk: Desk, ask: str, **values: Any) -> Reply:
    return last_reply(desk, "spectrum", ask, {"bandwidth": 3.0, **values})


def test_numbers_are_the_librarys(desk: Desk) -> None:
    said = answer(desk, "rates").content
    kernel = ntk(NetworkPlan(2, 1).build(Candidate("gaussian", 3.0))[0], variances="default")
    frequency, rate = kernel_spectrum(kernel, (24, 32))
    power = power_spectrum(desk.signal.task.values)[1]
    assert said["frequency"] == frequency.tolist()
    torch.testing.assert_close(torch.tensor(said["rate"]).double(), rate)
    torch.testing.assert_close(torch.tensor(said["power"]).double(), power)
    for steps in (1, 1e3, 1e6):
        found = answer(desk, "left", steps=steps).content
        time = 2 * RATE * steps / 3  # three outputs; the number of samples cancels
        assert found["threshold"] == pytest.approx(1 / time)
        torch.testing.assert_close(
            torch.tensor(found["left"]).double(), power_left(power, rate, time)
        )
        learned = [r * time >= 1 for r in rate.tolist()]
        assert all(learned[1 : int(found["front"])])


def test_the_front_moves_outwards_with_time_and_further_with_a_larger_bandwidth(desk: Desk) -> None:
    fronts = {}
    for bandwidth in (1.0, 4.0):
        answer(desk, "rates", bandwidth=bandwidth)
        steps = [10.0**k for k in range(1, 8)]
        fronts[bandwidth] = [
            answer(desk, "left", bandwidth=bandwidth, steps=s).content["front"] for s in steps
        ]
        assert fronts[bandwidth] == sorted(fronts[bandwidth])
    assert max(b - a for a, b in zip(fronts[1.0], fronts[4.0], strict=True)) > 0


def test_what_makes_no_sense_is_refused(desk: Desk) -> None:
    with pytest.raises(ValueError, match="not computed yet"):
        answer(desk, "left", bandwidth=9.0, steps=1)
    answer(desk, "rates")
    with pytest.raises(ValueError, match="must be from"):
        answer(desk, "left", steps=0)
