"""The view of time: the course and its pictures are the library's, at every moment."""

from math import inf
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("PIL")

from ntkit.spectra import power_spectrum
from ntkit.studio.asks import Reply
from ntkit.studio.desk import Desk
from ntkit.studio.views.time import MOMENTS
from ntkit.tasks import Budget
from ntkit.tuning import NetworkPlan, sweep
from tests.studio.desks import desk_of_picture, last_reply

VALUES = {"optimiser": "adam", "bandwidth": 3.0}


@pytest.fixture(scope="module")
def desk() -> Desk:
    return desk_of_picture()


def answer(desk: Desk, ask: str, **values: Any) -> Reply:
    return last_reply(desk, "time", ask, {**VALUES, **values})


def test_the_course_is_the_librarys(desk: Desk) -> None:
    said = answer(desk, "course").content
    task = desk.signal.task
    (rung,) = sweep(
        task, [3.0], budget=Budget(), plan=NetworkPlan(2, 3), moments=[1, 20, 500, 2000, inf]
    )
    assert said["steps"] == [None if s == inf else s for s in MOMENTS]
    for steps in rung.steps:
        at = MOMENTS.index(steps)
        assert said["held_out"][at] == pytest.approx(rung.row.at(steps).held_out, abs=1e-6)
        found = answer(desk, "moment", moment=at)
        assert found.content["held_out"] == said["held_out"][at]
        wanted = (rung.field(steps).clamp(0, 1) * 255).round().numpy()
        assert np.abs(found.arrays["picture"][..., :3] - wanted).max() <= 1
        missing = power_spectrum(task.values - rung.field(steps))[1]
        torch.testing.assert_close(torch.tensor(found.content["power"]).double(), missing)


def test_what_is_missing_fades_from_low_frequencies_on(desk: Desk) -> None:
    answer(desk, "course")
    early, late = (
        answer(desk, "moment", moment=MOMENTS.index(s)).content["power"] for s in (20, 2000)
    )
    whole = answer(desk, "course").content["power"]
    gone = [1 - sum(p[1:4]) / sum(whole[1:4]) for p in (early, late)]
    assert 0 < gone[0] < gone[1]
    assert gone[1] > 1 - sum(late[9:12]) / sum(whole[9:12])


def test_a_course_that_is_not_known_is_not_made_up(desk: Desk) -> None:
    with pytest.raises(ValueError, match="not computed yet"):
        answer(desk, "moment", bandwidth=7.0, moment=0)
    answer(desk, "course")
    with pytest.raises(ValueError, match="must be from"):
        answer(desk, "moment", moment=len(MOMENTS))


def test_the_oldest_courses_go() -> None:
    desk = desk_of_picture(8, 10)
    for bandwidth in range(1, 15):
        answer(desk, "course", optimiser="sgd", bandwidth=float(bandwidth))
    answer(desk, "moment", optimiser="sgd", bandwidth=14.0, moment=0)
    with pytest.raises(ValueError, match="not computed yet"):
        answer(desk, "moment", optimiser="sgd", bandwidth=1.0, moment=0)
