"""The tangent kernel of a network as it stands."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ntkit._core.copies import Copier, snapshot
from ntkit._core.executor import Executor, check_executor
from ntkit.kernels.empirical.auto import Auto
from ntkit.kernels.empirical.batch import Batch, Points
from ntkit.kernels.empirical.lazy import LazyProduct
from ntkit.kernels.empirical.method import AbstractGramMethod
from ntkit.kernels.empirical.outputs import Outputs, check_outputs
from ntkit.kernels.empirical.parameter_groups import share_readings
from ntkit.kernels.empirical.plan import KernelPlan
from ntkit.kernels.empirical.spread_features import spread_features
from ntkit.kernels.empirical.spread_product import SpreadProduct
from ntkit.kernels.empirical.target import Selection, Target
from ntkit.kernels.empirical.verify import product_error
from ntkit.kernels.matrix_free import AbstractMatrixFree
from ntkit.operators import MatrixFreeOperator

__all__ = ["EmpiricalKernel", "empirical_ntk"]

_AUTO = Auto()


class EmpiricalKernel(AbstractMatrixFree):
    """`K(x, x') = J(x) J(x')^T` of a module at its present parameters; made by `ntkit.empirical_ntk`.

    Parameters are read at each call, so the kernel of a network in training is that of the moment.
    Results have the dtype of float32 or float64 points, and otherwise that of the parameters, at
    least float32; sums are formed in the parameters' dtype, at least float32.

    Example:
        >>> import ntkit, torch
        >>> kernel = ntkit.empirical_ntk(torch.nn.Linear(2, 1))
        >>> isinstance(kernel, EmpiricalKernel)
        True
    """

    def __init__(
        self,
        module: nn.Module,
        outputs: Outputs = "trace",
        params: Selection | None = None,
        method: AbstractGramMethod = _AUTO,
    ) -> None:
        outputs = check_outputs(outputs)
        self.target: Target = Target(module, params)
        self._outputs: Outputs = outputs
        self._method = method

    def __repr__(self) -> str:
        name = type(self.target.module).__name__
        return f"<empirical NTK of {name}, outputs={self._outputs!r}, {self._method!r}>"

    @property
    def method(self) -> AbstractGramMethod:
        """How it is computed."""
        return self._method

    @property
    def outputs(self) -> Outputs:
        """What becomes of several outputs: "trace", "full", or the index of one."""
        return self._outputs

    @property
    def device(self) -> torch.device | None:
        """That of the parameters."""
        return next((p.device for p in self.target.parameters), None)

    def __call__(self, x1: Points, x2: Points | None = None) -> Tensor:
        """The Gram matrix `[n, m]` of `x1` against `x2` (itself if left out); "full": `[n, m, o, o]`."""
        with self.target.evaluation() as target:
            first, second = _batches(target, x1, x2)
            found = self._method.gram(target, first, second, self._outputs)
        return found.to(self._dtype(x1))

    def diag(self, x: Points) -> Tensor:
        """`k(x_i, x_i)`, `[n]`; with outputs="full" `[n, o, o]`."""
        with self.target.evaluation() as target:
            found = self._method.diag(target, _batch(target, x), self._outputs)
        return found.to(self._dtype(x))

    def features(self, x: Points, *, executor: Executor | None = None) -> Tensor:
        """What the kernel takes dot products of, `[n, f]`; with outputs="full" `[n, o, f]`.

        The sketch with `method=Sketch(...)`; else the Jacobian itself, over the root of the number of
        outputs for the trace.

        Args:
            x: Points.
            executor: Where pieces of the points are computed; the network goes there once.
        """
        if executor is not None:
            check_executor(executor)
            with self.target.evaluation() as target:
                n = len(_batch(target, x))
            return spread_features(snapshot(self), x, n, executor)
        with self.target.evaluation() as target:
            found = self._method.features(target, _batch(target, x), self._outputs)
        return found.to(self._dtype(x))

    def size(self, x: Points) -> int:
        """Rows of the matrix: the number of points, times that of the outputs with "full"."""
        with self.target.evaluation() as target:
            batch = _batch(target, x)
            every = self._outputs == "full"
            return len(batch) * (target.probe(batch) if every else 1)

    def operator(
        self,
        x1: Points,
        x2: Points | None = None,
        *,
        dtype: torch.dtype = torch.float64,
        memory: int = 2**30,
        executor: Executor | None = None,
    ) -> MatrixFreeOperator:
        """`v -> J(x1) (J(x2)^T v)`, without the matrix; what `ntkit.gram(kernel, x, lazy=True)` makes.

        With outputs="full" a vector has `[m, o]` entries, samples first. The trace takes one product
        an output. `operator.about` says which of two ways it goes: by factors of each layer that are
        kept, where rules hold for all parameters and the memory is enough, or by derivatives of the
        network. The network is copied, and
        stays that of now.

        Args:
            x1: Row points.
            x2: Column points; `x1` if left out.
            dtype: Of what comes back; products are computed in the parameters' dtype.
            memory: Bytes for factors or graphs; with an executor in each of its places.
            executor: Where pieces of the points are computed; each place keeps the factors of those that it has met. The
                network goes there once.
        """
        still = snapshot(self)
        with still.target.evaluation() as target:
            first, second = _batches(target, x1, x2)
        first = first.copied()
        second = None if second is None else second.copied()
        of = still.target, first, second, self._outputs, memory
        product = LazyProduct(*of) if executor is None else SpreadProduct(*of, executor)
        columns = first if second is None else second
        return MatrixFreeOperator(
            product,
            _Diagonal(still.target, self._method, self._outputs, first, second),
            (product.block * len(first), product.block * len(columns)),
            inner=still.target.accumulation,
            device=still.target.device,
            dtype=dtype,
            about=product.about,
        )

    def plan(self, x: Points) -> KernelPlan:
        """How `kernel(x)` is computed: for each parameter the way, and why it is no better one."""
        with self.target.evaluation() as target:
            return self._method.plan(target, _batch(target, x), self._outputs)

    def verify(
        self, x: Points, generator: torch.Generator | None = None, *, x2: Points | None = None
    ) -> float:
        """Relative error of `K v` against `J (J^T v)` for random `v`, by samples that run alone.

        Of `x` with itself, and against two of its points on either side; with `x2` of `x` against it
        and the other way round. All the outputs that the kernel holds are in it.

        Args:
            x: Points.
            generator: Source of `v`; torch's default one if left out.
            x2: Column points.

        Returns:
            The largest of `max |K v - J J^T v| / max |J J^T v|`: a few times the precision of the
            parameters; for `Sketch`, whose matrix is none of this, about its stated error.

        Cost: two runs a point, and two backward passes for each of its outputs.
        """
        with self.target.evaluation() as target:
            first, second = _batches(target, x, x2)

            def gram(rows: Batch, columns: Batch | None) -> Tensor:
                return self._method.gram(target, rows, columns, self._outputs)

            return product_error(target, first, second, gram, self._outputs, generator)

    def copied_by(self, copier: Copier) -> "EmpiricalKernel":
        """The kernel of a copy of the module."""
        made = copier.fields(self)
        share_readings(self.target.module, made.target.module)
        return made

    def _dtype(self, points: Any) -> torch.dtype:
        kinds = [t.dtype for t in _leaves(points) if t.dtype in {torch.float32, torch.float64}]
        return kinds[0] if kinds else self.target.accumulation


def empirical_ntk(
    module: nn.Module,
    outputs: Outputs = "trace",
    *,
    params: Selection | None = None,
    method: AbstractGramMethod = _AUTO,
) -> EmpiricalKernel:
    """The tangent kernel `J(x) J(x')^T` of a module at its own weights and width, trained or not.

    The module is used in the mode that it is in and left exactly as found. Modes in which its output
    of one sample depends on the batch or on chance (BatchNorm or dropout in training) are refused:
    call `module.eval()`.

    Args:
        module: Any module that returns one floating tensor with the samples along axis 0; other axes
            are flattened into `o` outputs.
        outputs: "trace" for the sum over the outputs divided by their number, `[n, m]`; "full" for
            all pairs, `[n, m, o, o]`; an index for one output of the flattened ones, `[n, m]`.
        params: Parameters to differentiate by, as names or a predicate of name and parameter, of
            those that require gradients; all of those if left out.
        method: `Structured()`, `Contraction()`, or `Auto()`, which takes the cheaper one by estimate;
            `Sketch()` for an approximation of stated error in networks of any size.

    Returns:
        A kernel like every other: `k(x1, x2=None)`, `k.diag(x)`; points are tensors, or tuples (dicts)
        of tensors for the module's positional (keyword) arguments.

    Source: Jacot et al. 2018 (arXiv:1806.07572), eq. 4; Novak et al. 2022 (arXiv:2206.08720).

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 3, bias=False))
        >>> x = torch.tensor([[1.0, 0.0], [1.0, 2.0]])
        >>> empirical_ntk(net)(x)  # a linear network: the inner products
        tensor([[1., 1.],
                [1., 5.]])
    """
    return EmpiricalKernel(module, outputs, params, method)


def _leaves(points: Any) -> list[Tensor]:
    if isinstance(points, Tensor):
        return [points]
    return list(points.values() if isinstance(points, dict) else points)


def _batch(target: Target, x: Points) -> Batch:
    batch = target.batch("x", x)
    target.refuse_mixing(batch)
    return batch


def _batches(target: Target, x1: Points, x2: Points | None) -> tuple[Batch, Batch | None]:
    first = target.batch("x1", x1)
    second = None if x2 is None else target.batch("x2", x2)
    target.refuse_mixing(first, second)
    return first, second


@dataclass(frozen=True)
class _Diagonal:
    """The diagonal of the matrix of an operator."""

    target: Target
    method: AbstractGramMethod
    outputs: Outputs
    first: Batch
    second: Batch | None

    def __call__(self) -> Tensor:
        with self.target.evaluation() as target:
            if self.second is None:
                return _blocks(self.method.diag(target, self.first, self.outputs))
            pairs = [
                self.method.gram(
                    target, self.first[i : i + 1], self.second[i : i + 1], self.outputs
                )
                for i in range(min(len(self.first), len(self.second)))
            ]
            return _blocks(torch.cat(pairs)[:, 0])


def _blocks(found: Tensor) -> Tensor:
    """The diagonal of the matrix from `[n]` or `[n, o, o]`."""
    return found if found.ndim == 1 else found.diagonal(dim1=1, dim2=2).flatten()
