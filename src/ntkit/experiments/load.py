"""A run back from its folder."""

from pathlib import Path

from ntkit.experiments.results import AbstractRun
from ntkit.experiments.run_from_json import read_run

__all__ = ["load"]


def load(run: Path | str) -> AbstractRun:
    """The run of a folder that `ntkit tune`, `fit` or `reconstruct` wrote: what was asked, what was found, the network.

    `load(folder).network` is the recommended network as an `nn.Module`, with its trained weights; it takes
    coordinates `[n, d]` of any floating dtype, such as `grid.points()`. Where the run trained a network
    of your own, `load(folder).trained(network=factory)` builds it with `factory(encoding)`.

    A reconstruction has no network: `load(folder).field` is its picture, `deviation` the error bar.

    Args:
        run: The folder. Those of earlier versions are read as well.

    A folder that holds no run, a damaged one, or one from before there was a recommendation is refused.

    Example:
        >>> network = load("runs/fit-photo").network  # doctest: +SKIP
        >>> import tempfile
        >>> try:
        ...     load(tempfile.mkdtemp())  # a folder that holds no run
        ... except FileNotFoundError:
        ...     print("refused")
        refused
    """
    return read_run(Path(run))
