"""What all predictions of training on squares share: targets, start, ridge, answers at all moments."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from math import inf, prod
from typing import Any, ClassVar, TypedDict

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit._core.checks import moments, non_negative, positive, root_weights
from ntkit._core.copies import snapshot
from ntkit._core.errors import NumericalError
from ntkit._core.executor import Executor
from ntkit.dynamics.expansion import Expansion, FlowStructure, as_tensor
from ntkit.dynamics.parameters import trained_parameters
from ntkit.dynamics.shown_training import ShownTraining
from ntkit.dynamics.stopping import Ripple, Stopping, best_moment
from ntkit.dynamics.targets import fitting_targets, output_axes, start_values
from ntkit.grids import Grid
from ntkit.kernels.base import AbstractKernel
from ntkit.operators.base import AbstractOperator
from ntkit.operators.dense import DenseOperator
from ntkit.operators.scaled import scaled
from ntkit.solvers.eigenbasis import Eigenbasis
from ntkit.solvers.flow import prepare
from ntkit.solvers.flow_solution import AbstractPrepared, FlowSolution
from ntkit.solvers.pivoted_cholesky import Factor
from ntkit.solvers.response import AbstractResponse, with_ridge

__all__ = ["AbstractTraining", "OptimiserFactory", "TrainingOptions"]

OptimiserFactory = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]

_TOGETHER = 64
"""Moments of a search that are predicted at a time."""

_MOST, _MOST_PRODUCTS = 5_000, 400
"""Moments of a search where a moment is a scaling, and where it is a series of its own."""

_DEFAULT_TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-6}  # half the digits; ten ulp


class TrainingOptions(TypedDict, total=False):
    """Options that every rule takes.

    Attributes:
        f0: The initial function, called on points `[m, d]`; zero if left out (a symmetrised
            network).
        ridge: Weight decay towards the start: adds `ridge / 2 * |parameters - start|^2` to the loss.
        sample_weights: `[n]`, 0 or more: the loss is `1/2 * sum_i w_i (f_i - y_i)^2`.
        structure: As in `ntkit.gram`, or "low-rank": pivoted Cholesky. "auto" takes low rank
            where the points are no grid of a stationary kernel and a dense matrix would exceed
            1 GiB. `.kind` says which it is.
        dtype: Precision of the long recurrence on grids, and of the eigenvectors of dense matrices;
            float32 halves their time. The kernel, the top of its spectrum on grids and the
            predictions from it stay float64.
        tolerance: Relative error allowed to truncated series and iterative solves; 1e-8 in float64
            and 1e-6 in float32 by default.
        low_rank_tolerance: Share of the kernel's trace that a low-rank factor may leave out.
        max_rank: Columns of a low-rank factor.
        executor: Where the kernel's tiles are computed, as in `ntkit.gram`: nothing is stored, and `structure` is "tiled".
        on_step: Called once a product with the operator, for progress bars.

    Example:
        >>> import ntkit, torch
        >>> options: TrainingOptions = {"ridge": 0.1}
        >>> x = torch.rand(4, 1).double()
        >>> flow = ntkit.GradientFlow(ntkit.kernels.RBF(0.5), x, x[:, 0], **options)
        >>> flow.predict(x, [1.0]).shape
        torch.Size([1, 4])
    """

    f0: Callable[[Tensor], Tensor] | None
    ridge: float
    sample_weights: Tensor | None
    structure: FlowStructure
    dtype: torch.dtype
    tolerance: float | None
    low_rank_tolerance: float
    max_rank: int
    executor: Executor | None
    on_step: Callable[[], None] | None


class AbstractTraining(ShownTraining):
    """A function with a fixed kernel trained on squares by a linear rule, known at every moment.

    With `A = K + ridge`, and `H` what the rule makes of an eigenvalue by a moment, the function is
    `f_0(x) + K(x, X) H(A) (y - f_0(X))`.

    Args:
        kernel: Any kernel.
        points: Training points: a `Grid`, or a tensor `[n, ...]`.
        y: Targets: `[n]`, `[n, o]`, or in the shape of the grid, `[*grid.shape]` or
            `[*grid.shape, o]`.
        options: See `TrainingOptions`.

    Raises:
        TypeError: An option is unknown, or `dtype` is neither float32 nor float64.

    Attributes:
        ridge: Weight decay towards the start.
    """

    _in_steps: bool
    forgotten: ClassVar[dict[str, Any]] = {"_features": None}

    def __init__(
        self,
        kernel: AbstractKernel,
        points: Grid | Tensor,
        y: Tensor,
        options: TrainingOptions,
    ) -> None:
        unknown = sorted(set(options) - set(TrainingOptions.__annotations__))
        if unknown:
            raise TypeError(
                f"`{type(self).__name__}` has no option `{unknown[0]}`; it takes "
                f"{', '.join(TrainingOptions.__annotations__)}."
            )
        self._dtype = options.get("dtype", torch.float64)
        if self._dtype not in _DEFAULT_TOLERANCE:
            raise TypeError(f"`dtype={self._dtype}` must be torch.float32 or torch.float64.")
        tolerance = options.get("tolerance")
        self._tolerance = positive(
            "tolerance", _DEFAULT_TOLERANCE[self._dtype] if tolerance is None else tolerance
        )
        self.ridge: float = non_negative("ridge", options.get("ridge", 0.0))
        self._tail = output_axes(points, y)
        # of this moment, whatever becomes of the user's network and numbers
        kernel, self._f0, points, y = snapshot((kernel, options.get("f0"), points, y))
        self._on_step = options.get("on_step")
        self._out_dtype = y.dtype
        self._targets = y
        self._expansion = Expansion(
            kernel,
            points,
            prod(self._tail),
            structure=options.get("structure", "auto"),
            low_rank_tolerance=options.get("low_rank_tolerance", 1e-8),
            max_rank=options.get("max_rank", 2000),
            executor=options.get("executor"),
        )
        self._scale = self._root_weights(options.get("sample_weights"))
        targets = y.double().reshape(len(points), -1)
        if self._f0 is not None:
            start = self._initial(points)
            targets = targets.to(start.device) - start
        self._residual = self._expansion.rows(targets)
        self._features: tuple[DenseOperator, Tensor] | None = None
        self._solved: dict[tuple[float, ...], FlowSolution] = {}

    @abstractmethod
    def _response(self, moment: float) -> AbstractResponse:
        """What the rule, without a ridge, has done by a checked moment."""

    @property
    @abstractmethod
    def _time_unit(self) -> float:
        """Gradient-flow time that a moment is worth, to leading order: 1, or that of one step."""

    @abstractmethod
    def optimiser(self) -> OptimiserFactory | None:
        """Makes the optimiser that the rule predicts; None for a flow, which has no steps."""

    @abstractmethod
    def moment(self, step: int, lr: float) -> float:
        """Where a training of learning rate `lr` is after `step` steps: a moment of the rule."""

    @property
    def points(self) -> Grid | Tensor:
        """The training points, a copy."""
        points = self._expansion.points
        return points if isinstance(points, Grid) else points.clone()

    @property
    def targets(self) -> Tensor:
        """`y`, a copy."""
        return self._targets.clone()

    @property
    def targets_tail(self) -> tuple[int, ...]:
        """Axes of the targets behind those of the points: `()` or `(o,)`."""
        return self._tail

    @property
    def sample_weights(self) -> Float[Tensor, " n"]:
        """Weight of each sample in the loss, 1 unless given."""
        n = len(self._expansion.points)
        if self._scale is None:
            return torch.ones(n, dtype=torch.float64)
        return (self._scale**2).reshape(n, -1)[:, 0]

    @property
    def has_start(self) -> bool:
        """Whether an initial function was given; without, the prediction starts at zero."""
        return self._f0 is not None

    @property
    def operator(self) -> AbstractOperator:
        """The kernel matrix of the training points."""
        return self._expansion.operator

    @property
    def kind(self) -> str:
        """What the kernel matrix is held as: "toeplitz", "circulant", "dense", ..."""
        return self.operator.kind

    @property
    def factor(self) -> Factor | None:
        """The low-rank factor with its stated error, where one is used."""
        return self._expansion.factor

    @property
    def largest_eigenvalue(self) -> float:
        """Of the kernel matrix, between the roots of the sample weights, with the ridge added."""
        return self._prepared.largest() + self.ridge

    def solution(self, times: Sequence[float] | Tensor) -> FlowSolution:
        """Residuals and expansion weights at `times`, `[t, c, n]`; copies of what is kept.

        One row an output; a kernel that couples outputs has one row of all samples and outputs.
        With sample weights `w` it is the solution in which points are scaled by their roots.

        Times that are no moments of the rule, or none, are refused.
        """
        found = self._solution(self._key(times))
        return replace(found, decay=found.decay.clone(), weights=found.weights.clone())

    def _solution(self, key: tuple[float, ...]) -> FlowSolution:
        if key not in self._solved:
            found = self._prepared.solve([self._ridged(moment) for moment in key])
            _refuse_overflow(found.weights, max(key))
            self._solved[key] = found
        return self._solved[key]

    def predict(self, points: Grid | Tensor, times: Sequence[float] | Tensor) -> Tensor:
        """The trained function at `points`, at all `times` at once; the first axis is time.

        Args:
            points: A `Grid` (of a spacing that divides the training grid's, if that is a grid), or
                a tensor `[m, ...]`. The kernel at the last tensor is kept.
            times: Times of a flow, or steps of a discrete rule; infinity included.

        Returns:
            `[t, m]` or `[t, m, o]`; `[t, *grid.shape]` or `[t, *grid.shape, o]` on a grid.
        """
        features = self._projected(points)
        if features is None:
            values = self._expansion(points, self.expansion_weights(times)).double()
        else:
            key, prepared = self._key(times), self._prepared
            assert isinstance(prepared, Eigenbasis)
            learned = prepared.through(features, [self._ridged(moment) for moment in key])
            _refuse_overflow(learned, max(key))
            values = self._expansion.values(learned).double()
        if self._f0 is not None:
            values = values + self._initial(points).to(values.device)
        shape = points.shape if isinstance(points, Grid) else (len(points),)
        return values.reshape(len(values), *shape, *self._tail).to(self._out_dtype)

    def loss(self, times: Sequence[float] | Tensor) -> Tensor:
        """`1/2 * sum (f - y)^2` over the training points and outputs, one number a time.

        Each sample counts by its weight; the ridge is not part of it.
        """
        return 0.5 * (self._solution(self._key(times)).decay.double() ** 2).sum((1, 2))

    def expansion_weights(self, times: Sequence[float] | Tensor) -> Float[Tensor, "t c n"]:
        """`a` of the function `f_0(x) + sum_i K(x, x_i) a_i`, at `times`, in rows as `solution`."""
        key, prepared = self._key(times), self._prepared
        if isinstance(prepared, Eigenbasis) and key not in self._solved:
            weights = prepared.weights([self._ridged(moment) for moment in key])
            _refuse_overflow(weights, max(key))
        else:
            weights = self._solution(key).weights.clone()
        return weights if self._scale is None else weights * self._scale.to(weights)

    def weights(self, time: float) -> dict[str, Tensor]:
        """The parameters of the linearised network at `time`: load them to jump there.

        `theta_0 + J(X)^T a`, by one backward pass. `network.load_state_dict(flow.weights(t),
        strict=False)` jumps a network there; so does a copy of it, linearised (`ntkit.linearize`),
        which then predicts exactly what the kernel does, if `f0` is the network.

        Args:
            time: A moment of the rule.

        Returns:
            The parameters of the kernel's module that it differentiates by, by name. Kernels without
            parameters, and averages over several outputs, are refused.
        """
        a = self._expansion.values(self.expansion_weights([time]))[0]
        return trained_parameters(self._expansion, a)

    def best_time(self, points: Grid | Tensor, y: Tensor) -> Stopping:
        """When to stop: the moment of the least squared error on validation points.

        Args:
            points: Validation points.
            y: Their targets, in the layout of `predict` at one time; an axis for one output may stand
                or be left out.

        Returns:
            The moment, its error, and the curve that was searched: a logarithmic scan from well
            before the fastest mode learns, and infinity; where modes oscillate, eight moments in
            each turn of the fastest; then finer about the lowest five minima. Where they turn too
            often for that a warning says so.
        """
        truth = fitting_targets("y", points, y, self._tail)

        @torch.no_grad()
        def errors(moments: list[float]) -> Tensor:
            parts = [
                self.predict(points, moments[i : i + _TOGETHER]).double().reshape(-1, *truth.shape)
                for i in range(0, len(moments), _TOGETHER)
            ]
            return torch.cat([(p - truth.to(p)).square().mean((1, 2)) for p in parts])

        # From before the fastest mode's moment to where rounding ends all learning.
        # (Of a kernel that is zero everywhere no moment differs from another.)
        fastest = 1 / ((self.largest_eigenvalue or 1.0) * self._time_unit)
        scan = [fastest * 10 ** (k / 8 - 2) for k in range(17 * 8)]
        most = _MOST if isinstance(self._prepared, Eigenbasis) else _MOST_PRODUCTS
        return best_moment(errors, scan, in_steps=self._in_steps, ripple=self._ripple(), most=most)

    def _ripple(self) -> Ripple | None:
        """How long and how fast modes swing about their targets; None where they do not."""
        return None

    @cached_property
    def _prepared(self) -> AbstractPrepared:
        operator, residual = self.operator, self._residual
        if self._scale is not None:
            operator, residual = scaled(operator, self._scale), residual * self._scale
        return prepare(
            operator,
            residual,
            tolerance=self._tolerance,
            dtype=self._dtype,
            on_step=self._on_step,
        )

    def _projected(self, points: Grid | Tensor) -> Tensor | None:
        """The kernel at `points` in the eigenbasis, kept for new times at the last points.

        None where there is none, or where so many points would cost more than the basis itself.
        """
        prepared = self._prepared
        if not isinstance(prepared, Eigenbasis) or prepared.into is None:
            return None
        if not isinstance(points, Tensor) or 2 * len(points) > len(self._expansion.points):
            return None
        cross = self._expansion.cross(points)
        if not isinstance(cross, DenseOperator):
            return None
        if self._features is None or self._features[0] is not cross:
            rows = cross.matrix if self._scale is None else cross.matrix * self._scale
            self._features = cross, prepared.into(rows.to(prepared.spectrum.dtype))
        return self._features[1]

    def _key(self, times: Sequence[float] | Tensor) -> tuple[float, ...]:
        """Checked moments."""
        name = "steps" if self._in_steps else "times"
        return tuple(self._checked(t) for t in moments(name, times))

    def _checked(self, moment: float) -> float:
        """The moment, refused unless whole where it counts steps.

        Raises:
            ValueError: It is refused.
        """
        if self._in_steps and moment < inf and moment != int(moment):
            raise ValueError(f"`steps={moment!r}` must be a whole number, or infinity.")
        return moment

    def _ridged(self, moment: float) -> AbstractResponse:
        return with_ridge(self._response(moment), self.ridge)

    def _initial(self, points: Grid | Tensor) -> Tensor:
        """`f_0` at points, `[n, o]`.

        Raises:
            ValueError: It has not the outputs of the targets.
        """
        assert self._f0 is not None
        x = as_tensor(self._expansion.kernel, points)
        start = start_values(self._f0, x, self._out_dtype)
        start = start[:, None] if start.ndim == 1 else start.flatten(1)
        if start.shape[1] != prod(self._tail):
            raise ValueError(
                f"`f0(points)` has {start.shape[1]} outputs a point, and `y` has {prod(self._tail)}. "
                "Pass targets of as many, or wrap `f0` in a function that picks them."
            )
        return start

    def _root_weights(self, weights: Tensor | None) -> Tensor | None:
        """`sqrt(w)`, one an entry of a row."""
        if weights is None:
            return None
        repeats = prod(self._tail) if self._expansion.is_coupled else 1
        roots = root_weights(weights, len(self._expansion.points))
        return roots.to(self._expansion.operator.device).repeat_interleave(repeats)


def _refuse_overflow(weights: Tensor, moment: float) -> None:
    """Refuse what is not finite.

    Raises:
        NumericalError: Training diverges, beyond the range of numbers.
    """
    if not bool(torch.isfinite(weights).all()):
        raise NumericalError(
            f"Training diverges past the range of numbers by {moment:g}: the rule is not stable. "
            "Take a smaller `lr`, or fewer steps."
        )
