"""Who is told what of a run while it goes on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ntkit.experiments.interruption import Interruption

__all__ = ["Telling"]


@dataclass
class Telling:
    """Listeners of a run; all of them may be left out.

    Attributes:
        on_progress: Called with a line of text at each stage.
        on_notice: Called with a line of text that stays, before work that takes minutes.
        on_recommendation: Called with a tuning run before its proof by training, with a fit before it trains.
        show_progress: Whether to draw progress bars while training.
        interruption: What ends a training at a step; without, Ctrl-C ends the run at the last checkpoint.
    """

    on_progress: Callable[[str], None] | None = None
    on_notice: Callable[[str], None] | None = None
    on_recommendation: Callable[[Any], None] | None = None
    show_progress: bool = True
    interruption: Interruption = field(default_factory=Interruption)

    def stage(self, text: str) -> None:
        """Say how far it is."""
        if self.on_progress:
            self.on_progress(text)

    def notice(self, text: str) -> None:
        """Say a line that stays."""
        if self.on_notice:
            self.on_notice(text)

    def recommended(self, run: Any) -> None:
        """Show a run before it trains."""
        if self.on_recommendation:
            self.on_recommendation(run)
