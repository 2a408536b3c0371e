"""A real training run, as it stands beside its prediction."""

from dataclasses import dataclass, field

from ntkit.tasks import Evaluation, psnr
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
    """

    candidate: Candidate
    evaluations: list[Evaluation] = field(default_factory=list)
    finished: bool = False
    seconds: float = 0.0
    scores: dict[str, float] = field(default_factory=dict)

    @property
    def train_psnr(self) -> float:
        """On the training samples, dB."""
        return psnr(self.evaluations[-1].train)

    @property
    def held_out_psnr(self) -> float:
        """On the held-out samples, dB; NaN where nothing is held out."""
        return psnr(self.evaluations[-1].held_out)
