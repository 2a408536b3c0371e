"""Features of a sketched kernel on disk, appended to as data come."""

from pathlib import Path
from zlib import crc32

import torch
from torch import Tensor

from ntkit.kernels.empirical.batch import Points
from ntkit.kernels.empirical.kernel import EmpiricalKernel

__all__ = ["FeatureStore"]


class FeatureStore:
    """A folder of `kernel.features(x)` in safetensors files, one for each `append`.

    Each file notes the kernel that it is of: its method with size and seed, and a checksum of the
    weights. Files of another kernel are refused, as their inner products mean nothing.

    Args:
        folder: Where; made if it is not there.
        kernel: An `empirical_ntk` with `method=Sketch(...)`.

    Raises:
        ValueError: The folder holds features of another kernel.

    Needs safetensors (`pip install ntkit[app]`).

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
        self._mark = {"kernel": repr(kernel), "weights": _checksum(kernel)}
        for path in self._paths():
            self._check(path)

    def __len__(self) -> int:
        from safetensors import safe_open  # an extra, loaded when asked for

        total = 0
        for path in self._paths():
            with safe_open(path, "pt") as file:
                total += file.get_slice("features").get_shape()[0]
        return total

    def append(self, x: Points) -> None:
        """Compute the features of these points and keep them, in a file of their own.

        Raises:
            ValueError: The weights are others than when the store was opened.
        """
        from safetensors.torch import save_file  # an extra, loaded when asked for

        if _checksum(self._kernel) != self._mark["weights"]:
            raise ValueError(
                "`kernel` has other weights than when the store was opened; features of both do not "
                "belong together. Open a store in another folder."
            )
        features = self._kernel.features(x).cpu().contiguous()
        path = self._folder / f"{len(self._paths()):06d}.safetensors"
        save_file({"features": features}, path, metadata=self._mark)

    def features(self) -> Tensor:
        """All of them, in the order in which they came, `[n, size]` (`[n, o, size]` of "full").

        Raises:
            ValueError: There is none yet.
        """
        from safetensors.torch import load_file  # an extra, loaded when asked for

        found = [load_file(path)["features"] for path in self._paths()]
        if not found:
            raise ValueError(f"`{self._folder}` holds no features yet; `append` some points.")
        return torch.cat(found)

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("*.safetensors"))

    def _check(self, path: Path) -> None:
        """Refuse a file of another kernel.

        Raises:
            ValueError: It is one.
        """
        from safetensors import safe_open  # an extra, loaded when asked for

        with safe_open(path, "pt") as file:
            found = file.metadata() or {}
        for key, value in self._mark.items():
            if found.get(key) != value:
                raise ValueError(
                    f"`{path}` holds features of another kernel: its {key} is {found.get(key)}, and "
                    f"here it is {value}. Choose another folder."
                )


def _checksum(kernel: EmpiricalKernel) -> str:
    """Of names and values of the parameters."""
    total = 0
    for name, p in zip(kernel.target.names, kernel.target.parameters, strict=True):
        plain = p.cpu().contiguous().reshape(-1).view(torch.uint8)
        total = crc32(plain.numpy().tobytes(), crc32(name.encode(), total))
    return f"{total:08x}"
