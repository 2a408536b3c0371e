"""What a tuning run found, as one object and as JSON."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ntkit._core.whole_files import shown
from ntkit.experiments.proof import Proof
from ntkit.experiments.run_folder import RESULT, SPEC, WEIGHTS, RunFolder
from ntkit.experiments.spec import TuneSpec
from ntkit.experiments.weights import Architecture, read_network
from ntkit.tasks import Budget, Evaluation, psnr
from ntkit.tuning import Candidate, Clock, Prediction, Row, ScaleModel, TuneResult

__all__ = ["RunResult", "read_run", "summary", "write_run"]


@dataclass
class RunResult:
    """A tuning run.

    Attributes:
        spec: What was asked.
        folder: Where it is written.
        shape: Samples along each axis.
        n_outputs: Channels.
        result: The recommendation.
        notes: What was converted, rounded or approximated.
        threads: CPU threads used.
        started: When, as an ISO date.
        input_digest: SHA-256 of the input file.
        command: The command line that started it, empty if there was none.
        initial_error: What training leaves of the random initial function, see
            `ntkit.tuning.initial_error`.
        proofs: Real training runs: the recommended network, then the one with no encoding.
        partial: Whether something of the run is still to come.
        interrupted: Whether it was just stopped.
        diverged: Why there is no recommendation, if its training diverged.
    """

    spec: TuneSpec
    folder: Path
    shape: tuple[int, ...]
    n_outputs: int
    result: TuneResult
    notes: tuple[str, ...]
    threads: int
    started: str
    input_digest: str | None
    command: str = ""
    initial_error: float | None = None
    proofs: list[Proof] = field(default_factory=list)
    partial: bool = True
    interrupted: bool = False
    diverged: str | None = None

    @property
    def network(self) -> nn.Module:
        """The trained network of the recommendation, read from the folder."""
        return self.trained()

    def trained(
        self,
        *,
        network: Callable[..., nn.Module] | None = None,
        name: str = WEIGHTS[0],
    ) -> nn.Module:
        """A trained network of the run, ready to be called on coordinates `[n, d]`.

        Args:
            network: Makes a network of one's own from the encoding, where the run trained such a one.
            name: "recommended" or "no_encoding".

        A file that is missing, damaged or of another network is refused.
        """
        path = self.folder / f"{name}.safetensors"
        candidate = self.result.choice if name == WEIGHTS[0] else Candidate("identity")
        return read_network(path, self.architecture(candidate), network)

    def architecture(self, candidate: Candidate) -> Architecture:
        """What the network with this encoding is."""
        return Architecture(
            encoding=candidate.name,
            bandwidth=candidate.bandwidth,
            in_dim=len(self.shape),
            out_dim=self.n_outputs,
            n_frequencies=self.result.n_frequencies,
            width=self.result.width,
            depth=self.result.depth,
            symmetrised=self.spec.symmetrise,
        )

    def predicted_for(self, proof: Proof) -> tuple[float, float]:
        """Predicted PSNR on training and held-out samples at the proof's last evaluation, dB."""
        step = proof.evaluations[-1].step
        curve = self.result.curves[str(proof.candidate)]
        nearest = min(curve, key=lambda p: abs(p.steps - step))
        return nearest.train, nearest.held_out


def summary(run: RunResult) -> list[dict[str, Any]]:
    """Predicted beside measured, one row a network, with bicubic interpolation below."""
    rows: list[dict[str, Any]] = []
    for proof in run.proofs:
        if not proof.evaluations:
            continue
        train, held_out = run.predicted_for(proof)
        rows.append({
            "name": proof.candidate.label,
            "steps": proof.evaluations[-1].step,
            "train_predicted": train,
            "train_measured": proof.train_psnr,
            "held_out_predicted": held_out,
            "held_out_measured": proof.held_out_psnr,
            "held_out_error": held_out - proof.held_out_psnr,
            "averaged": proof.evaluations[-1].averaged,
            "seconds": proof.seconds,
            "finished": proof.finished,
        })
    return rows


def content(run: RunResult) -> dict[str, Any]:
    """What `result.json` holds. Without a recommendation (divergence) `encoding` is null."""
    result = run.result
    sound = run.diverged is None
    return {
        "ntkit": version("ntkit"),
        "torch": torch.__version__,
        "job": "tune",
        "partial": run.partial,
        "diverged": run.diverged,
        "started": run.started,
        "command": run.command,
        "input_sha256": run.input_digest,
        "seed": run.spec.seed,
        "threads": run.threads,
        "shape": run.shape,
        "channels": run.n_outputs,
        "encoding": result.choice.name if sound else None,
        "bandwidth": result.bandwidth if sound else None,
        "flat_range": result.flat_range if sound else None,
        "code": result.code if sound else None,
        "predicted_best": asdict(result.choice),
        "goal": result.goal,
        "budget": asdict(result.budget),
        "width": result.width,
        "depth": result.depth,
        "n_frequencies": result.n_frequencies,
        "draw": result.seed,
        "engine": result.engine,
        "clock": asdict(result.clock) if result.clock else None,
        "scale_models": [
            {
                "encoding": m.candidate.name,
                "bandwidth": m.candidate.bandwidth,
                "train": m.train,
                "held_out": m.held_out,
            }
            for m in result.models
        ],
        "bicubic_held_out": result.bicubic,
        "initial_function_mse": run.initial_error,
        "initial_function_held_out": None if run.initial_error is None else psnr(run.initial_error),
        "seconds": result.seconds,
        "notes": run.notes,
        "tuning_notes": result.notes,
        "table": [
            {
                "encoding": row.candidate.name,
                "bandwidth": row.candidate.bandwidth,
                "predicted": [asdict(p) for p in row.predictions],
            }
            for row in result.table
        ],
        "verified": summary(run),
        "curves": {
            "predicted": {k: [asdict(p) for p in v] for k, v in result.curves.items()},
            "measured": {str(p.candidate): [asdict(c) for c in p.evaluations] for p in run.proofs},
        },
    }


