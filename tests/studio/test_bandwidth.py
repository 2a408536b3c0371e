"""The view of bandwidths: its numbers are those of `ntkit.tune`, its pictures have the errors that it says."""

from functools import partial
from itertools import count
from math import inf, isinf
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("PIL")

from ntkit import tune
from ntkit.studio.asks import Reply
from ntkit.studio.desk import Desk
from ntkit.studio.signals import Shown
from ntkit.studio.views import NAMES, asks_of
from ntkit.studio.views.bandwidth import LADDER
from ntkit.tasks import Image
from tests.cases import smooth_picture
from tests.studio.desks import desk_of_picture, last_reply

VALUES = {"optimiser": "adam", "steps": 60, "goal": "generalise"}


@pytest.fixture(scope="module")
def desk() -> Desk:
    return desk_of_picture()


def last(desk: Desk, ask: str, **values: Any) -> Reply:
    return last_reply(desk, "bandwidth", ask, values)


def test_the_curve_is_the_table_of_tune(desk: Desk) -> None:
    said = last(desk, "curve", **VALUES).content
    table = tune(
        desk.signal.task, steps=60, encodings=["gaussian"], bandwidths=said["bandwidths"], pilot=False,
        engine="periodic",
    )  # fmt: skip
    assert said["bandwidths"] == [b for b in LADDER if b <= 10]
    assert said["steps"] == [None if isinf(s) else s for s in table.steps]
    for i, steps in enumerate(table.steps):
        wanted = [row.at(steps).held_out for row in table.table]
        assert said["psnr"][i] == pytest.approx(wanted, abs=1e-6)
    assert said["flat"][2] == table.flat_range
    assert table.baseline is not None
    assert said["baseline"] == {"name": "bicubic", "psnr": table.baseline.held_out}


def test_the_curve_grows_until_it_is_whole(desk: Desk) -> None:
    replies = list(asks_of("bandwidth")["curve"].answer(desk, {**VALUES, "steps": 41}))
    known = [reply.content["known"] for reply in replies]
    assert known == sorted(known)
    assert known[-1] == replies[-1].content["all"] == len(replies[-1].content["bandwidths"])
    again = list(asks_of("bandwidth")["curve"].answer(desk, {**VALUES, "steps": 41}))
    assert [reply.content for reply in again] == [replies[-1].content]


def test_training_quality_is_the_other_goal(desk: Desk) -> None:
    between, fitted = (last(desk, "curve", **{**VALUES, "goal": g}) for g in ("generalise", "fit"))
    assert fitted.content["psnr"][0] != between.content["psnr"][0]


@pytest.mark.parametrize("budget", range(4))
def test_pictures_have_the_quality_that_is_said(desk: Desk, budget: int) -> None:
    last(desk, "curve", **VALUES)
    reply = last(desk, "picture", **VALUES, bandwidth=2.0, budget=budget)
    pixels = torch.as_tensor(np.array(reply.arrays["picture"][..., :3])) / 255
    error = desk.signal.task.errors(pixels.double())[1]
    # Rounded to 8 bits and clipped to what a screen shows.
    assert -10 * np.log10(error) == pytest.approx(reply.content["held_out"], abs=0.2)


def test_bicubic_is_the_baseline(desk: Desk) -> None:
    reply = last(desk, "honest")
    task = desk.signal.task
    found = torch.as_tensor(np.array(reply.arrays["bicubic"][..., :3])).double() / 255
    assert -10 * np.log10(task.errors(found)[1]) == pytest.approx(reply.content["bicubic"], abs=0.1)
    np.testing.assert_array_equal(
        reply.arrays["picture"][..., :3], (task.values * 255).round().numpy().astype(np.uint8)
    )


@pytest.mark.parametrize(
    ("ask", "values", "message"),
    [
        ("curve", {**VALUES, "optimiser": "lbfgs"}, "one of adam, sgd"),
        ("curve", {**VALUES, "steps": 1e9}, "must be from"),
        ("curve", {**VALUES, "steps": "many"}, "must be a number"),
        ("curve", {**VALUES, "steps": inf}, "must be a number"),
        ("curve", {**VALUES, "steps": 10**400}, "must be from"),
        ("curve", {**VALUES, "steps": True}, "must be a number"),
        ("curve", {**VALUES, "goal": None}, "one of generalise, fit"),
        ("picture", {**VALUES, "bandwidth": 3.21, "budget": 0}, "not computed yet"),
        ("picture", {**VALUES, "bandwidth": 2.0, "budget": 4}, "must be from 0 to 3"),
    ],
)
def test_values_that_make_no_sense_are_refused(
    desk: Desk, ask: str, values: dict[str, Any], message: str
) -> None:
    last(desk, "curve", **VALUES)
    with pytest.raises(ValueError, match=message):
        last(desk, ask, **values)


def test_a_desk_without_a_signal_says_so() -> None:
    with pytest.raises(ValueError, match="no signal yet"):
        last(Desk(), "curve", **VALUES)


def test_each_view_has_a_drawer_that_another_signal_empties() -> None:
    desk, numbers = Desk(), count(1)
    make = partial(next, numbers)
    shown = Shown("a", Image(smooth_picture()), (24, 32), 1, ())
    desk.put(shown)
    assert [desk.drawer("view", 2).kept("key", make) for _ in range(3)] == [1, 1, 1]
    for other in range(9):
        desk.drawer(f"other {other}").kept("key", make)
    assert desk.drawer("view").kept("key", make) == 1  # the results of others do not push it out
    for key in ("second", "key", "third"):
        desk.drawer("view").kept(key, make)
    assert desk.drawer("view").get("key") == 1
    assert desk.drawer("view").get("second") is None  # nobody looked at it for longest
    desk.put(shown)
    assert desk.drawer("view").get("key") is None


def test_views_are_found_by_their_names() -> None:
    assert "bandwidth" in NAMES
    for name in NAMES:
        assert asks_of(name)
    for name in ("../bandwidth", "os", "__init__", "", "bandwidth.os"):
        with pytest.raises(ValueError, match="no view of this name"):
            asks_of(name)
