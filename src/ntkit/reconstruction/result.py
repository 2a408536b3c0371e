"""What a reconstruction gives back: the field, its error bar, and what was chosen and why."""

from dataclasses import dataclass
from typing import Any

from jaxtyping import Float, Int, Shaped
from torch import Tensor

from ntkit._core.html_card import html_card
from ntkit.grids import Grid
from ntkit.measurements import AbstractMeasurement, Interpolation
from ntkit.reconstruction.default_priors import BANDWIDTHS, network_prior
from ntkit.reconstruction.network import TrainedNetwork, train_on_measurements

__all__ = ["Choice", "PriorRow", "Reconstruction", "Trial"]


@dataclass(frozen=True)
class PriorRow:
    """A kernel, and what the measurements say of it.

    Attributes:
        name: Of the kernel.
        log_evidence: Logarithm of the marginal likelihood, of the part of the data that was looked at.
        weight: Of the kernel in the problem, `a`: the noise's variance over the field's.
        noise: Standard deviation of the noise that the kernel finds, in the unit of the data.
        scale: Standard deviation of the field about its mean, in the field's unit.
        mean: The constant about which the field varies.
        leave_one_out: Root mean square error of each datum predicted from the others, in the unit of the data.
        cross_validation: The same by generalised cross-validation.

    Example:
        >>> PriorRow("matern12", -10.0, 1.0, 0.01, 0.2, 0.5, 0.1, 0.1).name
        'matern12'
    """

    name: str
    log_evidence: float
    weight: float
    noise: float
    scale: float
    mean: float
    leave_one_out: float
    cross_validation: float


@dataclass(frozen=True)
class Trial:
    """One strength of total variation, and how well it foretold what was held out.

    Attributes:
        share: Of the kernel's weight by marginal likelihood; 0 where total variation is alone.
        total_variation: Its weight `b`.
        held_out: Root mean square error of the data held out, over that of all data about zero.
        deviation: Its standard error, over groups.
        score: What is made small: the mean of `log(1 + (error / noise)^2)` over the data held out. Few large errors, as at
            edges that the grid cannot hold, count little in it.

    Example:
        >>> Trial(share=1.0, total_variation=0.1, held_out=0.5, deviation=0.1, score=0.6).score
        0.6
    """

    share: float
    total_variation: float
    held_out: float
    deviation: float
    score: float


@dataclass(frozen=True)
class Choice:
    """What was solved in the end.

    Attributes:
        prior: Name of the kernel; None where total variation is alone.
        weight: Of the kernel, `a`; 0 without one.
        total_variation: Weight `b`; 0 for none.
        bounds: Least and largest value of the field; None for no bound.
        mean: The constant about which the field varies.
        noise: Standard deviation of the noise, in the unit of the data.
        scale: Standard deviation of the field, in its unit.

    Example:
        >>> Choice("matern12", 1.0, 0.1, (0.0, None), 0.5, 0.01, 0.2).total_variation
        0.1
    """

    prior: str | None
    weight: float
    total_variation: float
    bounds: tuple[float | None, float | None] | None
    mean: float
    noise: float
    scale: float


