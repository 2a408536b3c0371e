"""What a lazy-training probe has recorded."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["LazyHistory", "LazyRow"]


@dataclass(frozen=True)
class LazyRow:
    """How far a network is from its start at one step. All but the step are without unit.

    Attributes:
        step: Steps taken.
        loss: What the training loop said; NaN if it did not.
        movement: `|theta - theta0| / |theta0|` over the trainable parameters.
        kernel_change: `|K - K0| / |K0|`, the Frobenius norm of the empirical kernel on the points.
        kernel_alignment: `<K, K0> / (|K| |K0|)`: 1 while only the kernel's size changes.
        nonlinearity: `|f - f_lin| / |f - f0|` on the points, where `f_lin` is the network
            linearised at the start with the present weights: the part of what was learned that the
            linear model does not have. 0 is lazy, 1 and more is not.
        movements: `movement` of each parameter alone, by name; infinite if it left zero.

    Example:
        >>> import ntkit, torch
        >>> net = ntkit.networks.mlp(ntkit.encodings.Identity(2), 1, width=16, depth=1)
        >>> probe = ntkit.LazyProbe(net, torch.rand(4, 2), steps=[0])
        >>> probe.record(0)

        >>> row = probe.history.table[0]
        >>> row.step, row.movement
        (0, 0.0)
    """

    step: int
    loss: float
    movement: float
    kernel_change: float
    kernel_alignment: float
    nonlinearity: float
    movements: dict[str, float]


@dataclass(frozen=True)
class LazyHistory:
    """Rows of a `ntkit.LazyProbe` in the order of their steps, and their columns as tensors.

    Attributes:
        table: One row a recorded step.

    Example:
        >>> import ntkit, torch
        >>> net = ntkit.networks.mlp(ntkit.encodings.Identity(2), 1, width=16, depth=1)
        >>> probe = ntkit.LazyProbe(net, torch.rand(4, 2), steps=[0])
        >>> probe.record(0)

        >>> probe.history.movement.tolist()
        [0.0]
    """

    table: tuple[LazyRow, ...]

    @property
    def steps(self) -> Int[Tensor, " r"]:
        """Steps taken at each row."""
        return torch.tensor([row.step for row in self.table], dtype=torch.int64)

    @property
    def loss(self) -> Float[Tensor, " r"]:
        """Losses, as the training loop gave them."""
        return _column([row.loss for row in self.table])

    @property
    def movement(self) -> Float[Tensor, " r"]:
        """Relative movements of the weights."""
        return _column([row.movement for row in self.table])

    @property
    def kernel_change(self) -> Float[Tensor, " r"]:
        """Relative changes of the kernel."""
        return _column([row.kernel_change for row in self.table])

    @property
    def kernel_alignment(self) -> Float[Tensor, " r"]:
        """Alignments of the kernel with the one at the start."""
        return _column([row.kernel_alignment for row in self.table])

    @property
    def nonlinearity(self) -> Float[Tensor, " r"]:
        """Relative distances of the network from its linearisation."""
        return _column([row.nonlinearity for row in self.table])

    def movement_of(self, name: str) -> Float[Tensor, " r"]:
        """Relative movements of one parameter.

        Raises:
            KeyError: There is no trainable parameter of that name.
        """
        known = list(self.table[0].movements) if self.table else []
        if name not in known:
            raise KeyError(f"`name={name!r}` is no trainable parameter; there are {known}.")
        return _column([row.movements[name] for row in self.table])

    def __str__(self) -> str:
        lines = [f"{'step':>8} {'loss':>10} {'movement':>10} {'kernel':>10} {'alignment':>10} {'nonlinear':>10}"]  # fmt: skip
        for row in self.table:
            numbers = (
                row.loss,
                row.movement,
                row.kernel_change,
                row.kernel_alignment,
                row.nonlinearity,
            )
            lines.append(f"{row.step:>8} " + " ".join(f"{x:>10.3g}" for x in numbers))
        return "\n".join(lines)


def _column(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
