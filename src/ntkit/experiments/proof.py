"""A real training run, as it stands beside its prediction."""

from dataclasses import dataclass, field

from ntkit.tasks import Evaluation, psnr
from ntkit.tuning import Candidate

__all__ = ["Proof"]


@dataclass
class Proof:
    """A real training run beside its prediction.

    Attributes:
        candidate: The encoding trained.
        evaluations: Measured errors, the last one on all samples.
        finished: False if the run was interrupted.
        seconds: Time of the training.
    """

    candidate: Candidate
    evaluations: list[Evaluation] = field(default_factory=list)
    finished: bool = False
    seconds: float = 0.0

    @property
    def train_psnr(self) -> float:
        """Measured PSNR on the training samples at the last evaluation, dB."""
        return psnr(self.evaluations[-1].train) if self.evaluations else float("nan")

    @property
    def held_out_psnr(self) -> float:
        """Measured PSNR on the held-out samples at the last evaluation, dB."""
        return psnr(self.evaluations[-1].held_out) if self.evaluations else float("nan")
