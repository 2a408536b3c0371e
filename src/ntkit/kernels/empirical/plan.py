"""How an empirical kernel is computed: what each parameter's part takes, and why."""

from dataclasses import dataclass

__all__ = ["KernelPlan", "PlannedPart"]


@dataclass(frozen=True)
class PlannedPart:
    """A row of a plan: one parameter.

    Attributes:
        parameter: Its name.
        shape: Its shape.
        way: How its part is computed: a layer and the order of its products, or "per-sample
            gradients" where no rule of a layer holds.
        reason: Why no rule holds; empty where one does.
    """

    parameter: str
    shape: tuple[int, ...]
    way: str
    reason: str = ""


@dataclass(frozen=True)
class KernelPlan:
    """How a kernel is computed for points like the ones given.

    Attributes:
        method: "structured" or "contraction".
        rows: The selected parameters, in the module's order.
        reason: Why this method, with the estimates of `Auto`.
        bytes: Estimate of the memory that it takes beyond the kernel itself.
    """

    method: str
    rows: tuple[PlannedPart, ...]
    reason: str = ""
    bytes: int = 0

    def __str__(self) -> str:
        width = max(len(row.parameter) for row in self.rows)
        sizes = max(len(str(row.shape)) for row in self.rows)
        lines = [f"{self.method}, about {self.bytes / 2**20:.3g} MiB. {self.reason}".rstrip()]
        for row in self.rows:
            why = f" ({row.reason})" if row.reason else ""
            lines.append(f"{row.parameter:{width}}  {row.shape!s:{sizes}}  {row.way}{why}")
        return "\n".join(lines)
