"""`ntkit export`: a trained network as a file of another program."""

from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import arg

from ntkit._core.whole_files import shown
from ntkit.experiments.export import Format, suffix_of
from ntkit.experiments.load import load

__all__ = ["export"]


def export(
    run: tyro.conf.Positional[Path],
    *,
    format: Format,
    out: Annotated[Path | None, arg(metavar="PATH", help_behavior_hint="")] = None,
    network: Annotated[str | None, arg(metavar="NAME", help_behavior_hint="")] = None,
    force: bool = False,
) -> int:
    """Write a trained network of a run for another program.

    Args:
        run: The run folder, of `ntkit tune` or `ntkit fit`.
        format: onnx and torch (torch.export's .pt2) compute what the network computes, without ntkit; tiny-cuda-nn is
            the JSON of encoding and network, to be trained there.
        out: The file to write; by default RUN.onnx, RUN.pt2 or RUN.json in this folder.
        network: Of a tune run: recommended, as by default, or no_encoding.
        force: Replace a file that is there.
    """
    found = load(run)
    name = "-".join([run.resolve().name, *([network] if network else [])])
    path = Path(f"{name}{suffix_of(format)}") if out is None else out
    for note in found.export(path, format=format, name=network, force=force):
        print(f"note: {note}.")
    if found.partial:
        print("note: the run is not finished; this is its network as far as it was trained.")
    print(f"{shown(path)}: {path.stat().st_size / 1e3:,.0f} kB")
    return 0
