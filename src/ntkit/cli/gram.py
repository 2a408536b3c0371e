"""`ntkit gram`: a kernel matrix on disk, or a share of it."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from torch import Tensor
from tyro.conf import Positional, arg

from ntkit._core.whole_files import shown
from ntkit.kernels.base import AbstractKernel
from ntkit.kernels.infinite.kernel import InfiniteKernel
from ntkit.kernels.write_gram import missing_chunks, write_gram

__all__ = ["gram"]


def gram(
    kernel: Annotated[Positional[str], arg(metavar="MODULE:FACTORY")],
    points: Annotated[Positional[Path], arg(metavar="POINTS.npy")],
    *,
    out: Path,
    against: Annotated[Path | None, arg(metavar="POINTS.npy", help_behavior_hint="")] = None,
    part: Annotated[str, arg(metavar="I/N")] = "1/1",
    verify: bool = False,
) -> int:
    """Write the matrix of a kernel on points, chunk by chunk, as a Zarr array.

    The same command goes on where an earlier one was stopped. For a Slurm array of N jobs, counted from 1, pass --part
    $SLURM_ARRAY_TASK_ID/N.

    Args:
        kernel: A function without arguments that returns the kernel, in a module of this folder or an installed one. It
            must return the same kernel each time: seed what it draws.
        points: The points of the rows, an array [n, ...] of floats.
        out: The array, a folder that ends in .zarr.
        against: The points of the columns; those of the rows if left out.
        part: Which of how many shares to write, counted from 1.
        verify: Read the chunks that are there, and write those again that are damaged.
    """
    made = _made(kernel)
    x1 = _points(points)
    x2 = None if against is None else _points(against)
    options = {"progress": False} if isinstance(made, InfiniteKernel) else {}
    write_gram(made, x1, x2, path=out, part=_part(part), verify=verify, options=options)
    missing, every = missing_chunks(out)
    print(f"{shown(out)}: {every - missing:,} of {every:,} chunks")
    return 0


def _made(name: str) -> AbstractKernel:
    """The kernel that a factory returns.

    Raises:
        ValueError: There is no such factory, or it returns no kernel.
        ModuleNotFoundError: The module imports one that is missing.
    """
    module, _, function = name.partition(":")
    if not module or not function:
        raise ValueError(
            f"`{name}` must be MODULE:FACTORY, such as `mykernel:make` for `make()` of mykernel.py."
        )
    sys.path.insert(0, str(Path.cwd()))
    try:
        factory = getattr(import_module(module), function, None)
    except ModuleNotFoundError as error:
        if error.name not in {module.partition(".")[0], module}:
            raise ModuleNotFoundError(f"`{name}`: {error}", name=error.name) from error
        raise ValueError(
            f"`{name}`: there is no module `{module}` in this folder, and none is installed."
        ) from None
    finally:
        sys.path.remove(str(Path.cwd()))
    if not callable(factory):
        raise ValueError(f"`{name}`: `{module}` has no function `{function}`.")
    made = factory()
    if not isinstance(made, AbstractKernel):
        raise ValueError(
            f"`{name}` returned {type(made).__name__}, and a kernel is needed: `return ntkit.ntk(net)`."
        )
    return made


def _points(path: Path) -> Tensor:
    """The points in a file.

    Raises:
        ValueError: There are none.
    """
    if path.suffix != ".npy":
        raise ValueError(f"`{shown(path)}` must be an .npy file of points.")
    if not path.is_file():
        raise ValueError(f"`{shown(path)}` does not exist, or is no file.")
    try:
        found = np.load(path, allow_pickle=False)
    except (ValueError, EOFError):  # NumPy's own words advise to unpickle it
        found = None
    if not isinstance(found, np.ndarray):
        raise ValueError(f"`{shown(path)}` is no array of numbers. Write one with `numpy.save`.")
    if found.dtype not in {np.dtype("float32"), np.dtype("float64")}:
        raise ValueError(f"`{shown(path)}` holds {found.dtype}, and points are float32 or float64.")
    return torch.from_numpy(found)


def _part(text: str) -> tuple[int, int]:
    """A share, and of how many.

    Raises:
        ValueError: The text is none.
    """
    share, _, of = text.partition("/")
    if not (share.isdecimal() and of.isdecimal()):
        raise ValueError(f"`--part {text}` must be I/N, such as 3/8.")
    return int(share), int(of)
