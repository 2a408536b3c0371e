"""Trained weights as a file that knows its network, and the network back from it."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from ntkit._core.whole_files import shown, write_bytes
from ntkit.encodings import AbstractEncoding
from ntkit.networks import symmetrise
from ntkit.tuning import Candidate, NetworkPlan

__all__ = ["Architecture", "read_network", "read_tensors", "tensor_bytes", "write_tensors"]


@dataclass(frozen=True)
class Architecture:
    """What a network was built as, so that its weights find their places again.

    Attributes:
        encoding: Name of the encoding.
        bandwidth: Its bandwidth, cycles per unit; None if it has none.
        in_dim: Coordinates.
        out_dim: Outputs.
        n_frequencies: Frequencies of the encoding.
        width: Units of each hidden layer.
        depth: Hidden ReLU layers.
        parametrisation: That of `ntkit.networks.mlp`.
        axes: What the bandwidth is multiplied by along each axis; empty for 1 along all.
        sigmoid: Whether a sigmoid stands behind the read-out.
        symmetrised: Whether it is the pair that starts at zero.
    """

    encoding: str
    bandwidth: float | None
    in_dim: int
    out_dim: int
    n_frequencies: int
    width: int
    depth: int
    parametrisation: str = "standard"
    axes: tuple[float, ...] = ()
    sigmoid: bool = False
    symmetrised: bool = False

    def build(self, network: Callable[[AbstractEncoding], nn.Module] | None = None) -> nn.Module:
        """The network, with weights of a fixed seed; `network` builds another one on the encoding.

        Raises:
            ValueError: The parametrisation is none of `mlp`'s.
        """
        seeded = torch.Generator().manual_seed(0)
        if network is not None:
            candidate = Candidate(self.encoding, self.bandwidth, tuple(self.axes))
            return network(candidate.build(self.in_dim, self.n_frequencies, seeded))
        if self.parametrisation not in {"standard", "ntk"}:
            raise ValueError(f"`parametrisation={self.parametrisation!r}` is none of mlp's.")
        plan = NetworkPlan(
            in_dim=self.in_dim,
            n_outputs=self.out_dim,
            width=self.width,
            depth=self.depth,
            n_frequencies=self.n_frequencies,
            parametrisation="ntk" if self.parametrisation == "ntk" else "standard",
            sigmoid=self.sigmoid,
        )
        built = plan.trainable(Candidate(self.encoding, self.bandwidth, tuple(self.axes)))
        return symmetrise(built) if self.symmetrised else built

    @classmethod
    def of(
        cls, plan: NetworkPlan, candidate: Candidate, *, symmetrised: bool = False
    ) -> "Architecture":
        """That of a plan's network with an encoding."""
        return cls(
            encoding=candidate.name,
            bandwidth=candidate.bandwidth,
            axes=candidate.axes,
            in_dim=plan.in_dim,
            out_dim=plan.n_outputs,
            n_frequencies=plan.n_frequencies,
            width=plan.width,
            depth=plan.depth,
            parametrisation=plan.parametrisation,
            sigmoid=plan.sigmoid,
            symmetrised=symmetrised,
        )


def write_tensors(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write tensors and what they are, whole, with a checksum.

    Args:
        path: A `.safetensors` file.
        tensors: By name.
        about: Plain values, kept as JSON in the file's metadata.
    """
    write_bytes(path, tensor_bytes(tensors, about))


def tensor_bytes(tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> bytes:
    """What `write_tensors` writes."""
    held = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    metadata = {k: json.dumps(v) for k, v in about.items()} | {"sha256": _digest(held)}
    return save(held, metadata=metadata)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `write_tensors` wrote; weights of runs of format 1, which had no checksum, as well.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, or no safetensors file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"`{shown(path)}` does not exist: the run was not trained so far.")
    content = path.read_bytes()  # safetensors opens no path that is not UTF-8
    try:
        tensors = load(content)
        metadata = _metadata(content)
    except (SafetensorError, UnicodeDecodeError, OverflowError) as error:
        raise ValueError(f"`{shown(path)}` is damaged, or no safetensors file: {error}.") from None
    expected = metadata.pop("sha256", None)
    if expected not in {None, _digest(tensors)}:
        raise ValueError(f"`{shown(path)}` is damaged: its weights do not have its checksum.")
    return tensors, {k: _value(v) for k, v in metadata.items()}


def read_network(
    path: Path,
    architecture: Architecture,
    network: Callable[[AbstractEncoding], nn.Module] | None = None,
) -> nn.Module:
    """The trained network of a file, ready to be called on coordinates of any floating dtype.

    Args:
        path: The weights.
        architecture: What they are of, if the file does not say (format 1).
        network: Builds a network of one's own on the encoding.

    Raises:
        ValueError: The weights are damaged, or those of another network.
    """
    tensors, about = read_tensors(path)
    if "architecture" in about:
        try:
            found = about["architecture"]
            architecture = Architecture(**{**found, "axes": tuple(found.get("axes", ()))})
        except (TypeError, AttributeError) as error:
            raise ValueError(f"`{shown(path)}` has no architecture of ours: {error}.") from None
    built = architecture.build(network)
    try:
        built.load_state_dict(tensors)
    except RuntimeError as error:
        what = " ".join(str(error).split())
        way = "`network=` builds another one" if network else "pass `network=` if it was your own"
        raise ValueError(f"`{shown(path)}` does not fit {architecture}: {what} ({way}).") from None
    built.register_forward_pre_hook(_in_own_dtype)
    return built.eval()


def about(architecture: Architecture, **more: Any) -> dict[str, Any]:
    """Metadata of trained weights."""
    return {"format": 2, "architecture": asdict(architecture), **more}


def _in_own_dtype(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Coordinates in the dtype of the weights: `grid.points()` is float64."""
    own = next(module.parameters()).dtype
    return tuple(x.to(own) if isinstance(x, Tensor) and x.is_floating_point() else x for x in args)


def _metadata(content: bytes) -> dict[str, str]:
    """The texts of a safetensors file: in its header, JSON of the length in the first eight bytes."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]).get("__metadata__", {})


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of names, shapes, dtypes and values."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        t = tensors[name].contiguous()
        found.update(f"{name} {t.dtype} {tuple(t.shape)}\n".encode())
        found.update(t.reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text  # format 1
