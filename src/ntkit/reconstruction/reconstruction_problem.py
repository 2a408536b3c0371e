"""The stages of a reconstruction: the kernel, the strength of total variation, the field, its error bar."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from ntkit._core.errors import NumericalError
from ntkit.reconstruction.arguments import Bounds
from ntkit.reconstruction.choice import Path, state_from_above, try_variations
from ntkit.reconstruction.deviation import deviation_of, exact_deviation
from ntkit.reconstruction.evidence import data_spectra, evidence, part_of_data
from ntkit.reconstruction.kernel_start import kernel_start
from ntkit.reconstruction.linear import LinearFields, kernel_fields, rough_tolerance
from ntkit.reconstruction.local_prior import LocalPrior, local_prior
from ntkit.reconstruction.one_coil import balance, try_alone
from ntkit.reconstruction.primal_dual import PrimalDual, State, Terms
from ntkit.reconstruction.result import Choice, PriorRow
from ntkit.reconstruction.system import System
from ntkit.reconstruction.torus import TorusPrior

__all__ = ["SHARE", "ReconstructionProblem", "Solved"]

SHARE = 0.3
"""Of the kernel's weight by marginal likelihood, where total variation describes the same field beside it."""

_LOCAL_DATA = 256
"""For the local scale: six priors are compared, and differ by more than kernels do."""

_DENSE = 1500
"""Data of which the matrix `A K A^H` is stored for the error bars."""

_LEAST_NOISE = 2e-3
"""Of the data's root mean square: noise below it is taken to be as large. Pictures hardly differ, and it converges."""

_MOST = 3000
"""Iterations of the linear problem where it is the answer."""

_UNFINISHED = (
    f"The field was left after {_MOST:,} iterations: what the measurement hardly sees may still be off by a good part of its error "
    "bar. A smoother kernel, or more noise, ends sooner."
)

_STEPS = 800
"""Iterations of the field at most."""

_SETTLED = 1e-3
"""Change of the field in an iteration, relative, from which on it is said to have been left."""

_UNSETTLED = (
    f"The field was left after {_STEPS:,} iterations, in the last of which it changed by {{:.1%}}: it may be far from the answer. "
    "A `total_variation` or `mean` that was given may be too large beside the data."
)


