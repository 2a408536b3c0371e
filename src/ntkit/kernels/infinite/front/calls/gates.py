"""One unit for many channels (spatial attention, gates of one channel): what may come after it."""

from collections.abc import Sequence

from torch import fx

from ntkit.kernels.infinite.front.reader import Reader
from ntkit.kernels.infinite.front.trace import refuse

__all__ = ["check_gated", "refuse_gated"]


def check_gated(reader: Reader, node: fx.Node, start: int) -> None:
    """Refuse steps that act on gated units and are not affine in their moments.

    At any width the gate is one random function that all channels share. Given the gate, the network
    has a kernel; over draws of the gate this kernel has a mean. Sums, products and weights act on the
    mean as they do on the kernel, and a nonlinearity does not.

    Args:
        reader: Where the steps are.
        node: The call that was read last.
        start: The first of its steps.
    """
    for step in reader.steps[start:]:
        if not (step.is_linear or step.keeps_means):
            refuse_gated(reader, node, step.name, step.inputs)


def refuse_gated(reader: Reader, node: fx.Node, name: str, inputs: Sequence[int]) -> None:
    """Refuse a step of that name if its inputs are gated."""
    gates = {gate.place for k in inputs for gate in reader.units(k).gates}
    if not gates:
        return
    names = ", ".join(f"`{reader.steps[k].name}`" for k in sorted(gates))
    refuse(
        node,
        f"`{name}` comes after one unit that many channels share ({names}). That unit stays "
        "random at any width: each draw has another kernel, whose mean goes through no "
        "nonlinearity. Make as many units of it as there are channels, let only layers with "
        "weights and linear maps come after it, or take `ntkit.empirical_ntk`.",
    )
