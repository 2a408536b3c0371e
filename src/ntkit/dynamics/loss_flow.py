"""Training by gradient flow on any loss, predicted from the kernel by integrating in time."""

import importlib
import warnings
from collections.abc import Callable, Sequence
from math import prod
from types import ModuleType
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import jacrev

from ntkit._core.checks import finite, moments, positive, positive_int
from ntkit._core.copies import snapshot
from ntkit._core.derivatives import without_derivative
from ntkit._core.errors import NumericalError
from ntkit._core.pickling import Kept
from ntkit.dynamics.expansion import Expansion, FlowStructure, as_tensor
from ntkit.dynamics.targets import start_values
from ntkit.dynamics.watch import Watch
from ntkit.grids import Grid
from ntkit.kernels.base import AbstractKernel
from ntkit.operators.dense import DenseOperator
from ntkit.solvers.tracked import source_of

__all__ = ["LossFlow", "OdeMethod"]

OdeMethod = Literal["LSODA", "BDF", "Radau", "DOP853", "RK45"]

_NO_DERIVATIVE = (
    "A derivative of `LossFlow` by the kernel, the targets or the start was asked for, and it has none. "
    "Work under `torch.no_grad()`, take differences, or for squares use `ntkit.GradientFlow`."
)

_STIFF = {"LSODA", "BDF", "Radau"}


