"""Spectrum: how fast each frequency is learned, over how much of the picture lies there."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from ntkit.dynamics import training_time
from ntkit.kernels import ntk
from ntkit.spectra import kernel_spectrum, power_left, power_spectrum
from ntkit.studio.asks import Ask, Reply, number
from ntkit.studio.desk import Desk, Drawer
from ntkit.studio.refusals import Refusal
from ntkit.tasks import Signal
from ntkit.tuning import Candidate, NetworkPlan

__all__ = ["ASKS", "RATE"]

RATE = 0.3
"""Learning rate of the gradient descent whose steps the page counts."""

_KEPT = 24  # spectra, of some kilobytes each


def _known(desk: Desk, values: Mapping[str, Any]) -> tuple[Drawer[float, Tensor], float]:
    """The spectra that are known, by bandwidth, and which one is meant."""
    return desk.drawer("spectrum", _KEPT), number(values, "bandwidth", 0.1, 1e6)


def rates(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """The kernel's rate and the picture's power at each frequency."""
    spectra, bandwidth = _known(desk, values)
    task = desk.signal.task
    rate = spectra.kept(bandwidth, lambda: _rate(task, bandwidth))
    frequency, power = power_spectrum(task.values)
    yield Reply({
        "bandwidth": bandwidth,
        "frequency": frequency.tolist(),
        "rate": rate.tolist(),
        "power": power.tolist(),
    })


def _rate(task: Signal, bandwidth: float) -> Tensor:
    plan = NetworkPlan(task.in_dim, 1, width=task.width, depth=task.depth)
    kernel = ntk(plan.build(Candidate("gaussian", bandwidth))[0], variances="default")
    return kernel_spectrum(kernel, task.shape)[1]


def left(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """What of the power is left after some steps, and how far learning has come.

    Raises:
        Refusal: The rates are not known yet.
    """
    spectra, bandwidth = _known(desk, values)
    steps = number(values, "steps", 1, 1e12)
    rate = spectra.get(bandwidth)
    if rate is None:
        raise Refusal("not_ready", f"The spectrum at bandwidth {bandwidth:g} is not computed yet.")
    task = desk.signal.task
    n = task.values[..., 0].numel()
    time = n * training_time(RATE, steps, nn.MSELoss(), n_samples=n, n_outputs=task.n_outputs)
    frequency, power = power_spectrum(task.values)
    pairs = zip(frequency.tolist(), rate.tolist(), strict=True)
    yield Reply({
        "bandwidth": bandwidth,
        "steps": steps,
        "threshold": 1 / time,
        "front": next((f for f, r in pairs if f > 0 and r * time < 1), frequency.tolist()[-1]),
        "left": power_left(power, rate, time).tolist(),
    })


ASKS: Mapping[str, Ask] = {"rates": Ask(rates, is_long=True), "left": Ask(left)}
