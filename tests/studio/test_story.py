"""The story: each step sends what the library says, and the laws it tells of hold in what is sent."""

from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("PIL")

from ntkit.studio import story
from ntkit.studio.asks import Reply
from ntkit.studio.desk import Desk
from ntkit.studio.places import PLACES, asks_of, needs_signal
from ntkit.studio.story import ORDER

WEB = Path(__file__).parents[2] / "web/src/story"


def told(step: str, ask: str, values: dict[str, Any], desk: Desk | None = None) -> Reply:
    """The last of what a step sends; it needs no signal."""
    return list(asks_of(f"story.{step}")[ask].answer(desk or Desk(), values))[-1]


def double(numbers: Any) -> torch.Tensor:
    return torch.as_tensor(numbers, dtype=torch.float64)


def test_a_step_is_one_file_on_each_side() -> None:
    assert isinstance(story.__file__, str)
    mine = {p.stem for p in Path(story.__file__).parent.glob("*.py")} - {"__init__"}
    assert mine == set(ORDER)
    assert {p.stem for p in WEB.glob("*.ts")} == set(ORDER)


def test_places_are_views_and_steps() -> None:
    assert not any(needs_signal(f"story.{step}") for step in ORDER)
    assert needs_signal("kernel")
    assert set(PLACES) > {"kernel", *(f"story.{step}" for step in ORDER)}
    with pytest.raises(ValueError, match="no step of this name"):
        asks_of("story.nothing")


LINE = {"x": [-1.0, -0.2, 0.4, 1.1], "y": [0.5, -0.7, 0.2, 0.9], "at": 9}


def test_line_losses_are_the_formula() -> None:
    from ntkit.studio.story.line import RATE, SHOWN

    found = told("line", "fit", LINE).content
    x, y = double(LINE["x"]), double(LINE["y"])
    kernel = 1 + x[:, None] * x
    torch.testing.assert_close(double(found["kernel"]), kernel)
    for i, step in enumerate(SHOWN):
        flow = torch.linalg.matrix_exp(-RATE * step * kernel) @ y
        descent = torch.linalg.matrix_power(torch.eye(4).double() - RATE * kernel, step) @ y
        assert found["foretold_losses"][i] == pytest.approx(float(flow @ flow) / 2, rel=1e-9)
        assert found["losses"][i] == pytest.approx(float(descent @ descent) / 2, rel=1e-9)
    assert found["loss"] == found["losses"][LINE["at"]]


def test_line_kernel_knows_places_alone() -> None:
    before = told("line", "fit", LINE).content["kernel"]
    assert told("line", "fit", {**LINE, "y": [1.0, 0.0, 1.0, -1.0]}).content["kernel"] == before


def test_line_ends_at_the_least_squares() -> None:
    x, y = double(LINE["x"]), double(LINE["y"])
    design = torch.stack([torch.ones_like(x), x], 1)
    height, slope = torch.linalg.lstsq(design, y[:, None]).solution[:, 0].tolist()
    desk = Desk()
    last = told("line", "fit", {**LINE, "at": 28}, desk)
    ends = [height + slope * at for at in last.content["ends"]]
    assert last.content["line"] == pytest.approx(ends, abs=0.02)
    assert told("line", "fit", {**LINE, "at": 0}, desk).content["line"] == [0.0, 0.0]


@pytest.mark.parametrize(
    "bad", [{"x": []}, {"x": "1"}, {"x": [9.0] * 4}, {"y": [0.0]}, {"at": 1000}]
)
def test_line_refuses_what_is_no_drawing(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        told("line", "fit", {**LINE, **bad})
