"""What tuning recommends, and why."""

from dataclasses import dataclass, field

from torch import nn

from ntkit.encodings import AbstractEncoding
from ntkit.tasks.base import Baseline
from ntkit.tasks.budget import Budget
from ntkit.tuning.candidates import Candidate
from ntkit.tuning.choice import Goal, Row
from ntkit.tuning.optimisers import Clock
from ntkit.tuning.plan import NetworkPlan
from ntkit.tuning.predict import Prediction
from ntkit.tuning.scale_model import ScaleModel

__all__ = ["TuneResult"]


@dataclass(frozen=True)
class TuneResult:
    """What to train with, and why.

    Attributes:
        choice: The recommended candidate.
        encoding: The recommended encoding, built, ready to be put in front of a network.
        bandwidth: Its bandwidth, cycles per unit; None for encodings that have none.
        flat_range: Smallest and largest Gaussian bandwidth within 0.3 dB of the best at the
            budget, by the numbers that the choice was made with; None if no Gaussian was tried.
        table: Predictions for each encoding and budget. For Adam all of them are of the kernel that
            stands for the end of the longest finite budget (`ntkit.tuning.optimisers.alignment`); the same steps
            asked for as a budget of their own may differ by some dB at large bandwidths.
        goal: What was optimised.
        budget: The training it was optimised for.
        steps: The budgets of the table; infinity is the end of training.
        engine: "periodic" or "exact", and why.
        clock: Adam's calibration; None for SGD, whose time is exact.
        models: What scale models of the bandwidths predicted best reached; empty if there were none.
        baseline: What needs no network, and its held-out PSNR; None where there is no such method.
        notes: What was rounded, cut or approximated on the way.
        seconds: Time that the choice took.
        plan: How the networks are built, but for their encoding.
        code: The line of Python that builds the encoding.
        curves: Predictions at many steps up to the budget, for the recommended encoding and for
            "identity" if it was tried.
    """

    choice: Candidate
    encoding: AbstractEncoding
    bandwidth: float | None
    flat_range: tuple[float, float] | None
    table: tuple[Row, ...]
    goal: Goal
    budget: Budget
    steps: tuple[float, ...]
    engine: str
    clock: Clock | None
    models: tuple[ScaleModel, ...]
    baseline: Baseline | None
    notes: tuple[str, ...]
    seconds: float
    plan: NetworkPlan
    code: str
    curves: dict[str, tuple[Prediction, ...]] = field(repr=False)

    @property
    def predicted(self) -> Prediction:
        """The recommended row at the budget."""
        return next(r for r in self.table if r.candidate == self.choice).at(self.budget.steps)

    def build(self, candidate: Candidate) -> nn.Module:
        """The network that is to be trained, with the encoding of `candidate`."""
        return self.plan.trainable(candidate)
