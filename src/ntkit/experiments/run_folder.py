"""A run folder: who may write into it, and what stands in it under which name."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ntkit._core.whole_files import read_json, shown, write_json
from ntkit.networks.families import FAMILIES

__all__ = [
    "ALTERNATIVES",
    "CHECKPOINT",
    "DEVIATION",
    "FIELD",
    "FILM",
    "FITTED",
    "FORMAT",
    "PICTURES",
    "REPORT",
    "RESIDUAL",
    "RESULT",
    "RUN_OFFS",
    "SPEC",
    "WEIGHTS",
    "RunFolder",
]

FORMAT = 3
"""Version of the layout. 1 had no number, no checkpoint, and no architecture in its weights; 2 knew photos alone."""

SPEC, RESULT, REPORT, CHECKPOINT = (
    "spec.json",
    "result.json",
    "report.html",
    "checkpoint.safetensors",
)
FILM = "turntable.gif"
"""Of what is shown as views that follow each other."""

PICTURES = ("images", "bandwidth", "spectrum", "learning", "choice", "evidence", "residual")
WEIGHTS = ("recommended", "no_encoding")
FITTED = "network"
"""The network of a fit."""
RUN_OFFS = {name: f"run_off_{name}" for name in FAMILIES}
"""The networks of a run-off, by family: after an eighth of the steps."""
FIELD, DEVIATION, RESIDUAL, ALTERNATIVES = (
    "field.npy",
    "deviation.npy",
    "residual.npy",
    "alternatives.npz",
)
"""The arrays of a reconstruction."""
_LOCK = ".lock"
_OURS = (
    *(SPEC, RESULT, REPORT, CHECKPOINT, _LOCK),
    *(f"{name}.png" for name in PICTURES),
    FILM,
    *(f"{name}.safetensors" for name in (*WEIGHTS, FITTED, *RUN_OFFS.values())),
    *(FIELD, DEVIATION, RESIDUAL, ALTERNATIVES),
)


class RunFolder:
    """A folder that one run writes, and nobody else meanwhile.

    Args:
        path: Where it is, or will be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    @contextmanager
    def new(cls, out: Path | None, name: str, *, force: bool = False) -> Iterator["RunFolder"]:
        """An empty folder, locked while the block runs.

        Args:
            out: The folder asked for; None for `runs/NAME`, or the first free of `runs/NAME-2`, ...
            name: Name of a folder that is not asked for.
            force: Take `out` although it holds something: a run in it is replaced, other files stay.

        A folder that holds something, that another process writes, or that cannot be written is refused.
        """
        folder = cls(_numbered(name) if out is None else out)
        if out is not None and not force:
            folder.refuse_unless_empty()
        with _advice(folder.path):
            folder.path.mkdir(parents=True, exist_ok=True)
        with folder.locked():
            if out is not None:
                folder.refuse_unless_empty(force=force)  # another run may have been faster
            for old in _OURS:
                if old != _LOCK:
                    (folder.path / old).unlink(missing_ok=True)
            yield folder

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else writes meanwhile; the system unlocks when a process dies.

        Raises:
            FileExistsError: Another process has it.
        """
        lock = FileLock(self.path / _LOCK, timeout=0)
        try:
            with _advice(self.path):
                lock.acquire()
        except Timeout:
            raise FileExistsError(
                f"`{shown(self.path)}` is being written by another run. Wait for it, or pass another "
                "folder with `--out`."
            ) from None
        try:
            for part in self.path.glob(
                ".*.[0-9]*.part.*"
            ):  # of a run that was killed while it wrote
                part.unlink(missing_ok=True)
            yield
        finally:
            lock.release()

    def refuse_unless_empty(self, *, force: bool = False) -> None:
        """Refuse a folder that holds anything; with `force` only one where files of ours would replace others.

        Raises:
            FileExistsError: It does.
        """
        if force:
            taken = [name for name in _OURS if name != _LOCK and (self.path / name).exists()]
            if taken and not self._holds_run:
                raise FileExistsError(
                    f"`out={shown(self.path)}` holds a `{taken[0]}` and no run: `--force` replaces runs alone. "
                    "Pass another folder."
                )
        elif self.path.is_dir() and any(p.name != _LOCK for p in self.path.iterdir()):
            raise FileExistsError(
                f"`out={shown(self.path)}` holds something already. Pass another folder, `--resume "
                f"{shown(self.path)}` to go on with a run in it, or `--force` to replace that."
            )

    @property
    def spec(self) -> dict[str, Any]:
        """What was asked. What is no run folder, or of a later version, is refused."""
        return self._read(SPEC)

    @property
    def result(self) -> dict[str, Any]:
        """What was found so far."""
        return self._read(RESULT)

    def write(self, name: str, content: dict[str, Any]) -> None:
        """Write `spec.json` or `result.json`, with the version of the layout."""
        write_json(self.path / name, {"format": FORMAT, **content})

    def discard(self) -> None:
        """Remove what this run wrote, and the folder if nothing else is in it."""
        for name in _OURS:
            (self.path / name).unlink(missing_ok=True)
        with suppress(OSError):  # somebody's own files are in it
            self.path.rmdir()

    @property
    def size(self) -> int:
        """Bytes of all files in it."""
        return sum(p.stat().st_size for p in self.path.iterdir() if p.is_file())

    @property
    def _holds_run(self) -> bool:
        """Whether its spec.json, or a result.json from before there was one, is of a run."""
        for name, key in ((SPEC, "photo"), (SPEC, "data"), (RESULT, "partial")):
            with suppress(ValueError, OSError):
                if key in read_json(self.path / name):
                    return True
        return False

    def _read(self, name: str) -> dict[str, Any]:
        if not (self.path / SPEC).is_file():
            kind = (
                "is no run folder: it holds no spec.json" if self.path.is_dir() else "is no folder"
            )
            raise FileNotFoundError(
                f"`{shown(self.path)}` {kind}. `ntkit runs` lists the runs that there are."
            )
        found = read_json(self.path / name)
        version = found.get("format", 1)
        if not isinstance(version, int) or not 1 <= version <= FORMAT:
            raise ValueError(
                f"`{shown(self.path / name)}` has format {version!r}, and this version of ntkit reads 1 "
                f"to {FORMAT}. Update ntkit."
            )
        return found


def _numbered(name: str) -> Path:
    """A folder of this name under `runs`, made just now, so that no other run has it."""
    number = 1
    while True:
        path = Path("runs") / (name if number == 1 else f"{name}-{number}")
        with _advice(path):
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                number += 1
            else:
                return path


@contextmanager
def _advice(path: Path) -> Iterator[None]:
    """An error of the system becomes one that says which folder, and what to do.

    Raises:
        OSError: It cannot be written.
        Timeout: Another process has it.
    """
    try:
        yield
    except Timeout:
        raise
    except OSError as error:
        raise OSError(
            f"`out={shown(path)}` cannot be written: {error.strerror or error}. Pass another folder."
        ) from None
