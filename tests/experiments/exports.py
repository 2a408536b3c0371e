"""Networks on every encoding, to be exported."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

pytest.importorskip("tyro")
pytest.importorskip("filelock")
pytest.importorskip("safetensors")

from ntkit import encodings
from ntkit.experiments.export import ExportedNetwork
from ntkit.networks import FAMILIES, mlp, nerf, residual
from ntkit.tasks import Budget, Domain
from tests.cases import ENCODINGS, seeded

PICTURE = Domain("image", (24, 32), 2, levels=((0.0, 255.0),), units=("px", "px"))

MADE: dict[str, Callable[[], encodings.AbstractEncoding]] = {
    **{
        f"{kind.__name__}-{k}": partial(make, 2)
        for kind, makers in ENCODINGS.items()
        for k, make in enumerate(makers)
    },
    "SphericalHarmonics-0": lambda: encodings.SphericalHarmonics(3),
    "SphericalHarmonics-1": lambda: encodings.SphericalHarmonics(
        3, condon_shortley=True, in_unit_cube=True
    ),
}
"""Every encoding that takes one tensor of points; `Integrated` and `Rotary` take two tensors, and are no first layer."""


def network_on(encoding: encodings.AbstractEncoding, *, width: int = 16) -> nn.Module:
    """A small one, as read back from a run: evaluated, not trained on."""
    return mlp(encoding, 2, width=width, depth=2, generator=seeded(3)).eval()


def _family(name: str) -> nn.Module:
    shape = {"bandwidth": 4.0, "width": 16, "depth": 2}
    return FAMILIES[name].build(2, 2, **shape, generator=seeded()).eval()


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    **{name: lambda make=make: network_on(make()) for name, make in MADE.items()},
    **{name: partial(_family, name) for name in FAMILIES if name != "mlp"},
    "nerf": lambda: nerf(encodings.NeRF(2, 3), 2, width=16, generator=seeded()).eval(),
    "residual": lambda: residual(encodings.NeRF(2, 3), 2, width=16, generator=seeded()).eval(),
}
"""On every encoding, and of every family."""


def subject_of(
    network: nn.Module, domain: Domain = PICTURE, in_dim: int | None = None
) -> ExportedNetwork:
    """A network as a run has it."""
    first = next((m for m in network.modules() if isinstance(m, encodings.AbstractEncoding)), None)
    in_dim = first.in_dim if first else in_dim
    return ExportedNetwork(
        network, in_dim or 2, domain.n_outputs, domain, Budget("adam", 1e-3, 2000, 512)
    )


def places(n: int, d: int) -> Tensor:
    """Points in the unit cube."""
    return torch.rand(n, d, generator=seeded(n))