def write_run(run: RunResult) -> None:
    """Write `spec.json` and `result.json` into the run's folder."""
    folder = RunFolder(run.folder)
    folder.write(SPEC, run.spec.to_dict())
    folder.write(RESULT, content(run))


def read_run(path: Path) -> RunResult:
    """The run of a folder, as far as it went.

    Raises:
        ValueError: It is damaged, or was stopped before there was a recommendation.
    """
    folder = RunFolder(path)
    spec = TuneSpec.from_dict(folder.spec)
    found = folder.result
    if "table" not in found:
        raise ValueError(
            f"`{shown(path)}` was stopped before there was a recommendation. Start it again with "
            f"`ntkit tune --resume {shown(path)}`."
        )
    try:
        return _restored(spec, path, found)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ValueError(
            f"`{shown(path / RESULT)}` is damaged ({type(error).__name__}: {error}). Run again."
        ) from None


def _restored(spec: TuneSpec, path: Path, found: dict[str, Any]) -> RunResult:
    result = _tuned(spec, found)
    measured = found["curves"]["measured"]
    rows = {row["name"]: row for row in found["verified"]}
    proofs = []
    for name in (str(result.choice), "identity"):
        candidate = result.choice if name == str(result.choice) else Candidate("identity")
        if name in measured and candidate not in [p.candidate for p in proofs]:
            evaluations = [
                Evaluation(int(e["step"]), float(e["train"]), float(e["held_out"]), e["averaged"])
                for e in measured[name]
            ]
            row = rows.get(candidate.label, {"finished": False, "seconds": 0.0})
            proofs.append(Proof(candidate, evaluations, row["finished"], float(row["seconds"])))
    initial = found.get("initial_function_mse", found.get("initial_function_held_out"))
    if initial is not None and "initial_function_mse" not in found:
        initial = 10 ** (-float(initial) / 10)
    return RunResult(
        spec=spec,
        folder=path,
        shape=tuple(int(n) for n in found["shape"]),
        n_outputs=int(found["channels"]),
        result=result,
        notes=tuple(found["notes"]),
        threads=int(found["threads"]),
        started=found.get("started", ""),
        input_digest=found.get("input_sha256"),
        command=found.get("command", ""),
        initial_error=None if initial is None else float(initial),
        proofs=proofs,
        partial=bool(found["partial"]),
        diverged=found.get("diverged"),
    )


def _tuned(spec: TuneSpec, found: dict[str, Any]) -> TuneResult:
    table = tuple(
        Row(_candidate(row), tuple(_prediction(p) for p in row["predicted"]))
        for row in found["table"]
    )
    choice = _candidate(found.get("predicted_best", found))
    draw = found.get("draw")
    if draw is None:  # format 1 did not say: the draw of `tune`
        seeded = torch.Generator().manual_seed(spec.seed)
        draw = int(torch.randint(2**31, (1,), generator=seeded))
    n_frequencies = int(found.get("n_frequencies", spec.n_frequencies))
    n_axes = len(found["shape"])
    clock = found["clock"]
    return TuneResult(
        choice=choice,
        encoding=choice.build(n_axes, n_frequencies, torch.Generator().manual_seed(int(draw))),
        bandwidth=choice.bandwidth,
        flat_range=_pair(found["flat_range"]),
        table=table,
        goal=found["goal"],
        budget=Budget(**found["budget"]),
        steps=tuple(p.steps for p in table[0].predictions),
        engine=found["engine"],
        clock=_clock(clock) if clock else None,
        models=tuple(
            ScaleModel(_candidate(m), float(m["train"]), float(m["held_out"]))
            for m in found.get("scale_models", ())
        ),
        bicubic=float(found["bicubic_held_out"]),
        notes=tuple(found.get("tuning_notes", ())),
        seconds=float(found["seconds"]),
        width=int(found.get("width", spec.width)),
        depth=int(found.get("depth", spec.depth)),
        n_frequencies=n_frequencies,
        code=f"encoding = {choice.code(n_axes, n_frequencies)}",
        curves={
            k: tuple(_prediction(p) for p in v) for k, v in found["curves"]["predicted"].items()
        },
        seed=int(draw),
    )


def _candidate(found: dict[str, Any]) -> Candidate:
    bandwidth = found["bandwidth"]
    name = found["name"] if "name" in found else found["encoding"]
    return Candidate(str(name), None if bandwidth is None else float(bandwidth))


def _prediction(found: dict[str, Any]) -> Prediction:
    steps = float(found["steps"])
    whole = int(steps) if steps.is_integer() else steps
    return Prediction(whole, float(found["train"]), float(found["held_out"]))


def _clock(found: dict[str, Any]) -> Clock:
    pilot = found["pilot"]
    numbers = {k: float(found[k]) for k in ("speed", "fitted", "measured", "predicted", "error")}
    return Clock(pilot=Budget(**pilot) if pilot else None, encoding=found["encoding"], **numbers)


def _pair(found: Any) -> tuple[float, float] | None:
    return None if found is None else (float(found[0]), float(found[1]))
