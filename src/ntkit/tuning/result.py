"""What tuning recommends, and why."""

from dataclasses import dataclass
from functools import cached_property
from math import nan

from torch import nn

from ntkit._core.html_card import html_card
from ntkit.encodings import AbstractEncoding
from ntkit.tasks.base import Baseline
from ntkit.tasks.budget import Budget
from ntkit.tuning.candidates import MLP, Candidate
from ntkit.tuning.choice import Goal, Row, name_of
from ntkit.tuning.families import Equal, FamilyRow
from ntkit.tuning.optimisers import Clock
from ntkit.tuning.plan import NetworkPlan
from ntkit.tuning.predict import Prediction
from ntkit.tuning.scale_model import ScaleModel

__all__ = ["TuneResult"]


_SHOWN = 8
"""Rows of the table that a notebook shows, the best ones."""


@dataclass(frozen=True, repr=False)
class TuneResult:
    """What to train with, and why.

    Attributes:
        choice: The recommended candidate.
        bandwidth: Its bandwidth, cycles per unit; None for encodings that have none.
        flat_range: Smallest and largest Gaussian bandwidth within 0.3 dB of the best at the
            budget, by the numbers that the choice was made with; of scale models alone, those that are as good
            as far as these can tell. None if no Gaussian is recommended.
        table: Predictions for each encoding and budget. For Adam all of them are of the kernel that
            stands for the end of the longest finite budget (`ntkit.tuning.optimisers.alignment`); the same steps
            asked for as a budget of their own may differ by some dB at large bandwidths.
        goal: What was optimised.
        budget: The training it was optimised for, with the learning rate of a ReLU network: `budget_of` has
            that of a candidate.
        steps: The budgets of the table; infinity is the end of training.
        engine: "periodic" or "exact", and why.
        clock: Adam's calibration; None for SGD, whose time is exact.
        models: What scale models of the bandwidths predicted best reached; empty if there were none.
        baseline: What needs no network, and its held-out PSNR; None where there is no such method.
        notes: What was rounded, cut or approximated on the way.
        seconds: Time that the choice took.
        plan: How the networks are built, but for their encoding.
        code: The line of Python that builds the encoding, or the network of another family.
        curves: Predictions at many steps up to the budget, for the recommended encoding and for
            "identity" if it was tried.
        families: One row a family of networks that was compared, the recommended one first.
        equal: What they were compared with as much of: "steps" or "time".
        by_models: Whether the table is of scale models, which is so where no kernel knows the training.

    Example:
        >>> import torch, ntkit
        >>> picture = ntkit.tasks.Image(torch.rand(16, 16, generator=torch.Generator().manual_seed(0)))

        >>> result = ntkit.tune(picture, encodings=["gaussian"], steps=20, pilot=False, width=8, depth=1, n_frequencies=8)
        >>> isinstance(result, TuneResult), result.encoding.in_dim
        (True, 2)
    """

    choice: Candidate
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
    curves: dict[str, tuple[Prediction, ...]]
    families: tuple[FamilyRow, ...] = ()
    equal: Equal = "steps"
    by_models: bool = False

    @cached_property
    def encoding(self) -> AbstractEncoding:
        """The recommended encoding, built, ready to be put in front of a network.

        Raises:
            ValueError: A family of networks is recommended that has none in front.
        """
        if self.choice.family != MLP:
            raise ValueError(
                f"`result.encoding`: {self.choice} is a network of its own, with no encoding in front. Take "
                "`result.build(result.choice)`, and `result.budget_of(result.choice)` for its training; or ask "
                '`tune(..., families=("mlp",))`.'
            )
        return self.plan.build(self.choice)[1]

    @property
    def predicted(self) -> Prediction:
        """Of the recommended candidate at the end of the budget; NaN where nothing could be tried."""
        for row in self.table:
            if row.candidate == self.choice:
                return row.at(self.budget.steps)
        for row in self.families:
            if row.candidate == self.choice:
                return row.in_time if self.equal == "time" else row.predicted
        return Prediction(self.budget.steps, nan, nan)

    def budget_of(self, candidate: Candidate) -> Budget:
        """The training of a candidate: at the rate of its family, and in the time of the budget where that is equal."""
        own = self.plan.budget_of(candidate, self.budget)
        if self.equal == "time":
            for row in self.families:
                if row.family == candidate.family:
                    return own.with_steps(int(row.in_time.steps))
        return own

    def build(self, candidate: Candidate) -> nn.Module:
        """The network that is to be trained, with the encoding of `candidate`."""
        return self.plan.trainable(candidate)

    def __repr__(self) -> str:
        steps, tried = name_of(self.budget.steps), len(self.table) + len(self.families)
        return f"<recommended: {self.choice}; {_quality(self.predicted)} after {steps}; {tried} candidates>"

    def _repr_html_(self) -> str:
        as_good = None
        if self.flat_range is not None:
            low, high = (f"{end:.3g}" for end in self.flat_range)
            as_good = "no other bandwidth" if low == high else f"bandwidths {low} to {high}"
        asked = self.budget.steps
        at = ((row.candidate, row.at(asked)) for row in self.table if asked in self.steps)
        best = sorted(at, key=lambda pair: -pair[1].held_out)[:_SHOWN]
        rows = (
            ("recommended", self.choice),
            ("predicted", f"{_quality(self.predicted)} after {name_of(asked)}"),
            ("as good", as_good),
            ("goal", self.goal),
            ("engine", self.engine),
            ("code", self.code),
            *((f"tried {candidate}", _quality(reached)) for candidate, reached in best),
            ("took", f"{self.seconds:.1f} s"),
            *(("note", note) for note in self.notes),
        )
        return html_card("Tuning", rows)


def _quality(reached: Prediction) -> str:
    """In dB, on what was held out and on what was trained on."""
    return f"{reached.held_out:.1f} dB held out, {reached.train:.1f} dB in training"
