"""The NNGP and NTK of a module in the limit of infinite width."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit._core.copies import Copier
from ntkit._core.devices import device_of, refuse_without_float64
from ntkit.encodings.base import AbstractFourier
from ntkit.kernels.base import AbstractLagKernel
from ntkit.kernels.checked_points import Points, check_device, checked
from ntkit.kernels.infinite.at_shape import AtShape
from ntkit.kernels.infinite.back.gram_matrix import diagonal_values, gram_matrices, is_by_angle
from ntkit.kernels.infinite.back.lags import layers_at_gaps, values_at_gaps
from ntkit.kernels.infinite.back.out_of_range import (
    Why,
    check_range,
    nan_of_points,
    nan_of_variance,
)
from ntkit.kernels.infinite.back.request import MEMORY, Request
from ntkit.kernels.infinite.back.result_memory import Out
from ntkit.kernels.infinite.evidence.concatenated_outputs import check_heads
from ntkit.kernels.infinite.evidence.coupled_points import refuse_coupled
from ntkit.kernels.infinite.evidence.evidence import Evidence, n_outputs
from ntkit.kernels.infinite.evidence.ill_scaled import warn_of_means
from ntkit.kernels.infinite.evidence.monte_carlo import MonteCarloEstimate, estimate
from ntkit.kernels.infinite.evidence.uniform_waves import with_waves
from ntkit.kernels.infinite.front.calls.table import check_modules, is_layer, read_call
from ntkit.kernels.infinite.front.features import first_encoding, sees_encoding_alone, side
from ntkit.kernels.infinite.front.kept_traces import Traces, modes_of
from ntkit.kernels.infinite.front.lower import lower
from ntkit.kernels.infinite.front.trace import Traced
from ntkit.kernels.infinite.program.op import Side
from ntkit.kernels.infinite.program.plan import LAYERS, Plan
from ntkit.kernels.infinite.rules.variances import Variances
from ntkit.kernels.write_gram import is_zarr, write_gram

__all__ = ["InfiniteKernel", "Positions"]

Positions = Literal["each", "pairs"]


class InfiniteKernel(AbstractLagKernel):
    """Kernel of an infinitely wide network; made by `ntkit.ntk` and `ntkit.nngp`.

    Computes in float64 and returns the dtype of its input. One output of the network; all outputs
    have the same kernel and are independent. (Where many channels share one unit they are not, and a
    warning says so.)

    `kernel(x1, x2=None)` is `[n, m]`. Modules of several inputs take tuples of tensors; those of
    several outputs give a tuple of matrices. If the module's output keeps positions (an image of
    outputs), they follow: `[n, m, *positions]`, each position with itself, or
    `[n, m, *positions, *positions]` with `positions="pairs"`.

    Example:
        >>> import ntkit
        >>> net = ntkit.networks.mlp(ntkit.encodings.Basic(1), 1, width=8, depth=1)
        >>> isinstance(ntkit.ntk(net), InfiniteKernel)
        True
    """

    forgotten: ClassVar[dict[str, Any]] = {
        "_traces": None,
        "_at_shapes": {},
        "_said": set(),
        "_looked_at": set(),
    }

    def __init__(
        self,
        module: nn.Module,
        which: Literal["ntk", "nngp"],
        variances: Variances,
        positions: Positions = "each",
    ) -> None:
        if variances not in {"measured", "default"}:
            raise ValueError(f'`variances={variances!r}` must be "measured" or "default".')
        if positions not in {"each", "pairs"}:
            raise ValueError(f'`positions={positions!r}` must be "each" or "pairs".')
        self._traces = Traces(module, is_layer, check_modules)
        self._module = module
        self._which: Literal["ntk", "nngp"] = which
        self._variances: Variances = variances
        self._positions: Positions = positions
        self._said: set[object] = set()
        self._at_shapes: dict[tuple[torch.Size, ...], AtShape] = {}
        self._looked_at: set[tuple[tuple[torch.Size, ...], bool]] = set()
        self._modes = modes_of(module)

    def copied_by(self, copier: Copier) -> "InfiniteKernel":
        """The kernel of a copy of the module, which says again nothing that was said."""
        made = copier.fields(self, without=frozenset({"_at_shapes", "_fourier", "_said"}))
        made._at_shapes, made._said = {}, self._said
        return made

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._traces = Traces(self._module, is_layer, check_modules)

    @property
    def _traced(self) -> Traced:
        """The module's graph, of the points that were seen last."""
        return self._traces.latest

    @property
    def device(self) -> torch.device | None:
        """That of the network's parameters and buffers."""
        found = device_of(self._module)
        refuse_without_float64("module", found)
        return found

    def __call__(
        self,
        x1: Points,
        x2: Points | None = None,
        *,
        out: Out | None = None,
        memory: int = MEMORY,
        progress: bool | None = None,
    ) -> Any:
        """The Gram matrix, `[n, m]`, of finite float points; the class says where it is more.

        Args:
            x1: Points of the rows.
            x2: Points of the columns; `x1` if left out (or given again), and then each pair is
                computed once.
            out: Where the matrix goes, if not into fresh memory: a tensor or a numpy array
                like it, or, for matrices larger than memory, the path of a `.zarr` folder. That is filled chunk by
                chunk, and the same call goes on where it was stopped: see `ntkit.kernels.write_gram`.
            memory: Bytes for the tables of the pairs that are computed at a time; the points
                and the result come on top.
            progress: Whether to show a bar on standard error; left out, jobs of more than two
                seconds show one at a terminal.

        Returns:
            The matrix in the dtype of the points: `out` (of an array the tensor in its memory), or the Zarr
            array.

        Raises:
            ValueError: `x2` has points of another shape or dtype than `x1`.

        Cost: O(n m (f + layers)) for `f` features; with positions times their number, or the square of
        it where all pairs are kept (`plan` says which). Computed in tiles.

        Example:
            >>> from ntkit import ntk
            >>> from ntkit.networks import Linear
            >>> kernel = ntk(nn.Sequential(Linear(2, 8), nn.ReLU(), Linear(8, 1)))
            >>> matrix = torch.empty(2, 2)
            >>> kernel(torch.eye(2), out=matrix) is matrix
            True
        """
        if is_zarr(out):
            return write_gram(
                self,
                x1,
                x2,
                path=out,
                progress=progress,
                options={"memory": memory, "progress": False},
            )
        first = checked("x1", x1, self._traces.counts)
        second = None if x2 is None or x2 is x1 else checked("x2", x2, self._traces.counts)
        at_shape, left = self._ready("x1", first)
        right = None
        if second is not None:
            check_device("x2", second, next(self._module.parameters()).device)
            if [x.shape[1:] for x in second] != [x.shape[1:] for x in first]:
                raise ValueError(
                    f"`x2` has points of shape {tuple(second[0].shape[1:])}, "
                    f"and `x1` of {tuple(first[0].shape[1:])}."
                )
            if [x.dtype for x in second] != [x.dtype for x in first]:
                raise ValueError(
                    f"`x2` is {second[0].dtype}, and `x1` {first[0].dtype}. Convert one of them: "
                    "`x2.to(x1.dtype)`."
                )
            right = side(at_shape.lowered.traced, at_shape.lowered, second)
        self._look_at(first, second)
        executable, job = at_shape.bound(), Request(out, memory, progress)
        found = gram_matrices(executable, left, right, first[0].dtype, job)
        why = nan_of_points(executable, left, right)
        found = [self._finished(k.to(first[0].dtype), why) for k in found]
        return found[0] if len(found) == 1 else tuple(found)

    def diag(self, x: Points) -> Any:
        """`k(x_i, x_i)` of finite float points, in O(n f)."""
        inputs = checked("x", x, self._traces.counts)
        at_shape, points = self._ready("x", inputs)
        self._look_at(inputs)
        executable = at_shape.bound()
        values, why = diagonal_values(executable, points), nan_of_points(executable, points, None)
        found = [self._finished(k.to(inputs[0].dtype), why) for k in values]
        return found[0] if len(found) == 1 else tuple(found)

    def monte_carlo(
        self,
        x: Points,
        n_samples: int,
        generator: torch.Generator | None = None,
    ) -> MonteCarloEstimate:
        """The same matrix from finite networks: the mean over fresh weights, and its standard error.

        The network is taken at its own width, whose bias falls as one over the width; the error
        falls as `n_samples ** -0.5`, and as one over the root of the outputs, which are averaged.
        Parameters are drawn as they were initialised, as far as their entries tell: layers of
        `ntkit.networks` from unit Gaussians, others from entries of their own (with "default" by
        `reset_parameters`); constants, identities, tables of positions and the like stay as they are.
        So where a network's numbers are not what the limit takes them for, this disagrees. In float64.

        Args:
            x: Points.
            n_samples: Networks drawn, at least 2.
            generator: Source of the draws; torch's default one if left out.

        Returns:
            `.mean` and `.standard_error`, `[n, n]` each.

        Raises:
            ValueError: The module has several results, or one with positions.

        Cost: `n_samples` times `n` backward passes an output, and `n^2` times the parameters; memory
        for `n` gradients (`nngp`: for one forward pass).

        Example:
            >>> from ntkit import nngp
            >>> from ntkit.networks import Linear
            >>> net = nn.Sequential(Linear(2, 256), nn.ReLU(), Linear(256, 4))
            >>> x, generator = torch.eye(2), torch.Generator().manual_seed(0)
            >>> mean, error = nngp(net).monte_carlo(x, 200, generator)
            >>> bool(((mean - nngp(net)(x)).abs() < 4 * error).all())
            True
        """
        inputs = checked("x", x, self._traces.counts)
        lowered = self._ready("x", inputs)[0].lowered
        self._look_at(inputs)
        if len(lowered.outputs) > 1 or any(
            lowered.steps[k].units.positions for k in lowered.outputs
        ):
            raise ValueError(
                "`monte_carlo` takes modules of one result without positions, `[n, outputs]`. Return "
                "one of the results, and read positions out (`.mean((2, 3))`, `.flatten(1)` and a "
                "dense layer, or the one position of interest)."
            )
        found = estimate(
            self._traced.body,
            inputs,
            n_samples,
            which=self._which,
            variances=self._variances,
            generator=generator,
        )
        return MonteCarloEstimate(*map(self._finished, found))

    def plan(self, x: Points) -> Plan:
        """How the matrix of `x` would be computed: what is kept at each layer, its memory and work.

        Example:
            >>> from ntkit import ntk
            >>> from ntkit.networks import Conv2d
            >>> net = nn.Sequential(Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
            >>> print(ntk(net).plan(torch.zeros(10, 3, 4, 4)))
            step                          positions  numbers a pair  kept
            points (input_1)                    4x4             256  all pairs of positions
            Conv2d(3, 16, kernel_size...        4x4             256  all pairs of positions
            ReLU()                              4x4             256  all pairs of positions
            map of positions (4, 4) t...        1x1               1  each position with itself
            route: layer by layer; 16.0 KiB a pair of points at its largest
            work: 42,295 numbers for the 55 pairs of 10 points
        """
        inputs = checked("x", x, self._traces.counts)
        at_shape, points = self._ready("x", inputs)
        self._look_at(inputs)
        executable = at_shape.bound()
        quick = is_by_angle(executable, points, inputs[0].dtype)
        return executable.plan(len(inputs[0]), "one function of the angle" if quick else LAYERS)

    @property
    def is_stationary(self) -> bool:
        """Whether the feature map is one stationary encoding: then every layer keeps it so."""
        return self._fourier is not None

    @property
    def has_unit_period(self) -> bool:
        """Whether the encoding's frequencies are whole cycles per unit."""
        return self._fourier is not None and bool(
            torch.equal(self._fourier.frequencies, self._fourier.frequencies.round())
        )

    def lag_table(self, lags: Sequence[Float[Tensor, " _"]]) -> Float[Tensor, "..."]:
        """The kernel at every combination of lags: the encoding's table, then the same rules.

        A kernel that is not stationary has none, and says so with a ValueError.
        """
        fourier, at_shape = self._stationary()
        executable, variance = at_shape.bound(), fourier.energy / fourier.out_dim
        gaps = fourier.gap_table(lags) / fourier.out_dim
        table = values_at_gaps(executable, gaps, variance, with_ntk=self._which == "ntk")
        return self._finished(table, nan_of_variance(executable, variance))

    def layer_table(
        self, lags: Sequence[Float[Tensor, " _"]], *, tolerance: float = 1e-10
    ) -> Float[Tensor, "g ..."]:
        """Each layer's own part of the tangent kernel at every combination of lags, float64.

        The parts add up to the NTK's `lag_table`. Inputs of one norm leave only their angle: each
        part is a polynomial in it, checked against the rules.

        Args:
            lags: One 1-D tensor an axis.
            tolerance: Error allowed to the polynomials, relative to the part's largest value. Where
                none of degree up to 128 meets it, a `NumericalError` says so.
        """
        fourier, at_shape = self._stationary()
        return layers_at_gaps(
            at_shape.bound(),
            fourier.gap_table(lags) / fourier.out_dim,
            fourier.energy / fourier.out_dim,
            tolerance=tolerance,
        )

    def layer_sizes(self) -> list[int]:
        """Number of parameters of each layer, in the order of `layer_table`; both halves of a pair."""
        return [self._halves * sum(p.numel() for p in layer) for layer in self._traced.layers()]

    def layer_norms(self) -> list[float]:
        """Squared norm of each layer's parameters as they are, in the order of `layer_sizes`."""
        with torch.no_grad():
            return [
                self._halves * float(sum(p.double().square().sum() for p in layer))
                for layer in self._traced.layers()
            ]

    @property
    def _halves(self) -> int:
        """Networks with parameters of their own: a symmetrised pair has two."""
        return 2 if self._traced.starts_at_zero else 1

    @cached_property
    def _fourier(self) -> AbstractFourier | None:
        """The stationary encoding whose features are all that the layers see, if there is one."""
        encoding = None if self._traces.is_empty else first_encoding(self._traced)
        if encoding is None:
            return None
        like = next(self._module.parameters())
        points = torch.zeros(2, encoding.in_dim, dtype=like.dtype, device=like.device)
        at_shape = self._ready("points", (points,))[0]
        alone = sees_encoding_alone(at_shape.lowered, encoding, self._traced)
        return encoding if at_shape.bound().is_elementwise and alone else None

    def _stationary(self) -> tuple[AbstractFourier, AtShape]:
        if self._fourier is None:
            raise ValueError(
                "A table of lags needs one stationary encoding in front of the layers, and this "
                "module has none. Use `kernel(x1, x2)` on the points instead."
            )
        zeros = torch.zeros(1, self._fourier.in_dim, device=self._fourier.frequencies.device)
        unlike = torch.linspace(0.1, 0.8, 5 * self._fourier.in_dim).square().to(zeros)
        self._look_at((unlike.reshape(5, -1),))
        return self._fourier, self._ready("lags", (zeros,))[0]

    def _ready(self, name: str, inputs: tuple[Tensor, ...]) -> tuple[AtShape, Side]:
        """The steps for points of these shapes, and the points' features."""
        like = next(self._module.parameters())
        check_device(name, inputs, like.device)
        self._follow_modes()
        key = tuple(x.shape[1:] for x in inputs)
        at_shape = self._at_shapes.get(key)
        if at_shape is None or at_shape.is_stale():
            small = [x[:1].detach().to(like.dtype).repeat(2, *(1,) * (x.ndim - 1)) for x in inputs]
            traced = self._traces.of(small)
            sample = traced.sample(name, small)
            lowered = lower(
                traced, sample, self._variances, read_call, less_means=self._which == "nngp"
            )
            lowered = with_waves(lowered, self._variances)
            scaled = [layer for layer in self._traced.root.modules() if hasattr(layer, "w_std")]
            if ("means", key) not in self._said:
                self._said.add(("means", key))
                warn_of_means(lowered)
            check_heads(lowered, side(traced, lowered, [x[:1] for x in inputs]))
            evidence = Evidence(traced, lowered, self._variances)
            sizes = n_outputs(traced, lowered, sample)
            evidence.check(self._which, inputs, sizes, self._said)
            at_shape = AtShape(
                lowered, self._which == "ntk", self._positions, scaled, evidence.is_stale
            )
            self._at_shapes[key] = at_shape
        return at_shape, side(at_shape.lowered.traced, at_shape.lowered, inputs)

    def _follow_modes(self) -> None:
        """Read the module again once a part of it is switched between training and evaluation."""
        modes = modes_of(self._module)
        if modes != self._modes:
            self._traces = Traces(self._module, is_layer, check_modules)
            self._at_shapes, self._looked_at, self._modes = {}, set(), modes

    def _look_at(self, first: tuple[Tensor, ...], second: tuple[Tensor, ...] | None = None) -> None:
        """Refuse a module that mixes points; looked at once for one point, and for more, of a shape."""
        key = tuple(x.shape[1:] for x in first), len(first[0]) > 1 or second is not None
        if key not in self._looked_at:
            refuse_coupled(self._traced.body, first, second)
            self._looked_at.add(key)

    def _finished(self, table: Tensor, why: Why = lambda i, j: None) -> Tensor:
        starts_at_zero = self._traced.starts_at_zero and self._which == "nngp"
        if starts_at_zero:
            return torch.zeros_like(table) if table.requires_grad else table.zero_()
        check_range(table, why)
        return table

    def __repr__(self) -> str:
        count = "unread" if self._traces.is_empty else len(self._traced.on_weights())
        return f"<{self._which} of {count} layers, {self._variances} variances>"