class LossFlow(Kept):
    """Predictions of a network with a fixed kernel, trained by gradient flow on a loss of your own.

    `f_t(x) = f_0(x) + K(x, X) a_t` with `da/dt = -dL/df(f_t(X))`, `a_0 = 0`, integrated by
    `scipy.integrate.solve_ivp` with adaptive steps. Time is in units of the loss as it is given:
    `t = lr * steps` of plain gradient descent on it, means included.

    Args:
        kernel: Any kernel.
        points: Training points, `[n, ...]` or a `Grid`.
        y: What the loss takes as its second argument: values `[n]` or `[n, o]`, or labels `[n]`.
        loss: `loss(f, y)`, one number, differentiable in `f`, whose shape is that of float targets,
            of `f0(points)`, or `[n, n_outputs]`: `torch.nn.CrossEntropyLoss()`,
            `torch.nn.HuberLoss()`, `torch.nn.BCEWithLogitsLoss()`, or any function.
        f0: The initial function, called on points; zero if left out.
        n_outputs: Outputs, where integer labels do not tell; the largest label and one more if left
            out.
        tolerance: Relative error that each step may make; the largest error of predictions is about
            ten times that.
        method: Of `solve_ivp`. "LSODA" changes to an implicit method where the problem is stiff; the
            Jacobian, `(n o)^2` numbers, is exact. "DOP853" for large and short problems.
        structure: As in `ntkit.GradientFlow`; implicit methods need a dense matrix.
        max_evaluations: Of the loss's gradient, in one integration; a Jacobian counts as ten. Most
            problems take less than a thousand. Where a loss has kinks, or is not bounded from below,
            there is no end, and `NumericalError` says so.

    Raises:
        ValueError: Shapes do not fit, or the method needs a dense matrix.

    Source: Lee et al. 2019 (arXiv:1902.06720), eq. 8; Hairer and Wanner 1996 for stiffness.

    Example:
        >>> from ntkit.kernels import RBF
        >>> x, labels = torch.tensor([[0.0], [0.4], [1.0]]), torch.tensor([0, 1, 2])
        >>> flow = LossFlow(RBF(0.5), x, labels, loss=torch.nn.CrossEntropyLoss())
        >>> flow.predict(x, [0.0, 100.0]).argmax(-1)
        tensor([[0, 0, 0],
                [0, 1, 2]])
    """

    def __init__(
        self,
        kernel: AbstractKernel,
        points: Grid | Tensor,
        y: Tensor,
        *,
        loss: Callable[[Tensor, Tensor], Tensor],
        f0: Callable[[Tensor], Tensor] | None = None,
        n_outputs: int | None = None,
        tolerance: float = 1e-8,
        method: OdeMethod = "LSODA",
        structure: FlowStructure = "auto",
        max_evaluations: int = 20_000,
    ) -> None:
        if len(y) != len(points):
            raise ValueError(f"`y` has {len(y)} entries, and there are {len(points)} points.")
        if method not in {"LSODA", "BDF", "Radau", "DOP853", "RK45"}:
            raise ValueError(
                f'`method="{method}"` must be "LSODA", "BDF", "Radau", "DOP853" or "RK45".'
            )
        _scipy()
        # of this moment, whatever becomes of the user's network and numbers
        kernel, f0, points, y, loss = snapshot((kernel, f0, points, y, _callable(loss)))
        self._f0, self._kernel, self._loss_of = f0, kernel, loss
        self._method = method
        self._tolerance = positive("tolerance", tolerance)
        self._most = positive_int("max_evaluations", max_evaluations)
        self._y = finite("y", y).double() if y.is_floating_point() else y
        self._out_dtype = points.dtype if isinstance(points, Tensor) else torch.float64
        if y.is_floating_point():
            self._out_dtype = y.dtype
        start = None if f0 is None else self._initial(points)
        self._tail = _output_axes(y, start, n_outputs)
        self._expansion = Expansion(kernel, points, prod(self._tail), structure=structure)
        device = self._expansion.operator.device
        self._start = torch.zeros(len(points), *self._tail).double() if start is None else start
        self._start, self._y = self._start.to(device), self._y.to(device)
        _check_value(self._loss_of(self._start, self._y))
        _refuse_broadcasting(self._loss_of, self._start, self._y)
        if method in _STIFF and not isinstance(self._expansion.operator, DenseOperator):
            raise ValueError(
                f'`method="{method}"` needs a dense matrix, and the kernel is held as '
                f'"{self._expansion.operator.kind}". Pass `structure="dense"`, or '
                '`method="DOP853"`.'
            )
        self._solved: dict[tuple[float, ...], Tensor] = {}

    def predict(self, points: Grid | Tensor, times: Sequence[float] | Tensor) -> Tensor:
        """The trained function at `points`, at all `times` at once; the first axis is time.

        Args:
            points: A `Grid` or a tensor `[m, ...]`.
            times: Finite times, any order.

        Returns:
            `[t, m]` or `[t, m, o]`.
        """
        rows = self.expansion_weights(times)
        learned = self._expansion(points, rows).reshape(len(rows), len(points), *self._tail)
        if self._f0 is not None:
            learned = learned + self._initial(points).to(learned.device)
        return learned.to(self._out_dtype)

    def loss(self, times: Sequence[float] | Tensor) -> Tensor:
        """The loss over the training points, one number a time."""
        weights = self.expansion_weights(times)
        values = [self._value(rows.detach()).detach() for rows in weights]
        losses = torch.stack([self._loss_of(f, self._y).detach() for f in values])
        return without_derivative(_finite_loss(losses), _NO_DERIVATIVE, weights)

    def expansion_weights(self, times: Sequence[float] | Tensor) -> Float[Tensor, "t c n"]:
        """`a_t`, in rows: one an output, or one of all where outputs couple.

        Raises:
            ValueError: A time is not finite, or there is none.
        """
        key = moments("times", times)
        if max(key) == float("inf"):
            raise ValueError(
                f"`times={list(key)}` must be one or more finite times: the end of training has no "
                "closed form for this loss."
            )
        if key not in self._solved:
            with torch.no_grad():
                self._solved[key] = self._integrated(key)
        op = self._expansion.operator
        sources = [t for t in (source_of(op), self._start, self._y) if t is not None]
        return without_derivative(self._solved[key].clone(), _NO_DERIVATIVE, *sources)

    def _integrated(self, times: tuple[float, ...]) -> Tensor:
        shape = self._expansion.rows(self._start.reshape(len(self._start), -1)).shape
        ordered = sorted({0.0, *times})
        rate = np.abs(self._rate(0.0, np.zeros(shape.numel()))).max()
        if not np.isfinite(rate):
            raise NumericalError(
                "The gradient of the loss is not finite at the start. Take a loss that is defined "
                "there, or another `f0`."
            )
        if len(ordered) == 1 or rate == 0:
            return self._start.new_zeros(len(times), *shape)
        # Weights settle at about the rate over the largest eigenvalue, which the trace bounds.
        scale = rate / (float(self._expansion.operator.diagonal().sum()) or 1.0)
        watch = Watch(self._rate, self._jacobian, self._most)
        options = {"jac": watch.jacobian} if self._method in _STIFF else {}
        with warnings.catch_warnings():
            # Older releases of SciPy warn of what stops the integration; the error below says it.
            warnings.filterwarnings("ignore", "lsoda: ", UserWarning)
            found = _scipy().solve_ivp(
                watch.rate,
                (0.0, ordered[-1]),
                np.zeros(shape.numel()),
                method=self._method,
                t_eval=ordered,
                rtol=self._tolerance,
                atol=self._tolerance * scale,
                **options,
            )
        if not found.success or not np.isfinite(found.y).all():
            raise NumericalError(
                f"The integration stopped at t = {found.t[-1]:.4g}: {found.message} "
                "Try another `method`, or a larger `tolerance`."
            )
        weights = torch.from_numpy(found.y.T.copy()).reshape(-1, *shape).to(self._start.device)
        return weights[[ordered.index(t) for t in times]]

    def _value(self, rows: Float[Tensor, "c n"]) -> Tensor:
        """The function at the training points."""
        learned = self._expansion.values(self._expansion.operator.rows(rows)[None])[0]
        return self._start + learned.reshape(self._start.shape)

    def _rate(self, _: float, a: np.ndarray) -> np.ndarray:
        op = self._expansion.operator
        rows = torch.from_numpy(a).reshape(-1, op.shape[0]).to(op.device)
        f = self._value(rows).requires_grad_()
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(self._loss_of(f, self._y), f)
        return -self._expansion.rows(slope.reshape(len(slope), -1)).flatten().cpu().numpy()

    def _jacobian(self, _: float, a: np.ndarray) -> np.ndarray:
        """`-d^2 L / df^2 K`, in the layout of rows."""
        op = self._expansion.operator
        assert isinstance(op, DenseOperator)
        rows = torch.from_numpy(a).reshape(-1, op.shape[0]).to(op.device)

        def of_rows(values: Tensor) -> Tensor:
            f = self._expansion.values(values[None])[0]
            return self._loss_of(f.reshape(self._start.shape), self._y)

        start = self._expansion.rows(self._start.reshape(len(self._start), -1))
        with torch.enable_grad():
            # Backward twice: forward derivatives of losses come with a warning of torch's own.
            curvature = jacrev(jacrev(of_rows))((start + op.rows(rows)).detach())
        # [c, n, c, n] times K along the last axis, for each output alike
        return -(curvature @ op.matrix).detach().reshape(len(a), len(a)).cpu().numpy()

    def _initial(self, points: Grid | Tensor) -> Tensor:
        assert self._f0 is not None
        return start_values(self._f0, as_tensor(self._kernel, points), self._out_dtype)


