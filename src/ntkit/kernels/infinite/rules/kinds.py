"""What a layer without a rule of its own weights may mean: a map of positions."""

from dataclasses import dataclass
from typing import ClassVar

from ntkit.kernels.infinite.meanings import AbstractMeaning

__all__ = ["Pools"]


@dataclass(frozen=True)
class Pools(AbstractMeaning):
    """A linear map of positions, the same for every channel: its matrix comes from probing the call itself."""

    what: ClassVar[str] = "map of positions"
