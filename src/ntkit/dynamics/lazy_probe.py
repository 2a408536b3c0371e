"""Is this training lazy? A probe for any training loop."""

from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from math import ceil, inf, log10, nan
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ntkit import figures
from ntkit._core.checks import positive_int
from ntkit._core.copies import Copier, cloned
from ntkit._core.running import call
from ntkit._core.torch_internals import tree_map_only
from ntkit.dynamics.flat_outputs import FlatOutputs, flat
from ntkit.dynamics.lazy_history import LazyHistory, LazyRow
from ntkit.dynamics.linearize import linearize
from ntkit.dynamics.skeleton import untouched
from ntkit.kernels.empirical import EmpiricalKernel, empirical_ntk

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["LazyProbe", "log_steps"]


class LazyProbe:
    """Records how far a network in training leaves the lazy regime, in which it is its linearisation.

    Made before training; `record` goes into the loop, or `watch` onto the optimiser. At each
    recorded step it measures the relative movement of the weights, the relative change of the
    empirical tangent kernel on `x` and its alignment with the start, and the distance of the network
    from its linearisation (`LazyRow` has the formulas).

    The network is measured in `eval()` mode, and left exactly as found: modes, gradients, buffers,
    random state. A row costs two forward passes for the linearisation, and the kernel on `x`
    (`ntkit.empirical_ntk`, traced over outputs).

    Args:
        module: The network that is about to be trained.
        x: Points to look at, some 10 to 100: a tensor, a tuple of positional inputs, or a
            dictionary of inputs by keyword.
        steps: Which steps to record, for example `range(0, 1001, 100)` or `log_steps(1000)`; every
            one that `record` is called with if left out.
        has_kernel: Whether to compute kernels; without them those columns are NaN. A network whose
            output of a sample depends on chance or on the other samples has none; of one that mixes
            samples the other columns are those of the batch `x`, which a warning says.

    Raises:
        TypeError: `module` is no ordinary module.
        ValueError: No parameter of `module` is trainable, or its outputs are not floating numbers
            with a first axis for the samples.

    Source: Chizat et al. 2019 (arXiv:1812.07956); Lee et al. 2019 (arXiv:1902.06720), figures 1 and S6.

    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 1))
        >>> x = torch.rand(8, 2)
        >>> optimiser = torch.optim.SGD(net.parameters(), lr=0.01)
        >>> probe = LazyProbe(net, x, steps={0, 1, 10})
        >>> for step in range(1, 11):
        ...     optimiser.zero_grad()
        ...     loss = (net(x) - 1).square().mean()
        ...     loss.backward()
        ...     optimiser.step()
        ...     probe.record(step, loss=loss.item())
        >>> probe.history.steps.tolist()
        [0, 1, 10]
        >>> bool((probe.history.movement.diff() > 0).all())
        True
    """

    def __init__(
        self,
        module: nn.Module,
        x: Tensor | tuple[Any, ...] | Mapping[str, Any],
        *,
        steps: Container[int] | None = None,
        has_kernel: bool = True,
    ) -> None:
        self._linear = linearize(module).eval()
        self._module, self._steps = module, steps
        x = Copier(cloned)(x)
        x = tree_map_only(Tensor, Tensor.detach, x)  # those handed in keep their `requires_grad`
        self._args = x if isinstance(x, tuple) else () if isinstance(x, Mapping) else (x,)
        self._kwargs = dict(x) if isinstance(x, Mapping) else {}
        trained = {n: p for n, p in module.named_parameters() if p.requires_grad}
        if not trained:
            raise ValueError(
                "`module` has no parameter with `requires_grad=True`; there is nothing to train."
            )
        self._start = {n: p.detach().clone() for n, p in trained.items()}
        with _as_found(module):
            self._outputs0 = self._outputs().double()
        self._kernel = self._empirical() if has_kernel else None
        self._kernel0 = self._gram()
        self._rows = {0: self._measure(0, nan)}

    @property
    def history(self) -> LazyHistory:
        """What was recorded up to now."""
        return LazyHistory(tuple(row for _, row in sorted(self._rows.items())))

    def record(self, step: int, *, loss: float = nan) -> None:
        """Measure the network as it is now, if `step` is one of those asked for.

        Step 0 is recorded when the probe is made. A second record of a step replaces the first.

        Args:
            step: Steps taken.
            loss: Noted beside the rest.
        """
        if self._steps is None or step in self._steps:
            self._rows[step] = self._measure(step, loss)

    def watch(self, optimiser: torch.optim.Optimizer) -> RemovableHandle:
        """Record by itself after steps of `optimiser`, in a loop that one cannot or will not edit.

        Args:
            optimiser: Whose steps to count, on from the last one recorded.

        Returns:
            A handle: `handle.remove()` ends it, and so does the end of `with probe.watch(...):`.
        """
        steps = count(max(self._rows) + 1)

        def after_step(*_: Any) -> None:
            self.record(next(steps))

        return optimiser.register_step_post_hook(after_step)

    def plot(self) -> "Figure":
        """A figure of what was recorded: movement, kernel, linearisation and loss over steps.

        Needs matplotlib (`pip install matplotlib`).
        """
        history = self.history
        return figures.lazy_figure(
            history.steps,
            movement=history.movement,
            kernel_change=history.kernel_change,
            kernel_alignment=history.kernel_alignment,
            nonlinearity=history.nonlinearity,
            loss=history.loss,
        )

    def _measure(self, step: int, loss: float) -> LazyRow:
        parameters = dict(self._module.named_parameters())
        now = {name: parameters[name].detach() for name in self._start}
        moved = {name: now[name] - start for name, start in self._start.items()}
        change, alignment = self._kernel_figures()
        return LazyRow(
            step=step,
            loss=float(loss),
            movement=_ratio(_norm(moved.values()), _norm(self._start.values())),
            kernel_change=change,
            kernel_alignment=alignment,
            nonlinearity=self._nonlinearity(now),
            movements={n: _ratio(_norm([moved[n]]), _norm([p])) for n, p in self._start.items()},
        )

    def _outputs(self) -> Float[Tensor, "n o"]:
        """The network's outputs as they are now, one row a sample."""
        with torch.enable_grad():  # it may take derivatives by its input
            values = {k: cloned(p) for k, p in self._module.named_parameters()}
            outputs = flat(call(self._module, values, *self._args, **self._kwargs))
        return outputs.detach()

    def _empirical(self) -> tuple[EmpiricalKernel, tuple[Tensor, ...]]:
        """The tangent kernel, traced over outputs, and the points as it takes them."""
        whole = FlatOutputs(self._module, self._args, self._kwargs, len(self._outputs0))
        with _as_found(self._module):
            kernel = empirical_ntk(whole, params=[f"module.{name}" for name in self._start])
        return kernel, whole.sampled

    def _gram(self) -> Float[Tensor, "n n"] | None:
        if self._kernel is None:
            return None
        kernel, points = self._kernel
        with _as_found(self._module):
            return kernel(points).double()

    def _kernel_figures(self) -> tuple[float, float]:
        """Relative change of the kernel, and its alignment with the start."""
        now, start = self._gram(), self._kernel0
        if now is None or start is None:
            return nan, nan
        change = _ratio(float((now - start).norm()), float(start.norm()))
        size = float(now.norm() * start.norm())
        return change, float((now * start).sum()) / size if size else nan

    def _nonlinearity(self, now: dict[str, Tensor]) -> float:
        with _as_found(self._module), torch.no_grad():
            outputs = self._outputs().double()
            linear = flat(call(self._linear, now, *self._args, **self._kwargs)).double()
        return _ratio(float((outputs - linear).norm()), float((outputs - self._outputs0).norm()))


@contextmanager
def _as_found(module: nn.Module) -> Iterator[None]:
    """Evaluation mode within; modes, attributes and random state come back afterwards."""
    devices = {t.device for t in (*module.parameters(), *module.buffers()) if t.is_cuda}
    with untouched(module), torch.random.fork_rng(devices=devices):
        module.eval()
        yield


def log_steps(last: int, *, per_decade: int = 10) -> list[int]:
    """Whole steps from 0 to `last`, equally spaced in logarithm as far as whole numbers allow.

    Args:
        last: The last one.
        per_decade: How many in each factor of ten.

    Example:
        >>> log_steps(100, per_decade=3)
        [0, 1, 2, 5, 10, 22, 46, 100]
    """
    last, per_decade = positive_int("last", last), positive_int("per_decade", per_decade)
    n = per_decade * log10(last)
    between = (round(10 ** (i / per_decade)) for i in range(ceil(n)))
    return sorted({0, *between, last})


def _norm(tensors: Iterable[Tensor]) -> float:
    return sum(float(t.double().square().sum()) for t in tensors) ** 0.5


def _ratio(change: float, size: float) -> float:
    """Relative change: 0 of nothing to nothing, infinite of nothing to something."""
    return change / size if size else (inf if change else 0.0)
