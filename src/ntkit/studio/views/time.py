"""Time: what has been learned by any step, what is still missing, and at which frequencies."""

from collections.abc import Iterator, Mapping
from math import inf
from typing import Any

from ntkit.spectra import power_spectrum
from ntkit.studio.asks import Ask, Reply, number, one_of
from ntkit.studio.desk import Desk, Drawer
from ntkit.studio.refusals import Refusal
from ntkit.studio.shown import drawn
from ntkit.tasks import Budget
from ntkit.tasks.signal import with_error
from ntkit.tuning import NetworkPlan, Rung, sweep

__all__ = ["ASKS", "MOMENTS"]

MOMENTS = (
    *(1, 2, 3, 4, 6, 8, 11, 15, 20, 27, 36, 50, 70, 100, 140, 200, 270, 360, 500, 700, 1000, 1400),
    *(2000, 2700, 3600, 5000, 7000, 10_000, 14_000, 20_000),
    inf,
)
"""Steps at which the course is told; infinity is the end of training."""

_KEPT = 4  # courses, of some megabytes each
_SHOWN = 30  # moments, of half a megabyte each
_RATES = {"adam": 1e-3, "sgd": 0.3}


def _known(
    desk: Desk, values: Mapping[str, Any]
) -> tuple[Drawer[tuple[str, float], Rung], str, float]:
    """The courses that are known, and which one is meant."""
    name = one_of(values, "optimiser", ("adam", "sgd"))
    bandwidth = number(values, "bandwidth", 0.1, 1e6)
    return desk.drawer("time", _KEPT), name, bandwidth


def _course(desk: Desk, name: str, bandwidth: float) -> Rung:
    """Training at one bandwidth."""
    task = desk.signal.task
    plan = NetworkPlan(task.in_dim, task.n_outputs, width=task.width, depth=task.depth)
    budget = Budget("adam" if name == "adam" else "sgd", _RATES[name], 2000)
    return sweep(task, [bandwidth], budget=budget, plan=plan, moments=MOMENTS)[0]


def course(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """PSNR on both kinds of pixels at all moments."""
    courses, name, bandwidth = _known(desk, values)
    task = desk.signal.task
    rung = courses.kept((name, bandwidth), lambda: _course(desk, name, bandwidth))
    baseline = task.baseline()
    frequency, power = power_spectrum(task.values)
    yield Reply({
        "bandwidth": rung.bandwidth,
        "steps": [None if s == inf else s for s in rung.steps],
        "held_out": [p.held_out for p in rung.row.predictions],
        "train": [p.train for p in rung.row.predictions],
        "baseline": baseline and baseline.held_out,
        "frequency": frequency.tolist(),
        "power": power.tolist(),
    })


def moment(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """The picture at one moment, its error, and the spectrum of that.

    Raises:
        Refusal: The course is not known yet.
    """
    courses, name, bandwidth = _known(desk, values)
    rung = courses.get((name, bandwidth))
    if rung is None:
        raise Refusal("not_ready", f"The course at bandwidth {bandwidth:g} is not computed yet.")
    at = round(number(values, "moment", 0, len(rung.steps) - 1))
    shown = desk.drawer("time.moments", _SHOWN)
    yield shown.kept((name, bandwidth, at), lambda: _moment(desk, rung, at))


def _moment(desk: Desk, rung: Rung, at: int) -> Reply:
    found, task = rung.field(rung.steps[at]), desk.signal.task
    said = rung.row.predictions[at]
    missing = task.values - found
    error = missing
    if task.in_dim == 2:
        error = with_error([("picture", task.values), ("prediction", found)])[-1][1]
    content = {
        "moment": at,
        "bandwidth": rung.bandwidth,
        "held_out": said.held_out,
        "train": said.train,
        "power": power_spectrum(missing)[1].tolist(),
    }
    return Reply(content, {"picture": drawn(found), "error": drawn(error)})


ASKS: Mapping[str, Ask] = {"course": Ask(course, is_long=True), "moment": Ask(moment)}