@dataclass(frozen=True, eq=False)
class Solved:
    """The field, and the fields it is compared with, as parts `[p, *shape]`.

    Attributes:
        field: The answer.
        choice: What it solves.
        path: What was tried of total variation; None where its strength was given.
        alternatives: By name.
        gap: Change of the field in the last iteration, relative; of the linear problem what is left of its gradient.
        notes: What did not come to its end.
    """

    field: Float[Tensor, "p ..."]
    choice: Choice
    path: Path | None
    alternatives: dict[str, Float[Tensor, "p ..."]]
    gap: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ReconstructionProblem:
    """Data and what is asked of them.

    Attributes:
        system: The measurement.
        y: `[p, m]`, weighted.
        bounds: Of the field.
        mean: A number; None to fit it.
        say: Called with a line of text at each stage.
    """

    system: System
    y: Float[Tensor, "p m"]
    bounds: Bounds
    mean: float | None
    say: Callable[[str], None]

    @cached_property
    def bare_system(self) -> System:
        """The measurement for fields without a kernel."""
        return replace(self.system, is_wrapped=True)

    @cached_property
    def flat(self) -> Float[Tensor, "p m"]:
        """`A 1`, weighted, of each part; of complex fields the real part is one."""
        ones = torch.ones(len(self.y), *self.system.measurement.field_shape, dtype=torch.float64)
        if self.system.measurement.is_complex:
            ones[1::2] = 0
        return self.system.forward(ones[None])[0]

    def priors(self, priors: Sequence[TorusPrior]) -> list[tuple[TorusPrior, PriorRow]]:
        """The kernels with what the data say of them, the likeliest first."""
        rows = part_of_data(self.system)
        fits = self.mean is None and not self.system.measurement.is_complex
        given = self.mean or 0.0
        y = self.y - given * self.flat
        self.say("Marginal likelihood of " + ", ".join(prior.name for prior in priors))
        found = []
        for prior, spectrum in zip(priors, data_spectra(self.system, priors, rows), strict=True):
            row = evidence(
                spectrum,
                y,
                self.flat if fits else None,
                is_complex=self.system.measurement.is_complex,
                given=given,
            )
            found.append((prior, row))
        return sorted(found, key=lambda pair: -pair[1].log_evidence)

    def with_noise(self, row: PriorRow) -> PriorRow:
        """The same with a noise that the solvers can work with, where it is next to none."""
        least = _LEAST_NOISE * float(self.y[:, self.system.counts].square().mean().sqrt())
        if row.noise >= least:
            return row
        return replace(row, noise=least, weight=(least / row.scale) ** 2)

    def solved(self, prior: TorusPrior, row: PriorRow, total_variation: bool | float) -> Solved:
        """The field of the whole problem, beside that of total variation alone and of the kernel alone."""
        row = self.with_noise(row)
        is_linear = total_variation is False and self.bounds is None
        by_kernel, linear = self.kernel_alone(prior, row, to_the_end=is_linear)
        if is_linear:
            choice = self._choice(prior.name, row, row.weight, 0.0)
            notes = (_UNFINISHED,) if linear.iterations >= _MOST else ()
            return Solved(by_kernel, choice, None, {}, float(linear.residuals[0]), notes)
        is_bare = self.system.has_one_coil and total_variation is not False
        share = 0.0 if is_bare else SHARE
        method = self.solver(row, is_bare=is_bare)
        path, others = None, {"kernel alone": by_kernel}
        if total_variation is True:
            path = self.path(prior, row)
            best, alone = path.chosen(), path.best(0.0)
            weight, strength = best.share * row.weight, best.total_variation
            terms = self.terms(prior, row, 0.0, alone.total_variation)
            others["total variation alone"], gap = self._field(method, row, terms, path.start)
            field = others["total variation alone"]
            if best.share > 0:
                terms = self.terms(prior, row, weight, strength)
                start = kernel_start(method, linear, terms)
                field, own = self._field(method, row, terms, start)
                gap = max(gap, own)
        else:
            weight = row.weight if total_variation is False else share * row.weight
            strength = float(total_variation)
            terms = self.terms(prior, row, weight, strength)
            start = None if weight == 0 else kernel_start(method, linear, terms)
            field, gap = self._field(method, row, terms, start)
        choice = self._choice(prior.name, row, weight, strength)
        notes = () if gap < _SETTLED else (_UNSETTLED.format(gap),)
        return Solved(field, choice, path, others, gap, notes)

    def solver(self, row: PriorRow, *, is_near: bool = True, is_bare: bool = False) -> PrimalDual:
        """The method by which fields are found; one that is not near the end takes other steps, a bare one has no kernel."""
        system = self.bare_system if is_bare else self.system
        likely = balance(system) if system.has_one_coil else row.weight
        return PrimalDual(system, self.y, scale=row.scale, ridge=likely, is_near=is_near)

    def path(self, prior: TorusPrior, row: PriorRow) -> Path:
        """The strengths of total variation, each judged by held-out data."""
        unit = row.weight * row.scale
        if self.system.has_one_coil:
            method = self.solver(row, is_near=False, is_bare=True)
            terms, scale = self.terms(prior, row, 0.0, 0.0), row.scale
            return try_alone(
                method,
                self.bare_system,
                self.y,
                terms,
                unit=unit,
                scale=scale,
                noise=row.noise,
                say=self.say,
            )
        return try_variations(
            self.solver(row, is_near=False),
            self.system,
            self.y,
            self.terms(prior, row, row.weight, 0.0),
            share=SHARE,
            unit=unit,
            noise=row.noise,
            say=self.say,
        )

    def deviation(
        self, prior: TorusPrior, row: PriorRow, solved: Solved, generator: Generator
    ) -> Float[Tensor, "..."]:
        """Standard deviation at each point: of the linear problem as it is, else under a prior that follows the estimate."""
        self.say("Error bars")
        used: TorusPrior | LocalPrior = prior
        if solved.choice.total_variation > 0 or self.bounds is not None:
            rows = part_of_data(self.system, most=_LOCAL_DATA)
            y = self.y - row.mean * self.flat
            used, row = local_prior(self.system, prior, solved.field, y, rows)
        row = self.with_noise(row)  # the problem that was solved
        if self.system.n_data <= _DENSE:
            return exact_deviation(self.system, used, row)
        return deviation_of(self.system, used, row, generator=generator)

    def kernel_alone(
        self, prior: TorusPrior, row: PriorRow, *, to_the_end: bool
    ) -> tuple[Float[Tensor, "p ..."], LinearFields]:
        """Without bounds and total variation, at the ridge of marginal likelihood; and the same less the mean, as it was solved."""
        self.say("The kernel alone")
        data = (self.y - row.mean * self.flat)[None]
        tolerance, excess, most = (1e-5, 1e-2, _MOST)
        if not to_the_end:
            tolerance, excess, most = (rough_tolerance(self.system), 0.3, 300)
        found = kernel_fields(
            self.system,
            prior,
            data if to_the_end else data.float(),
            [row.weight],
            tolerance=tolerance,
            excess=excess * row.scale**2,
            iterations=most,
            keeps_waves=not to_the_end,
        )
        field = found.fields[0, 0].double()
        field[:: 2 if self.system.measurement.is_complex else 1] += row.mean
        return field, found

    def terms(self, prior: TorusPrior, row: PriorRow, weight: float, strength: float) -> Terms:
        """One problem on all data."""
        return Terms(
            torch.ones(1, 1, self.system.n_data, dtype=torch.float64),
            torch.tensor([weight], dtype=torch.float64),
            torch.tensor([strength], dtype=torch.float64),
            prior.spectrum if weight > 0 else None,
            row.mean,
            self.bounds,
        )

    def _field(
        self, method: PrimalDual, row: PriorRow, terms: Terms, start: State | None
    ) -> tuple[Float[Tensor, "p ..."], float]:
        """The field of a problem on all data, and its change in the last iteration.

        Raises:
            NumericalError: It is not finite.
        """
        self.say("The field")
        if start is None:
            start = state_from_above(method, terms, unit=row.weight * row.scale)
        state = method.solve(terms, start=start, tolerance=2e-5, iterations=_STEPS)
        field = method.field(state, terms)[0]
        if not bool(torch.isfinite(field).all()):
            raise NumericalError(
                "The field came out as NaN or infinity: `total_variation`, `mean` or `bounds` is too large beside `y` for "
                "single precision. Pass one nearer to the data, or leave it out."
            )
        return field, state.change

    def _choice(self, name: str, row: PriorRow, weight: float, strength: float) -> Choice:
        return Choice(
            prior=name if weight else None,
            weight=weight,
            total_variation=strength,
            bounds=self.bounds,
            mean=row.mean,
            noise=row.noise,
            scale=row.scale,
        )
