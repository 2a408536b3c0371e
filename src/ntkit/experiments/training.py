"""One training inside of a run folder: with checkpoints, a progress bar, and weights at its end."""

import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic

import torch
from torch import nn
from tqdm import tqdm

from ntkit.experiments.interruption import Interruption
from ntkit.experiments.real_training import Proof
from ntkit.experiments.run_folder import CHECKPOINT
from ntkit.experiments.weights import Architecture, about, read_tensors, write_tensors
from ntkit.tasks import AbstractTask, Budget, Evaluation, Trainer
from ntkit.tasks.divergence import refuse_nonsense
from ntkit.tuning import Candidate

__all__ = ["KeptTraining", "finished_proof", "train_in"]

_SECONDS = 5.0  # between checkpoints: what is lost at most, but for one step


@dataclass(frozen=True)
class KeptTraining:
    """A training, and where it is kept.

    Attributes:
        folder: The run folder.
        name: Of the file of weights.
        candidate: The encoding.
        architecture: What the network was built as.
        network: The network, untrained, on its device.
        task: What it is trained on.
        budget: How long, and how.
        seed: Of the batches.
        stops: Steps at which it is judged, the last one among them.
        called: What the progress bar calls it.
    """

    folder: Path
    name: str
    candidate: Candidate
    architecture: Architecture
    network: nn.Module
    task: AbstractTask
    budget: Budget
    seed: int
    stops: Sequence[int]
    called: str = "training"

    @property
    def words(self) -> str:
        """What it is, so that no other is taken for it."""
        return f"{self.candidate}; {self.budget}"


def train_in(
    work: KeptTraining, proof: Proof, *, show_progress: bool, interruption: Interruption
) -> None:
    """Train, or go on with a checkpoint of the same training, and write the weights.

    Every few seconds a checkpoint is written. The weights of a training that was stopped are those that it would
    be judged by.

    Args:
        work: The training.
        proof: Is filled with what is measured.
        show_progress: Whether to draw a progress bar.
        interruption: Asked after each step; where it wants so, the training ends there, with a checkpoint.

    A training that diverges raises `NumericalError`.
    """
    trainer = Trainer(
        work.network,
        work.task,
        work.budget,
        average=work.budget.averages,
        generator=torch.Generator().manual_seed(work.seed),
    )
    path = work.folder / CHECKPOINT
    before = _restored(trainer, path, work)
    proof.evaluations = trainer.evaluations
    began = saved = monotonic()

    def save() -> None:
        seconds = before + monotonic() - began
        write_tensors(
            path,
            trainer.state(),
            {"network": work.name, "training": work.words, "seconds": seconds},
        )

    bar, show = _progress(work, trainer.step, show_progress=show_progress)

    def step_done(step: int, loss: float) -> None:
        nonlocal saved
        show(step, loss)
        if interruption.asked:
            save()
            raise KeyboardInterrupt
        if monotonic() - saved > _SECONDS:
            save()
            saved = monotonic()

    with bar, interruption.deferred():
        try:
            trainer.run(evaluate_at=work.stops, on_step=step_done)
            refuse_nonsense(proof.evaluations[-1], work.task)
            proof.finished = True
        except KeyboardInterrupt:  # here at the end of a step
            pass
    trainer.take_better()
    proof.seconds = before + monotonic() - began
    _write(work, proof, trainer.step)
    if proof.finished:
        path.unlink(missing_ok=True)


def _write(work: KeptTraining, proof: Proof, step: int) -> None:
    facts = about(
        work.architecture,
        encoding=str(work.candidate),
        finished=proof.finished,
        training=work.words,
        step=step,
        seconds=proof.seconds,
        evaluations=[asdict(e) for e in proof.evaluations],
    )
    write_tensors(work.folder / f"{work.name}.safetensors", work.network.state_dict(), facts)


def finished_proof(
    folder: Path, name: str, candidate: Candidate, words: str | None = None
) -> Proof | None:
    """What the folder's weights of this name say of a training that came to its end, if it did.

    Args:
        folder: The run folder.
        name: Of the file of weights.
        candidate: The encoding.
        words: Of the training (`KeptTraining.words`), where the folder may hold another one of that name.
    """
    path = folder / f"{name}.safetensors"
    if not path.is_file():
        return None
    facts = read_tensors(path)[1]
    if facts.get("finished") is not True or "evaluations" not in facts:
        return None
    if words is not None and facts.get("training") != words:
        return None
    evaluations = [Evaluation(**e) for e in facts["evaluations"]]
    return Proof(candidate, evaluations, finished=True, seconds=float(facts["seconds"]))


def _restored(trainer: Trainer, path: Path, work: KeptTraining) -> float:
    """Put a checkpoint of this training back, and return how long it had trained, in seconds."""
    if not path.is_file():
        return 0.0
    state, facts = read_tensors(path)
    if facts.get("network") != work.name or facts.get("training", work.words) != work.words:
        return 0.0
    trainer.restore(state)
    return float(facts["seconds"])


def _progress(
    work: KeptTraining, done: int, *, show_progress: bool
) -> tuple[tqdm, Callable[[int, float], None]]:
    """A progress bar, and what tells it of a step."""
    recent: deque[float] = deque(maxlen=20)
    symmetrised = " (symmetrised)" if work.architecture.symmetrised else ""
    bar = tqdm(
        total=work.budget.steps,
        initial=done,
        desc=f"{work.called} {work.candidate.label}{symmetrised}",
        unit="step",
        disable=not show_progress,
        mininterval=0.2 if sys.stderr.isatty() else 15,
    )

    def show(step: int, loss: float) -> None:
        recent.append(loss)
        bar.update()
        if step % 10 == 0:
            bar.set_postfix_str(work.task.loss_in_words(sum(recent) / len(recent)), refresh=False)

    return bar, show
