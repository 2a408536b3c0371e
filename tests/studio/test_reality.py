"""The view of theory against reality: its numbers are the library's, and it can be left at any step."""

from typing import Any

import numpy as np
import pytest

from ntkit._core.pixels import rgba
from ntkit.studio.desk import Desk
from ntkit.studio.refusals import refused
from ntkit.studio.views import asks_of
from ntkit.tuning import Rehearsal
from tests.studio.desks import desk_of_picture, last_reply

ASKED = {"bandwidth": 3.0, "steps": 6, "width": 64}


@pytest.fixture
def desk() -> Desk:
    return desk_of_picture(16, 24)


def stream(desk: Desk, **changed: Any) -> list[Any]:
    return list(asks_of("reality")["train"].answer(desk, {**ASKED, **changed}))


def test_every_step_is_told_as_it_is_taken(desk: Desk) -> None:
    theory = Rehearsal(desk.signal.task, 3.0, steps=6)
    acts = [*theory.trained(64)]
    replies = stream(desk)
    assert [r.content["step"] for r in replies] == [*range(7), 6]
    last = replies[-1].content
    assert last["trained"] == [act.error for act in acts]
    assert last["predicted"] == theory.errors
    assert last["looked"] == list(theory.looked)
    assert replies[0].content["past"]["width"] == []
    assert last["past"] == {
        "width": [64], "distance": [acts[-1].distance], "movement": [acts[-1].movement],
        "kernel": [acts[-1].kernel_change],
    }  # fmt: skip
    assert last["shown"]["distance"] == acts[-1].distance
    picture, predicted = acts[-1].picture, acts[-1].predicted
    assert picture is not None
    assert predicted is not None
    np.testing.assert_array_equal(replies[-1].arrays["trained"], rgba(picture))
    np.testing.assert_array_equal(replies[-1].arrays["predicted"], rgba(predicted))


def test_what_was_trained_is_kept_and_what_was_left_begins_again(desk: Desk) -> None:
    whole = stream(desk)
    again = stream(desk)
    assert len(again) == 1
    assert again[0].content["trained"] == whole[-1].content["trained"]
    run = asks_of("reality")["train"].answer(desk, {**ASKED, "width": 128})
    *_, left = (next(run) for _ in range(4))
    assert left.content["step"] == 3
    assert left.content["past"]["width"] == [64]
    assert [r.content["step"] for r in stream(desk, width=128)][:2] == [0, 1]
    assert stream(desk)[-1].content["past"]["width"] == [64, 128]
    assert stream(desk, bandwidth=4.0)[-1].content["past"]["width"] == [64]


def test_any_step_that_was_looked_at_can_be_shown_again(desk: Desk) -> None:
    replies = stream(desk)
    for at, step in enumerate(replies[-1].content["looked"]):
        found = last_reply(desk, "reality", "frame", {**ASKED, "frame": at})
        then = next(r for r in replies if r.content["step"] == step)
        assert found.content["shown"] == then.content["shown"]
        np.testing.assert_array_equal(found.arrays["trained"], then.arrays["trained"])
    with pytest.raises(ValueError, match="not come so far"):
        last_reply(desk, "reality", "frame", {**ASKED, "frame": 99})
    with pytest.raises(ValueError, match="not come so far"):
        last_reply(desk, "reality", "frame", {**ASKED, "width": 256, "frame": 0})


@pytest.mark.parametrize("values", [{"width": 4096}, {"steps": 0}, {"bandwidth": "4"}])
def test_values_that_make_no_sense_are_refused(desk: Desk, values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        stream(desk, **values)


def test_a_picture_that_is_too_narrow_is_refused_under_its_code() -> None:
    with pytest.raises(ValueError, match="sides differ less") as caught:
        stream(desk_of_picture(8, 600))
    told = refused(caught.value)
    assert (told["code"], told["values"]) == ("narrow", {"height": 8, "width": 600})
