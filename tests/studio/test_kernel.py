"""The view of kernels: what it sends is a row of the kernel matrix."""

from typing import Any

import pytest
import torch

pytest.importorskip("PIL")

from ntkit import Grid, ntk
from ntkit.kernels import profile_of
from ntkit.studio.asks import Reply
from ntkit.studio.desk import Desk
from ntkit.tuning import Candidate, NetworkPlan
from tests.studio.desks import desk_of_picture, last_reply

VALUES = {"bandwidth": 3.0, "frequencies": 32, "depth": 3, "row": 7, "column": 20}


@pytest.fixture(scope="module")
def desk() -> Desk:
    return desk_of_picture()


def answer(desk: Desk, ask: str, **values: Any) -> Reply:
    return last_reply(desk, "kernel", ask, {**VALUES, **values})


@pytest.mark.parametrize(
    ("ask", "candidate", "every"),
    [("encoded", Candidate("gaussian", 3.0), 1), ("raw", Candidate("identity"), 4)],
)
def test_it_is_the_librarys_kernel(desk: Desk, ask: str, candidate: Candidate, every: int) -> None:
    found = answer(desk, ask)
    network = NetworkPlan(2, 1, depth=3, n_frequencies=32).build(candidate)[0]
    kernel = ntk(network, variances="default")
    grid = Grid((24, 32))[7 % every :: every, 20 % every :: every]
    points = grid.points().double()
    at = (7 // every, 20 // every)
    row = kernel(points, points)[at[0] * grid.shape[1] + at[1]].reshape(grid.shape)
    wanted = row / row[at]
    sent = torch.as_tensor(found.arrays["kernel"].copy()).double()
    torch.testing.assert_close(sent, wanted, atol=3e-6, rtol=0)
    if ask == "raw":
        assert "width" not in found.content
        return
    cut = profile_of(wanted[at[0]], at[1])
    assert found.content["width"] == pytest.approx(cut.width, abs=1e-3)
    assert found.content["lobe"] == pytest.approx(cut.lobe, abs=1e-4)


def test_a_larger_bandwidth_is_a_narrower_kernel(desk: Desk) -> None:
    widths = [answer(desk, "encoded", bandwidth=b).content["width"] for b in (1.0, 2.0, 4.0, 8.0)]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize("pixel", [(0, 0), (23, 31), (12, 0)])
def test_pixels_at_the_border_are_pixels(desk: Desk, pixel: tuple[int, int]) -> None:
    for ask in ("encoded", "raw"):
        found = answer(desk, ask, row=pixel[0], column=pixel[1])
        every = found.content["every"]
        seen = found.arrays["kernel"]
        assert seen[pixel[0] // every, pixel[1] // every] == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    "values", [{"row": 24}, {"column": -1}, {"depth": 0}, {"frequencies": 1e6}, {"bandwidth": 0}]
)
def test_values_that_make_no_sense_are_refused(desk: Desk, values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be from"):
        answer(desk, "encoded", **values)
