"""A real training run, as it stands beside its prediction."""

from dataclasses import dataclass, field

from ntkit.tasks import PSNR, AbstractMetric, Evaluation
from ntkit.tuning import Candidate

__all__ = ["Proof"]


@dataclass
class Proof:
    """A real training run.

    Attributes:
        candidate: The encoding trained.
        evaluations: Measured errors, the last one on all samples.
        finished: False if the run was interrupted.
        seconds: Time of the training.
        scores: What else is measured of such data, by name and unit, of the trained network.
        metric: In what it is judged.
    """

    candidate: Candidate
    evaluations: list[Evaluation] = field(default_factory=list)
    finished: bool = False
    seconds: float = 0.0
    scores: dict[str, float] = field(default_factory=dict)
    metric: AbstractMetric = field(default_factory=PSNR)

    @property
    def train_quality(self) -> float:
        """On what is trained on: PSNR in dB, or IoU."""
        return self.metric.quality(self.evaluations[-1].train)

    @property
    def held_out_quality(self) -> float:
        """The same on what is held out; NaN where nothing is."""
        return self.metric.quality(self.evaluations[-1].held_out)
