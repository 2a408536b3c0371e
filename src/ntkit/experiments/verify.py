"""The proof: train the recommended network, and the same one without an encoding."""

import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ntkit.networks import symmetrise
from ntkit.tasks.signals import Signal, psnr
from ntkit.tasks.training import Checkpoint, train
from ntkit.tuning import Candidate, TuneResult, build_network

__all__ = ["Proof", "prepare", "verify"]


@dataclass
class Proof:
    """A real training run beside its prediction.

    Attributes:
        candidate: The encoding trained.
        network: The network, trained as far as `checkpoints` says.
        checkpoints: Measured errors, the last one on all samples.
        finished: False if the run was interrupted.
        seconds: Time of the training.
    """

    candidate: Candidate
    network: nn.Module
    checkpoints: list[Checkpoint] = field(default_factory=list)
    finished: bool = False
    seconds: float = 0.0

    @property
    def train_psnr(self) -> float:
        """Measured PSNR on the training samples at the last checkpoint, dB."""
        return psnr(self.checkpoints[-1].train) if self.checkpoints else float("nan")

    @property
    def held_out_psnr(self) -> float:
        """Measured PSNR on the held-out samples at the last checkpoint, dB."""
        return psnr(self.checkpoints[-1].held_out) if self.checkpoints else float("nan")

    def image(self, signal: Signal) -> Tensor:
        """The network's output at every sample, `[*shape, o]`."""
        with torch.no_grad():
            parts = [self.network(x) for x in signal.grid.points().float().split(8192)]
        return torch.cat(parts).reshape(*signal.shape, -1)


def verify(
    proof: Proof,
    signal: Signal,
    result: TuneResult,
    *,
    antisymmetric: bool,
    show_progress: bool = True,
    on_step: Callable[[int], None] | None = None,
) -> None:
    """Train `proof.network` by the budget of `result`, filling `proof` as it goes.

    Args:
        proof: Made by `prepare`; what it holds is right at any moment, also after an interrupt.
        signal: What to fit.
        result: The recommendation.
        antisymmetric: Whether the network is a symmetrised pair, named in the progress bar.
        show_progress: Whether to draw a progress bar.
        on_step: Called after each step.
    """
    budget = result.budget
    label = f"{proof.candidate}{' (symmetrised)' if antisymmetric else ''}"
    stops = [p.steps for p in result.curves[str(result.choice)] if p.steps >= budget.steps / 100]
    generator = torch.Generator().manual_seed(result.seed)
    recent: deque[float] = deque(maxlen=20)
    with tqdm(
        total=budget.steps,
        desc=f"training {label}",
        unit="it",
        disable=not show_progress,
        mininterval=0.2 if sys.stderr.isatty() else 15,
    ) as bar:

        def step_done(step: int, loss: float) -> None:
            recent.append(loss)
            bar.update()
            if step % 10 == 0:
                bar.set_postfix_str(f"PSNR {psnr(sum(recent) / len(recent)):.1f} dB", refresh=False)
            if on_step:
                on_step(step)

        try:
            train(
                proof.network,
                signal,
                budget,
                checkpoints=[int(s) for s in stops],
                average=budget.optimiser == "adam",
                generator=generator,
                on_step=step_done,
                on_checkpoint=proof.checkpoints.append,
            )
        finally:
            proof.seconds = float(bar.format_dict["elapsed"])
    proof.finished = True


def prepare(
    result: TuneResult, signal: Signal, candidate: Candidate, *, antisymmetric: bool
) -> Proof:
    """An untrained network with the encoding of `candidate`, ready to verify."""
    network: nn.Module = build_network(result, candidate, len(signal.shape), signal.n_outputs)
    return Proof(candidate, symmetrise(network) if antisymmetric else network)