@dataclass(frozen=True, eq=False, repr=False)
class Reconstruction:
    """A field found from measurements of it.

    Attributes:
        field: `[*field_shape]`, or `[*field_shape, o]` where the data have an axis of outputs; complex where the
            measurement is.
        deviation: Standard deviation of the field at each point, real, of the same shape; None where none was asked for.
        choice: What was chosen.
        priors: The kernels that were looked at, the chosen one first.
        table: What was tried on measurements held out.
        why: The choice in words.
        notes: What was assumed, and what to keep in mind.
        alternatives: Other reconstructions by name ("total variation alone", "kernel alone"), as `field`.
        residual: `A f - y`, in the shape of the data.
        gap: How far the solver is from the end: the field's relative change in its last iteration; of the linear problem
            what is left of the gradient, relative, in the norm of the preconditioner.
        seconds: How long it took.
        grid: Where the field's points are.
        measurement: `A`.
        data: `y`.
        groups: What was held out together, one number a row of the data.
        weights: Of the data, as they were given; None where all are alike.

    Example:
        >>> import torch, ntkit
        >>> A = ntkit.measurements.Radon.parallel((8, 8), torch.arange(6) * torch.pi / 6)
        >>> disc = (A.pixels.norm(dim=1) < 0.3).double().reshape(8, 8, 1)

        >>> found = ntkit.reconstruct(A(disc)[..., 0], A, error_bars=False)
        >>> isinstance(found, Reconstruction), found.field.shape
        (True, torch.Size([8, 8]))
    """

    field: Shaped[Tensor, "..."]
    deviation: Float[Tensor, "..."] | None
    choice: Choice
    priors: tuple[PriorRow, ...]
    table: tuple[Trial, ...]
    why: str
    notes: tuple[str, ...]
    alternatives: dict[str, Shaped[Tensor, "..."]]
    residual: Shaped[Tensor, "..."]
    gap: float
    seconds: float
    grid: Grid
    measurement: AbstractMeasurement
    data: Shaped[Tensor, "..."]
    groups: Int[Tensor, " n"]
    weights: Float[Tensor, "..."] | None = None

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.grid.shape))
        return f"<reconstruction of {shape} points from {self.residual.numel():,} data. {self.why}>"

    def _repr_html_(self) -> str:
        shape, chosen = " x ".join(map(str, self.grid.shape)), self.choice
        rows = (
            ("from", f"{self.residual.numel():,} data"),
            ("why", self.why),
            ("prior", f"{chosen.prior}, weight {chosen.weight:.3g}" if chosen.prior else "none"),
            ("total variation", f"weight {chosen.total_variation:.3g}"),
            ("noise", f"{chosen.noise:.3g}, standard deviation"),
            ("error bars", "none" if self.deviation is None else "in `deviation`"),
            ("beside it", ", ".join(self.alternatives)),
            ("took", f"{self.seconds:.1f} s"),
            *(("note", note) for note in self.notes),
        )
        return html_card(f"Reconstruction of {shape} points", rows)

    def network(
        self, steps: int = 2000, *, bandwidth: float | None = None, **how: Any
    ) -> TrainedNetwork:
        """A coordinate network trained on the same measurements, with the bounds and total variation that were chosen.

        It takes minutes, and is seldom better than the kernel with bounds.

        Args:
            steps: Of Adam.
            bandwidth: Of its Gaussian features, cycles per unit; that of the likeliest kernel of a network if left out.
            how: Other options of `ntkit.reconstruction.train_on_measurements`; an `encoding` takes the place of a bandwidth.

        Raises:
            ValueError: No kernel of a network was among the priors, and no bandwidth is given.
        """
        if bandwidth is None and how.get("encoding") is None:
            known = {network_prior(b): b for b in BANDWIDTHS}
            likeliest = [known[row.name] for row in self.priors if row.name in known]
            if not likeliest:
                raise ValueError(
                    "`network(bandwidth=...)` is needed: none of the priors is the kernel of a network that `reconstruct` knows."
                )
            bandwidth = likeliest[0]
        return train_on_measurements(
            self.data,
            self.measurement,
            self.grid,
            bandwidth=bandwidth,
            bounds=self.choice.bounds,
            total_variation=self.choice.total_variation,
            steps=steps,
            groups=self.groups,
            weights=self.weights,
            **how,
        )

    def at(self, points: Float[Tensor, "n d"]) -> Shaped[Tensor, "..."]:
        """The field at any points of the grid's box, linear between its points: `[n]` or `[n, o]`.

        Args:
            points: In the units of the grid.
        """
        several = self.field.ndim > self.grid.ndim
        whole = self.field if several else self.field[..., None]
        found = Interpolation(self.grid, points)(whole)
        return found if several else found[..., 0]
