"""A training as `repr` and notebooks show it."""

from abc import ABC

from ntkit._core.html_card import html_card
from ntkit._core.pickling import Kept
from ntkit.dynamics.expansion import Expansion

__all__ = ["ShownTraining"]


class ShownTraining(Kept, ABC):
    """What a training by kernel is, in a line and as a small table; nothing is computed for them."""

    _expansion: Expansion
    ridge: float

    def __repr__(self) -> str:
        kernel, n = self._expansion.kernel, len(self._expansion.points)
        return f"<{type(self).__name__} of {kernel!r} on {n} points, ridge {self.ridge:g}>"

    def _repr_html_(self) -> str:
        rows = (
            ("kernel", repr(self._expansion.kernel)),
            ("trained on", f"{len(self._expansion.points):,} points"),
            ("kernel matrix", self._expansion.operator.kind),
            ("ridge", f"{self.ridge:g}"),
        )
        return html_card(type(self).__name__, rows)
