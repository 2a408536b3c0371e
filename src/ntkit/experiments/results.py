"""Runs as objects: what was asked, what was found, and the trained networks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, ClassVar

from torch import nn

from ntkit._core.whole_files import shown
from ntkit.experiments.export import ExportedNetwork, Format, write_export
from ntkit.experiments.real_training import Proof
from ntkit.experiments.run_folder import FITTED, WEIGHTS
from ntkit.experiments.spec import FitSpec, TuneSpec
from ntkit.experiments.weights import Architecture, read_network
from ntkit.tasks import JOBS, PSNR, AbstractMetric, Baseline, Budget, Domain, Image, Rendered
from ntkit.tuning import Candidate, NetworkPlan, TuneResult

__all__ = ["AbstractRun", "FitRun", "TuneRun", "metric_of"]


def metric_of(kind: str) -> AbstractMetric:
    """In what a job judges; of data in memory, PSNR."""
    return JOBS[kind].metric if kind in JOBS else PSNR()


@dataclass(kw_only=True)
class AbstractRun:
    """What all runs have.

    Attributes:
        spec: What was asked.
        folder: Where it is written.
        domain: What the coordinates and numbers of the data stand for.
        notes: What was converted, rounded or approximated.
        axis_counts: Training samples along each coordinate.
        threads: CPU threads used.
        started: When, as an ISO date.
        input_digest: SHA-256 of the input.
        command: The command line that started it, empty if there was none.
        partial: Whether something of the run is still to come.
        interrupted: Whether it was just stopped.
        diverged: Why there is no result, if its training diverged.
    """

    main: ClassVar[str] = WEIGHTS[0]
    """Name of the network that the run is about."""

    spec: Any
    folder: Path
    domain: Domain
    notes: tuple[str, ...]
    axis_counts: tuple[float, ...]
    threads: int
    started: str
    input_digest: str | None
    command: str = ""
    partial: bool = True
    interrupted: bool = False
    diverged: str | None = None

    @property
    def metric(self) -> AbstractMetric:
        """In what its networks are judged."""
        return metric_of(self.domain.kind)

    @property
    def shape(self) -> tuple[int, ...]:
        """Samples along each axis."""
        return self.domain.shape

    @property
    def n_outputs(self) -> int:
        """Channels."""
        return self.domain.n_outputs

    @property
    def size_in_words(self) -> str:
        """Samples along the axes: "24,000", or "36 x 43 x 36"."""
        return f"{self.shape[0]:,}" if len(self.shape) == 1 else " x ".join(map(str, self.shape))

    @property
    def network(self) -> nn.Module:
        """The trained network, read from the folder."""
        return self.trained()

    def trained(
        self, *, network: Callable[..., nn.Module] | None = None, name: str | None = None
    ) -> nn.Module:
        """A trained network of the run, ready to be called on coordinates `[n, d]`.

        Args:
            network: Makes a network of one's own from the encoding, where the run trained such a one.
            name: "recommended" (of a fit "network"), which is also what is meant if it is left out, or
                "no_encoding".

        A file that is missing, damaged or of another network is refused.

        Raises:
            ValueError: There is no network, since its training diverged.
        """
        if self.diverged:
            raise ValueError(
                f"`{shown(self.folder)}` has no network: its training diverged. Run again with a smaller rate."
            )
        name = name or self.main
        return read_network(
            self.folder / f"{name}.safetensors", self.architecture(self._named(name)), network
        )

    def render(self, out: Path | str | None = None, **how: Any) -> Rendered:
        """The field of the trained network at any resolution.

        Args:
            out: A file to write, in the format of its name.
            how: `size`, `crop`, and of sounds and films `rate`, as of `render` of the job in `ntkit.tasks`.

        Returns:
            The field in fitted units, with what they stand for.
        """
        job = JOBS.get(self.domain.kind, Image)
        rendered = job.render(self.network, self.domain, **how)
        if out is not None:
            job.write(Path(out), rendered)
        return rendered

    def export(
        self, out: Path | str, *, format: Format, name: str | None = None, force: bool = False
    ) -> list[str]:
        """Write a trained network for another program, and return what there is to know of the file.

        Args:
            out: The file: `.json` of tiny-cuda-nn, `.onnx`, or `.pt2` of PyTorch.
            format: "onnx" and "torch" compute what the network computes, without ntkit. "tiny-cuda-nn" is a
                configuration to train from.
            name: Which network, as of `trained`.
            force: Replace a file that is there.

        A network that the format has no counterpart of is refused.
        """
        candidate = self._named(name or self.main)
        architecture, network = self.architecture(candidate), self.trained(name=name)
        sizes = architecture.in_dim, architecture.out_dim
        subject = ExportedNetwork(network, *sizes, self.domain, self._budget_of(candidate))
        return write_export(subject, Path(out), format, force=force)

    def architecture(self, candidate: Candidate) -> Architecture:
        """What the network with this encoding is."""
        symmetrised = getattr(self.spec, "symmetrise", False)
        return Architecture.of(self._plan, candidate, symmetrised=symmetrised)

    @property
    def _plan(self) -> NetworkPlan:
        raise NotImplementedError

    def _budget_of(self, candidate: Candidate) -> Budget:
        raise NotImplementedError

    def _named(self, name: str) -> Candidate:
        raise NotImplementedError


@dataclass(kw_only=True)
class TuneRun(AbstractRun):
    """A tuning run.

    Attributes:
        spec: What was asked.
        result: The recommendation.
        initial_error: What training leaves of the random initial function, see
            `ntkit.tuning.initial_error`.
        proofs: Real training runs: the recommended network, then the one with no encoding.
    """

    spec: TuneSpec
    result: TuneResult
    initial_error: float | None = None
    proofs: list[Proof] = field(default_factory=list)

    def predicted_for(self, proof: Proof) -> tuple[float, float] | None:
        """Predicted quality on training and held-out samples at the proof's last evaluation, if there is one."""
        step = proof.evaluations[-1].step
        curve = self.result.curves.get(str(proof.candidate))
        if not curve:
            return None
        nearest = min(curve, key=lambda p: abs(p.steps - step))
        return nearest.train, nearest.held_out

    def summary(self) -> list[dict[str, Any]]:
        """Predicted beside measured, one row a network."""
        rows: list[dict[str, Any]] = []
        for proof in self.proofs:
            if not proof.evaluations:
                continue
            train, held_out = self.predicted_for(proof) or (None, None)
            off = None if held_out is None else held_out - proof.held_out_quality
            rows.append({
                "name": proof.candidate.label,
                "steps": proof.evaluations[-1].step,
                "train_predicted": train,
                "train_measured": proof.train_quality,
                "held_out_predicted": held_out,
                "held_out_measured": proof.held_out_quality,
                "held_out_error": off,
                "averaged": proof.evaluations[-1].averaged,
                "seconds": proof.seconds,
                "finished": proof.finished,
                "scores": proof.scores,
            })
        return rows

    @property
    def _plan(self) -> NetworkPlan:
        return self.result.plan

    def _budget_of(self, candidate: Candidate) -> Budget:
        return self.result.budget_of(candidate)

    def _named(self, name: str) -> Candidate:
        if name not in WEIGHTS:
            raise ValueError(f"`name={name!r}` must be one of {', '.join(WEIGHTS)}.")
        return self.result.choice if name == WEIGHTS[0] else Candidate("identity")


