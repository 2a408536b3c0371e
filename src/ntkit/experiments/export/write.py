"""A trained network into a file of another program's format."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from ntkit._core.whole_files import shown, write_bytes
from ntkit.experiments.export.exported_network import ExportedNetwork
from ntkit.experiments.export.onnx_file import onnx_file
from ntkit.experiments.export.program import program_file
from ntkit.experiments.export.tiny_cuda_nn import tiny_cuda_nn_file

__all__ = ["FORMATS", "Format", "suffix_of", "write_export"]

Format = Literal["tiny-cuda-nn", "onnx", "torch"]

FORMATS: tuple[Format, ...] = get_args(Format)

_WRITERS: dict[Format, tuple[str, Callable[[ExportedNetwork], tuple[bytes, list[str]]]]] = {
    "tiny-cuda-nn": (".json", tiny_cuda_nn_file),
    "onnx": (".onnx", onnx_file),
    "torch": (".pt2", program_file),
}
"""How files of a format end, and what makes their content and says what to know of it."""


def suffix_of(format: Format) -> str:
    """How its files end.

    Raises:
        ValueError: There is no such format.
    """
    if format not in _WRITERS:
        raise ValueError(f"`format={format!r}` must be one of {', '.join(FORMATS)}.")
    return _WRITERS[format][0]


def write_export(
    subject: ExportedNetwork, path: Path, format: Format, *, force: bool = False
) -> list[str]:
    """Write the file, whole, and return what there is to know of it.

    Args:
        subject: The network.
        path: The file; its name ends as those of its format do.
        format: "tiny-cuda-nn", "onnx" or "torch".
        force: Replace a file that is there.

    Raises:
        FileExistsError: There is a file of this name.
        ValueError: The name has another ending, or the network cannot be written in this format.
    """
    suffix = suffix_of(format)
    if path.suffix != suffix:
        raise ValueError(
            f"`{shown(path)}` must end in {suffix}, as files of format {format} do, got {path.suffix or 'nothing'}."
        )
    if path.exists() and not force:
        raise FileExistsError(f"`{shown(path)}` is there already. Pass another name, or `--force`.")
    content, notes = _WRITERS[format][1](subject)
    write_bytes(path, content)
    return notes