def _output_axes(y: Tensor, start: Tensor | None, n_outputs: int | None) -> tuple[int, ...]:
    """Shape of one sample's function values.

    Raises:
        ValueError: More than one axis, or a number of outputs that `f0` has not.
    """
    if n_outputs is not None:
        n_outputs = positive_int("n_outputs", n_outputs)
    if start is not None:
        tail = tuple(start.shape[1:])
        if n_outputs is not None and prod(tail) != n_outputs:
            raise ValueError(f"`n_outputs={n_outputs}`, and `f0(points)` has {prod(tail)}.")
    elif n_outputs is not None:
        tail = (n_outputs,)
    else:
        tail = tuple(y.shape[1:]) if y.is_floating_point() else (int(y.max()) + 1,)
    if len(tail) > 1:
        raise ValueError(f"`LossFlow` takes one axis of outputs, got {tail} a sample.")
    return tail


def _callable(loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """`loss`, refused unless it can be called.

    Raises:
        TypeError: It is refused.
    """
    if not callable(loss):
        raise TypeError(
            f"`loss={loss!r}` must be a function of `(f, y)`, for example "
            "`torch.nn.CrossEntropyLoss()`."
        )
    return loss


def _refuse_broadcasting(loss: Callable[[Tensor, Tensor], Tensor], f: Tensor, y: Tensor) -> None:
    """Refuse a loss in which targets of another shape than `f` act on other samples.

    `[n, 1]` against `[n]` broadcasts to all pairs. The gradient at every sample but the first is the same
    whatever the first target is, unless that has happened.

    Raises:
        ValueError: It has happened.
    """
    if f.shape == y.shape or not y.is_floating_point() or len(y) < 2:
        return
    moved = y.clone()
    moved[0] += 1
    slopes = []
    for targets in (y, moved):
        values = f.clone().requires_grad_()
        with torch.enable_grad():
            slopes.append(torch.autograd.grad(loss(values, targets), values)[0])
    if not torch.allclose(slopes[0][1:], slopes[1][1:], equal_nan=True):
        raise ValueError(
            f"`loss(f, y)` mixes samples: `f` has shape {tuple(f.shape)} and `y` {tuple(y.shape)}, which "
            f"broadcast to pairs. Pass `y` in the shape of `f`, or a loss that brings them together."
        )


def _finite_loss(value: Tensor) -> Tensor:
    """The loss, refused where it is not finite.

    Raises:
        NumericalError: It is not.
    """
    if not bool(torch.isfinite(value).all()):
        raise NumericalError(
            f"`loss(f, y)` is not finite: {value.tolist()}. Take a loss that is defined for every value "
            "of the function, or another `f0`, or earlier times."
        )
    return value


def _check_value(value: Tensor) -> None:
    """Refuse a loss that is not one finite number.

    Raises:
        ValueError: It is not one number.
    """
    if not isinstance(value, Tensor) or value.numel() != 1:
        got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(
            f"`loss(f, y)` must be one number, a tensor of one entry, got {got}. Sum or average it."
        )
    _finite_loss(value.detach())


def _scipy() -> ModuleType:
    """`scipy.integrate`.

    Raises:
        ImportError: It is not installed.
    """
    try:
        return importlib.import_module("scipy.integrate")
    except ImportError as error:
        raise ImportError("`LossFlow` integrates with scipy: `pip install scipy`.") from error
