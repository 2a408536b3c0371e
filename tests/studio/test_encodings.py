"""The view of encodings: each at its best bandwidth by the kernel, and networks that are trained."""

from typing import Any

import numpy as np
import pytest

from ntkit._core.pixels import rgba
from ntkit.studio.desk import Desk
from ntkit.studio.views import asks_of
from ntkit.studio.views.encodings import LADDERS
from ntkit.tasks import Budget
from ntkit.tuning import Candidate, NetworkPlan, rungs, trained, usual_of
from tests.studio.desks import desk_of_picture, last_reply

ASKED = {"steps": 20, "features": 32}
BUDGET, PLAN = Budget("adam", 1e-3, 20, 1024), NetworkPlan(2, 3, n_frequencies=16)


@pytest.fixture(scope="module")
def desk() -> Desk:
    return desk_of_picture(16, 24)


def test_each_encoding_is_at_the_best_of_its_bandwidths(desk: Desk) -> None:
    replies = list(asks_of("encodings")["kernels"].answer(desk, ASKED))
    assert [r.content["known"] for r in replies] == [1, 2, 3, 4, 4]
    last = replies[-1]
    assert [row["name"] for row in last.content["rows"]] == list(LADDERS)
    for row in last.content["rows"]:
        name = row["name"]
        tried = [Candidate(name, b) for b in LADDERS[name] if b <= 6] or [Candidate(name)]
        found = rungs(desk.signal.task, tried, budget=BUDGET, plan=PLAN)
        best = max(found, key=lambda rung: rung.row.at(20).held_out)
        assert row["bandwidth"] == best.row.candidate.bandwidth
        assert row["held_out"] == pytest.approx(best.row.at(20).held_out, abs=1e-3)
        np.testing.assert_allclose(
            last.arrays[f"picture.{name}"].astype(float), rgba(best.field(20)), atol=1
        )
    assert len(list(asks_of("encodings")["kernels"].answer(desk, ASKED))) == 1


@pytest.mark.parametrize("name", ["mlp", "siren"])
def test_a_network_is_trained_as_the_library_does(desk: Desk, name: str) -> None:
    last_reply(desk, "encodings", "kernels", ASKED)
    replies = list(asks_of("encodings")["network"].answer(desk, {**ASKED, "name": name}))
    assert [r.content["step"] for r in replies] == [1, 5, 10, 15, 20]
    said = replies[-1].content
    task = desk.signal.task
    candidate = Candidate("gaussian", said["bandwidth"])
    if name != "mlp":
        candidate = usual_of(name, task)
    *_, last = trained(task, candidate, budget=BUDGET, plan=PLAN)
    assert said["width"] == PLAN.width_of(candidate)
    assert (said["held_out"], said["train"]) == pytest.approx((last.held_out, last.train))
    assert last.field is not None
    np.testing.assert_array_equal(replies[-1].arrays["picture"], rgba(last.field))
    again = list(asks_of("encodings")["network"].answer(desk, {**ASKED, "name": name}))
    assert [r.content for r in again] == [said]


@pytest.mark.parametrize("values", [{"steps": 1}, {"features": "many"}, {"name": "gpt"}])
def test_values_that_make_no_sense_are_refused(desk: Desk, values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        last_reply(desk, "encodings", "network", {**ASKED, "name": "siren", **values})
