"""Where the rules are filed: one a layer type, looked up by exact type."""

from collections.abc import Callable
from typing import Any

from ntkit._core.errors import UnsupportedLayerError
from ntkit._core.registry import ExactTypeRegistry
from ntkit.kernels.infinite.state import PairState
from ntkit.kernels.infinite.variances import Variances

__all__ = ["rules"]


rules: ExactTypeRegistry[Callable[[Any, PairState, Variances], PairState]] = ExactTypeRegistry(
    "infinite-width rule", UnsupportedLayerError
)
