"""Features of a sketched kernel on disk, appended to as data come."""

import os
from dataclasses import fields, is_dataclass
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import torch
from torch import Tensor

from ntkit._core.executor import Executor
from ntkit._core.fingerprint import of_structure, of_tensors
from ntkit.kernels.empirical.batch import Points
from ntkit.kernels.empirical.kernel import EmpiricalKernel

__all__ = ["FeatureStore"]


class FeatureStore:
    """A folder of `kernel.features(x)` in safetensors files, one for each `append`.

    Each file notes the kernel that it is of: its method with size and seed, and fingerprints of all
    parameters and buffers, frozen ones too, and of the layers, their settings and their code. Files
    of another kernel are refused, as their inner products mean nothing. Several processes may append
    to one folder. A checksum of the features is kept beside them.

    Args:
        folder: Where; made if it is not there.
        kernel: An `empirical_ntk` with `method=Sketch(...)`.

    Raises:
        ValueError: The folder holds features of another kernel.

    Needs safetensors (`pip install safetensors`).

    Example:
        >>> import tempfile, ntkit
        >>> from torch import nn
        >>> from ntkit.kernels import Sketch
        >>> kernel = ntkit.empirical_ntk(nn.Linear(3, 1), method=Sketch(64))
        >>> store = FeatureStore(tempfile.mkdtemp(), kernel)
        >>> store.append(torch.randn(4, 3))
        >>> store.append(torch.randn(2, 3))
        >>> len(store), store.features().shape
        (6, torch.Size([6, 64]))
    """

    def __init__(self, folder: str | Path, kernel: EmpiricalKernel) -> None:
        self._folder, self._kernel = Path(folder), kernel
        self._folder.mkdir(parents=True, exist_ok=True)
        self._mark = _mark(kernel)
        for path in self._paths():
            self._check(path)

    def __len__(self) -> int:
        return sum(_opened(path)[1][0] for path in self._paths())

    def append(self, x: Points, *, executor: Executor | None = None) -> None:
        """Compute the features of these points and keep them, in a file of their own, whole or not at all.

        Args:
            x: Points.
            executor: Where pieces of the points are computed; the network goes there once.

        Raises:
            ValueError: The network is another than when the store was opened.
        """
        from safetensors.torch import save  # an extra, loaded when asked for

        changed = [key for key, value in _mark(self._kernel).items() if value != self._mark[key]]
        if changed:
            raise ValueError(
                f"`kernel` has other {' and '.join(changed)} than when the store was opened; features "
                "of both do not belong together. Open a store in another folder."
            )
        features = self._kernel.features(x, executor=executor).detach().cpu().contiguous()
        metadata = {**self._mark, "checksum": of_tensors([("features", features)])}
        self._publish(save({"features": features}, metadata=metadata))

    def features(self) -> Tensor:
        """All of them, in the order in which they came, `[n, size]` (`[n, o, size]` of "full").

        Raises:
            ValueError: There is none yet, a file is missing between others, or one is damaged.
        """
        from safetensors.torch import load_file  # an extra, loaded when asked for

        paths = self._paths()
        if not paths:
            raise ValueError(f"`{self._folder}` holds no features yet; `append` some points.")
        for number, path in enumerate(paths):
            if int(path.stem) != number:
                raise ValueError(
                    f"`{path.with_stem(f'{number:06d}')}` is missing, so rows would stand for other "
                    "points. Put it back, or start again in another folder."
                )
        found = []
        for path in paths:
            self._check(path)
            features = load_file(path)["features"]
            if _opened(path)[0].get("checksum") != of_tensors([("features", features)]):
                raise ValueError(
                    f"`{path}` is damaged: its features have another checksum than when they were "
                    "written. Put a copy back, or start again in another folder."
                )
            found.append(features)
        return torch.cat(found)

    def _paths(self) -> list[Path]:
        return sorted(p for p in self._folder.glob("*.safetensors") if p.stem.isdecimal())

    def _publish(self, content: bytes) -> None:
        """A whole file under the next number that is free, whoever else is writing.

        A link fails where the name exists, and its file is whole from the start.
        """
        part = self._folder / f".{uuid4().hex}.part"
        try:
            self._write(part, content)
            while True:
                paths = self._paths()
                number = int(paths[-1].stem) + 1 if paths else 0
                path = self._folder / f"{number:06d}.safetensors"
                try:
                    path.hardlink_to(part)
                except FileExistsError:
                    continue
                return
        finally:
            part.unlink(missing_ok=True)

    def _write(self, part: Path, content: bytes) -> None:
        """Write a file to the disk itself.

        Raises:
            OSError: There is no room, or no right to write.
        """
        try:
            with part.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OSError(
                error.errno,
                f"`{self._folder}`: these features could not be written: {error.strerror or error}. Those that are "
                "there are whole; make room and append these points again",
            ) from None

    def _check(self, path: Path) -> None:
        """Refuse a file of another kernel.

        Raises:
            ValueError: It is one.
        """
        found, _ = _opened(path)
        for key, value in self._mark.items():
            if found.get(key) != value:
                raise ValueError(
                    f"`{path}` holds features of another kernel: its {key} is {found.get(key)}, and "
                    f"here it is {value}. Choose another folder."
                )


def _mark(kernel: EmpiricalKernel) -> dict[str, str]:
    """What features belong together by."""
    method, module = kernel.method, kernel.target.module
    assert is_dataclass(method)  # as every method is
    options = [
        f"{f.name}={getattr(method, f.name)!r}" for f in fields(method) if f.name != "memory"
    ]
    names = sha256(" ".join(kernel.target.names).encode()).hexdigest()[:8]
    return {
        "kernel": f"{type(method).__name__}({', '.join(options)}) of outputs={kernel.outputs!r} and "
        f"{len(kernel.target.names)} parameters {names}",
        "weights": of_tensors([*module.named_parameters(), *module.named_buffers()]),
        "structure": of_structure(module),
    }


def _opened(path: Path) -> tuple[dict[str, str], list[int]]:
    """The notes of a file, and the shape of its features.

    Raises:
        ValueError: It is no whole file of features.
    """
    from safetensors import SafetensorError, safe_open  # an extra, loaded when asked for

    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}, file.get_slice("features").get_shape()
    except SafetensorError as error:
        raise ValueError(
            f"`{path}` is damaged: {error}. Put a copy back, or start again in another folder."
        ) from error