@dataclass(kw_only=True)
class FitRun(AbstractRun):
    """A training that is kept.

    Attributes:
        spec: What was asked.
        candidate: The encoding.
        why: How it was chosen, in words.
        plan: The network but for its encoding.
        budget: How long it trains, and how.
        choice: The recommendation that the encoding comes from, if the kernel was asked.
        proof: The training, as far as it went.
        n_trained: Samples that it is trained on.
        baseline: What needs no network, for the held-out samples.
    """

    main: ClassVar[str] = FITTED

    spec: FitSpec
    candidate: Candidate
    why: str
    plan: NetworkPlan
    budget: Budget
    choice: TuneResult | None = None
    proof: Proof
    n_trained: int
    baseline: Baseline | None = None

    @property
    def n_numbers(self) -> int:
        """Numbers that the network stands for."""
        return prod(self.shape) * self.n_outputs

    @property
    def n_parameters(self) -> int:
        """Numbers that the network keeps: weights, and the frequencies of its encoding."""
        network = self.architecture(self.candidate).build()
        return sum(t.numel() for t in network.state_dict().values())

    @property
    def _plan(self) -> NetworkPlan:
        return self.plan

    def _budget_of(self, candidate: Candidate) -> Budget:
        return self.budget

    def _named(self, name: str) -> Candidate:
        if name != FITTED:
            raise ValueError(
                f"`{shown(self.folder)}` holds one network; `name={name!r}` is none of it."
            )
        return self.candidate
