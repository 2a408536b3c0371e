"""Which outputs of the network a kernel is of."""

from typing import Literal

from ntkit._core.checks import whole

__all__ = ["Outputs", "check_outputs", "positions"]

Outputs = Literal["trace", "full"] | int
"""The mean over the outputs, all pairs of them, or one by its place in the flattened output."""


def check_outputs(outputs: object) -> Outputs:
    """The choice, an index as Python's int.

    Raises:
        ValueError: It is something else.
    """
    if isinstance(outputs, str) and outputs in {"trace", "full"}:
        return "full" if outputs == "full" else "trace"
    try:
        return whole("outputs", outputs)
    except TypeError as error:
        raise ValueError(
            f'`outputs={outputs!r}` must be "trace", "full" or the index of an output.'
        ) from error


def positions(outputs: Outputs, n_outputs: int) -> list[int]:
    """The outputs that are asked for, counted from zero.

    Raises:
        IndexError: There is no such output.
    """
    if not isinstance(outputs, int):
        return list(range(n_outputs))
    if not -n_outputs <= outputs < n_outputs:
        raise IndexError(f"`outputs={outputs}` asks for one of the module's {n_outputs} outputs.")
    return [outputs % n_outputs]
