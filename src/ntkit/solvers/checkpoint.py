"""Where a long solve stands, in a file that is whole or absent, so that a killed one goes on."""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from time import monotonic

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.whole_files import shown, write_bytes
from ntkit.kernels.kernel_mark import operator_mark
from ntkit.operators.base import AbstractOperator
from ntkit.solvers.checkpoint_folder import SOLVE, checked_folder

__all__ = ["Checkpoint", "problem_of"]

_SECONDS = 5.0
"""Between two writes: what is lost at most, but for one iteration."""

_SAME = 1e-9
"""Relative difference of right-hand sides that rounding explains."""


class Checkpoint:
    """The state of one solve in a folder; without a folder, nothing.

    Args:
        folder: Where; made if it is not there.
        problem: Makes, of what is solved, fingerprints by name. Asked only if there is a folder.
        rhs: Right-hand sides. They are compared up to rounding, as a sum over other threads may differ by.
        file: Its name in the folder.

    A name that is none, or of what cannot be written into, is refused, see `checked_folder`.

    Example:
        >>> import tempfile
        >>> kept = Checkpoint(tempfile.mkdtemp(), lambda: {"ridge": "0.1"}, torch.ones(1, 2))
        >>> kept.state() is None
        True
        >>> kept.write({"x": torch.ones(2)})
        >>> kept.state()
        {'x': tensor([1., 1.])}
    """

    def __init__(
        self,
        folder: str | Path | None,
        problem: Callable[[], Mapping[str, str]],
        rhs: Float[Tensor, "c n"],
        *,
        file: str = SOLVE,
    ) -> None:
        found = checked_folder(folder, file)
        self._path = None if found is None else found / file
        self._problem = dict(problem()) if self._path else {}
        self._rhs, self._written = rhs, monotonic()
        self._last: Callable[[], dict[str, Tensor]] | None = None

    def state(self) -> dict[str, Tensor] | None:
        """What was written last, if anything was.

        Raises:
            ValueError: It is of another problem, or damaged.
        """
        if self._path is None or not self._path.is_file():
            return None
        try:
            found = torch.load(self._path, map_location=self._rhs.device, weights_only=True)
            theirs, rhs, state = found["problem"], found["rhs"], found["state"]
        except Exception as error:  # torch raises a dozen kinds of them, of what it did not write
            raise ValueError(
                f"`{shown(self._path)}` is no checkpoint of a solve, or it is damaged ({type(error).__name__}). "
                "Remove it, or pass another folder."
            ) from None
        every = {**self._problem, **theirs}
        other = [name for name in every if theirs.get(name) != self._problem.get(name)]
        if rhs.shape != self._rhs.shape or (rhs - self._rhs).norm() > _SAME * rhs.norm():
            other.append("right-hand sides")
        if other:
            raise ValueError(
                f"`{shown(self._path)}` is of another solve: its {', '.join(sorted(other))} differ. Pass the same "
                "ones to go on with it, or another folder to begin."
            )
        return state

    def offer(self, state: Callable[[], dict[str, Tensor]]) -> None:
        """Where the solve stands now: written if the last time is a while ago."""
        if self._path is None:
            return
        self._last = state
        if monotonic() - self._written >= _SECONDS:
            self.write(state())

    def end(self, is_solved: bool) -> None:
        """Nothing is left to do, and the file goes; or it keeps where the solve stood last, to go on from."""
        if self._path is None:
            return
        if is_solved:
            self._path.unlink(missing_ok=True)
        elif self._last is not None:
            self.write(self._last())
        self._last = None

    def __enter__(self) -> "Checkpoint":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Ctrl-C, a cluster that is gone: the state is kept."""
        if kind is not None:
            self.end(is_solved=False)

    def write(self, state: dict[str, Tensor]) -> None:
        """Write it now; a process that dies meanwhile leaves what was there.

        A disk without room is an `OSError` that names the file.
        """
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        content = BytesIO()
        torch.save({"problem": self._problem, "rhs": self._rhs, "state": state}, content)
        write_bytes(self._path, content.getvalue())
        self._written = monotonic()


def problem_of(operator: AbstractOperator, ridge: float, method: object) -> dict[str, str]:
    """Fingerprints and settings of what is solved, by the names that a refusal gives them."""
    return {
        "operator": operator_mark(operator),
        "ridge": repr(ridge),
        "method": repr(method),
        "version of ntkit": version("ntkit"),
        "version of torch": str(torch.__version__),
    }
