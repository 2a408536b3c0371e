"""What training a network through a measurement does to the field, predicted from the kernel alone."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isinf, prod

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from ntkit._core.checks import moments, non_negative, positive
from ntkit._core.errors import NumericalError
from ntkit.dynamics.gradient_descent import DescentResponse
from ntkit.grids import Grid
from ntkit.kernels import AbstractKernel, gram
from ntkit.measurements import AbstractMeasurement
from ntkit.operators import AbstractOperator
from ntkit.reconstruction.data_kernel import DataKernel, DataStructure
from ntkit.solvers import AbstractResponse, FlowResponse, Limit, prepare, with_ridge
from ntkit.tasks.measured_data import checked_data, grid_of

__all__ = ["PredictedTraining", "predict_training"]


@dataclass(frozen=True, eq=False)
class PredictedTraining:
    """A field on its way through a training on measurements of it.

    Attributes:
        moments: Times of gradient flow, or numbers of steps.
        field: `[t, *field_shape]`, or `[t, *field_shape, o]` where the data have an axis of outputs.
        data: `A f`, in the shape of the data behind the axis of moments.
        loss: `1/2 |A f - y|^2`, one number a moment.
        lr: Learning rate; None for gradient flow.
        largest_eigenvalue: Of `A K A^H`: gradient descent is stable for learning rates below 2 over it.
        method: "eigh" where the matrix was stored, else "chebyshev" and for the end of training "cg".
        products: With `A K A^H`, where it was not stored.
        error: Relative error of what is left of the data, as of `ntkit.solvers.FlowSolution`.

    Example:
        >>> import ntkit, torch
        >>> A = ntkit.measurements.Samples.every_other((8,))
        >>> y, kernel = torch.ones(4).double(), ntkit.kernels.RBF(0.2)
        >>> found = ntkit.reconstruction.predict_training(y, A, kernel, times=[0.0, float("inf")])
        >>> isinstance(found, PredictedTraining), found.field.shape
        (True, torch.Size([2, 8]))
    """

    moments: tuple[float, ...]
    field: Shaped[Tensor, "..."]
    data: Shaped[Tensor, "..."]
    loss: Float[Tensor, " t"]
    lr: float | None
    largest_eigenvalue: float
    method: str
    products: int
    error: float


@torch.no_grad()
def predict_training(
    y: Shaped[Tensor, "..."],
    A: AbstractMeasurement,
    kernel: AbstractKernel | AbstractOperator,
    grid: Grid | None = None,
    times: Sequence[float] | Tensor | None = None,
    *,
    steps: Sequence[float] | Tensor | None = None,
    lr: float | None = None,
    start: Shaped[Tensor, "..."] | None = None,
    ridge: float = 0.0,
    structure: DataStructure = "auto",
    tolerance: float = 1e-8,
    on_step: Callable[[], None] | None = None,
) -> PredictedTraining:
    """The field of a wide network that is trained through a measurement, at all moments, without training it.

    With the loss `1/2 |A f - y|^2`, and the tangent kernel `K` on the grid,
    `f(t) = f_0 + K A^H H_t(A K A^H) (y - A f_0)`, where `H_t(s) = (1 - exp(-t s)) / s` for gradient flow and
    `(1 - (1 - lr s)^k) / s` after `k` steps of gradient descent. Outputs, and the real and imaginary part of a
    complex field, are each learned alone, as in a network of infinite width.

    Args:
        y: Data, `[*data_shape]` or `[*data_shape, o]`; complex where the measurement is.
        A: The measurement.
        kernel: A kernel, or its matrix on the points of the grid as an operator.
        grid: Where the field is known to the measurement; that of `A` if left out.
        times: Times of gradient flow, `lr * steps` for small steps; infinity included.
        steps: In their place: whole numbers of steps of gradient descent; infinity included.
        lr: Its learning rate; 1 over the largest eigenvalue of `A K A^H` if left out.
        start: `f_0` on the grid, as the field; zero if left out, as of a symmetrised network.
        ridge: Weight decay towards the start: adds `ridge / 2 * |parameters - start|^2` to the loss.
        structure: Whether `A K A^H` is stored: "dense" takes its eigenvectors, "matrix-free" one Chebyshev recurrence for
            all moments, and conjugate gradients for the end of training. "auto" stores up to 1,024 numbers of data.
        tolerance: Relative error of what is not stored.
        on_step: Called once a product with `A K A^H`.

    Raises:
        ValueError: Shapes do not fit, or an argument is out of range.
        NumericalError: Training diverges past the range of numbers.

    Complex data of a real measurement are a `TypeError`, and so are real ones of a complex one.

    Cost: a product with the kernel, with `A` and with its adjoint, some `sqrt(t * largest eigenvalue)` times; where the
    matrix is stored once a number of the data, and the cube of their number.

    Source: ntkit's own; for samples it is Lee et al. 2019 (arXiv:1902.06720), section 2.2. A linear map of a
    function that follows its kernel follows the kernel `A K A^H`.

    Example:
        >>> from ntkit.kernels import RBF
        >>> from ntkit.measurements import Samples
        >>> A, y = Samples.every_other((8,)), torch.tensor([0.0, 1.0, 0.0, -1.0]).double()
        >>> found = predict_training(y, A, RBF(0.2), times=[0.0, 1.0, float("inf")])
        >>> found.field.shape
        torch.Size([3, 8])
        >>> torch.allclose(found.field[2, ::2], y)
        True
    """
    if (times is None) == (steps is None):
        raise ValueError("Pass `times=` of gradient flow, or `steps=` of gradient descent.")
    if lr is not None and steps is None:
        raise ValueError(f"`lr={lr!r}` is of `steps=`; gradient flow has none.")
    data, tail = checked_data(y, A), tuple(y.shape[len(A.data_shape) :])
    own = DataKernel(A, _prior(kernel, A, grid))
    data = data.to(own.prior.device)
    first = None if start is None else _started(start, A, tail).to(data)
    rest = data if first is None else data - A(first)
    ready = prepare(
        own.operator(structure, on_step), own.rows(rest), tolerance=tolerance, on_step=on_step
    )
    largest = ready.largest()
    shift = non_negative("ridge", ridge)
    rate, at, responses = _moments(times, steps, lr, largest + shift)
    if rate is not None and rate * (largest + shift) > 2:
        warnings.warn(
            f"`lr={rate:.6g}` exceeds the limit of stability {2 / (largest + shift):.6g}: training diverges in the "
            "modes of the largest eigenvalues.",
            stacklevel=3,  # past the decorator
        )
    found = ready.solve([with_ridge(response, shift) for response in responses])
    if not bool(torch.isfinite(found.weights).all()):
        raise NumericalError(
            f"Training diverges past the range of numbers by {max(at):g}: take `lr` below {2 / largest:.6g}."
        )
    n = len(at)
    field = own.smoothed(found.weights.flatten(0, 1))
    field = field.reshape(*A.field_shape, n, -1).movedim(-2, 0)
    left = own.data(found.decay.flatten(0, 1)).reshape(*A.data_shape, n, -1).movedim(-2, 0)
    if first is not None:
        field = field + first
    return PredictedTraining(
        moments=at,
        field=field.reshape(n, *A.field_shape, *tail).to(y),
        data=(data - left).reshape(n, *A.data_shape, *tail).to(y),
        loss=0.5 * found.decay.square().sum((1, 2)).to(y.device),
        lr=rate,
        largest_eigenvalue=largest,
        method=found.method,
        products=found.products,
        error=found.error,
    )


def _prior(
    kernel: AbstractKernel | AbstractOperator, A: AbstractMeasurement, grid: Grid | None
) -> AbstractOperator:
    """`K` on the grid.

    Raises:
        ValueError: It has not as many points as the field.
    """
    points = grid_of(A, grid)
    op = kernel
    if not isinstance(op, AbstractOperator):
        op = gram(op, points)
    size = prod(A.field_shape)
    if op.shape != (size, size):
        raise ValueError(
            f"`kernel` has a matrix of {op.shape[0]} x {op.shape[1]} on the grid, and the field has {size} points. "
            "A kernel of all pairs of outputs is not taken: pass that of one output."
        )
    return op


def _started(start: Tensor, A: AbstractMeasurement, tail: tuple[int, ...]) -> Tensor:
    """`f_0`, `[*field_shape, o]`, in double precision.

    Raises:
        ValueError: It has another shape.
    """
    if tuple(start.shape) != (*A.field_shape, *tail):
        raise ValueError(
            f"`start` has shape {tuple(start.shape)}; {(*A.field_shape, *tail)} is needed."
        )
    wide = torch.complex128 if A.is_complex else torch.float64
    return start.to(wide).reshape(*A.field_shape, -1)


def _moments(
    times: Sequence[float] | Tensor | None,
    steps: Sequence[float] | Tensor | None,
    lr: float | None,
    largest: float,
) -> tuple[float | None, tuple[float, ...], list[AbstractResponse]]:
    """The learning rate, the moments, and what training has done to a mode by each."""
    if steps is None:
        assert times is not None
        at = moments("times", times)
        return None, at, [Limit() if isinf(t) else FlowResponse(t) for t in at]
    rate = 1 / (largest or 1.0) if lr is None else positive("lr", lr)
    at = moments("steps", steps)
    return rate, at, [_after(step, rate, 2 / (largest or 1.0)) for step in at]


def _after(step: float, lr: float, limit: float) -> AbstractResponse:
    """Gradient descent after some steps, or at its end.

    Raises:
        ValueError: The number is not whole.
        NumericalError: There is no end.
    """
    if isinf(step):
        if lr >= limit:
            raise NumericalError(
                f"Training does not end: `lr={lr:.6g}` is not below the limit of stability {limit:.6g}."
            )
        return Limit()
    if step != int(step):
        raise ValueError(f"`steps={step!r}` must be a whole number, or infinity.")
    return DescentResponse(lr, int(step))
