"""The trainings of a run-off inside of a run folder: where one stopped, it goes on."""

from dataclasses import dataclass
from pathlib import Path

import torch

from ntkit._core.errors import NumericalError
from ntkit.experiments.progress import Telling
from ntkit.experiments.real_training import Proof
from ntkit.experiments.run_folder import CHECKPOINT, RUN_OFFS
from ntkit.experiments.training import KeptTraining, finished_proof, train_in
from ntkit.experiments.weights import Architecture
from ntkit.tasks import Evaluation
from ntkit.tuning import Contender

__all__ = ["KeptRunOff"]


@dataclass(frozen=True)
class KeptRunOff:
    """Trains the networks of a run-off as `ntkit.tuning.trained_briefly` does, and keeps them.

    Attributes:
        folder: The run folder.
        device: Where to train.
        telling: Who is told of it, and what ends a training at a step.
    """

    folder: Path
    device: torch.device
    telling: Telling

    def __call__(self, contender: Contender) -> Evaluation:
        """What a network reached; of one that was trained before, what it reached then.

        Raises:
            NumericalError: It diverged.
            KeyboardInterrupt: It was stopped, with a checkpoint.
        """
        plan, candidate = contender.plan, contender.candidate
        work = KeptTraining(
            folder=self.folder,
            name=RUN_OFFS[candidate.family],
            candidate=candidate,
            architecture=Architecture.of(plan, candidate),
            network=contender.network.to(self.device),
            task=contender.task,
            budget=contender.budget,
            seed=plan.seed,
            stops=[contender.budget.steps],
            called="run-off:",
        )
        kept = finished_proof(self.folder, work.name, candidate, work.words)
        proof = kept or Proof(candidate, metric=contender.task.metric)
        try:
            if kept is None:
                train_in(
                    work,
                    proof,
                    show_progress=self.telling.show_progress,
                    interruption=self.telling.interruption,
                )
        except NumericalError:
            (self.folder / CHECKPOINT).unlink(missing_ok=True)
            raise
        if not proof.finished:
            raise KeyboardInterrupt
        return proof.evaluations[-1]
