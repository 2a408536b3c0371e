"""What was chosen and why, and what to keep in mind, in words."""

from collections.abc import Sequence

import torch
from jaxtyping import Shaped
from torch import Tensor

from ntkit.measurements import Radon
from ntkit.reconstruction.choice import Path
from ntkit.reconstruction.result import Choice, PriorRow
from ntkit.reconstruction.system import System
from ntkit.reconstruction.torus import TorusPrior

__all__ = ["notes_on", "reason"]


def reason(choice: Choice, rows: Sequence[PriorRow], path: Path | None) -> str:
    """The choice in a few sentences."""
    ahead = rows[0].log_evidence - rows[1].log_evidence if len(rows) > 1 else None
    sure = (
        "" if ahead is None else f", the likeliest of {len(rows)} (by a factor of {_power(ahead)})"
    )
    said = [
        f"The kernel is {rows[0].name}{sure}. The noise has a standard deviation of {choice.noise:.3g}, the field one of "
        f"{choice.scale:.3g} about {choice.mean:.3g}."
    ]
    if path is not None:
        said.append(
            f"Total variation has the weight {choice.total_variation:.3g}: of {len({t.total_variation for t in path.trials})} "
            "strengths it foretells held-out measurements best."
        )
    if choice.prior is None and len({t.share for t in path.trials} if path else ()) > 1:
        said.append(
            "The kernel itself is left out of the field: without it they are foretold better."
        )
    if choice.bounds is not None:
        low, high = choice.bounds
        ends = [
            f"not below {low:g}" if low is not None else "",
            f"not above {high:g}" if high is not None else "",
        ]
        said.append(f"The field is {' and '.join(e for e in ends if e)}.")
    return " ".join(said)


def notes_on(
    system: System,
    prior: TorusPrior,
    choice: Choice,
    path: Path | None,
    residual: Shaped[Tensor, "..."],
) -> tuple[str, ...]:
    """What was assumed."""
    notes = []
    A = system.measurement
    if prior.clipped > 0.02:
        notes.append(
            f"{100 * prior.clipped:.0f} % of the spectrum of {prior.name} on the torus was below zero and is left out: its "
            "reach is longer than the grid."
        )
    if isinstance(A, Radon) and not bool(A.field_of_view.all()):
        share = 1 - float(A.field_of_view.double().mean())
        notes.append(
            f"{100 * share:.0f} % of the picture is not seen in every view; there the prior decides."
        )
    if system.has_one_coil:
        notes.append(
            "One coil: what is not measured is known from the prior alone."
            + (
                " The kernel is left out of the field: beside total variation it does not help there. The noise that it finds is too little."
                if choice.total_variation
                else ""
            )
        )
    if path is not None:
        tried = sorted({t.total_variation for t in path.trials}, reverse=True)
        if choice.total_variation == tried[0]:
            notes.append(
                "The largest total variation that was tried is best: the data may hold no detail."
            )
    left = system.data_of(residual)[:, system.counts]  # weighted, as the noise is
    channels = len(left) // (2 if A.is_complex else 1)
    whole = float(left.square().sum(0).mean() / channels) ** 0.5
    if choice.noise > 0 and whole > 2 * choice.noise and not system.has_one_coil:
        weighted = "" if system.weights is None else ", weighted,"
        notes.append(
            f"The residual{weighted} ({whole:.2g}) is {whole / choice.noise:.1f} times the noise that the kernel finds: "
            "the measurement may not be what made these data, or the grid too coarse for what is in the field."
        )
    return tuple(notes)


def _power(difference: float) -> str:
    digits = difference / 2.302585
    return f"{torch.exp(torch.tensor(difference)):.3g}" if digits < 4 else f"10^{digits:.0f}"
