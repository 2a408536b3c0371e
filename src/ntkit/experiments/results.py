"""What a tuning run found, as one object and as JSON."""

import json
import math
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from ntkit.experiments.spec import TuneSpec
from ntkit.experiments.verify import Proof
from ntkit.tasks.signals import psnr
from ntkit.tuning import TuneResult

__all__ = ["RunResult", "summary", "write_json"]


@dataclass
class RunResult:
    """A tuning run.

    Attributes:
        spec: What was asked.
        shape: Samples along each axis.
        n_outputs: Channels.
        result: The recommendation.
        notes: What was converted, rounded or approximated.
        threads: CPU threads used.
        initial_error: What training leaves of the random initial function, see
            `ntkit.tuning.initial_error`.
        proofs: Real training runs: the recommended network, then the one with no encoding.
        partial: Whether training was interrupted.
    """

    spec: TuneSpec
    shape: tuple[int, ...]
    n_outputs: int
    result: TuneResult
    notes: tuple[str, ...]
    threads: int
    initial_error: float | None = None
    proofs: list[Proof] = field(default_factory=list)
    partial: bool = False

    def predicted_for(self, proof: Proof) -> tuple[float, float]:
        """Predicted PSNR on training and held-out samples at the proof's last checkpoint, dB."""
        step = proof.checkpoints[-1].step
        curve = self.result.curves[str(proof.candidate)]
        nearest = min(curve, key=lambda p: abs(p.steps - step))
        return nearest.train, nearest.held_out


def summary(run: RunResult) -> list[dict[str, Any]]:
    """Predicted beside measured, one row a network, with bicubic interpolation below."""
    rows: list[dict[str, Any]] = []
    for proof in run.proofs:
        if not proof.checkpoints:
            continue
        train, held_out = run.predicted_for(proof)
        rows.append({
            "name": "no encoding" if proof.candidate.name == "identity" else str(proof.candidate),
            "steps": proof.checkpoints[-1].step,
            "train_predicted": train,
            "train_measured": proof.train_psnr,
            "held_out_predicted": held_out,
            "held_out_measured": proof.held_out_psnr,
            "held_out_error": held_out - proof.held_out_psnr,
            "averaged": proof.checkpoints[-1].averaged,
            "seconds": proof.seconds,
            "finished": proof.finished,
        })
    return rows


def write_json(run: RunResult, folder: Path) -> None:
    """Write `spec.json` and `result.json`; numbers that JSON has no word for become text."""
    result = run.result
    content = {
        "ntkit": version("ntkit"),
        "torch": torch.__version__,
        "partial": run.partial,
        "seed": run.spec.seed,
        "threads": run.threads,
        "shape": run.shape,
        "channels": run.n_outputs,
        "encoding": result.choice.name,
        "bandwidth": result.bandwidth,
        "flat_range": result.flat_range,
        "goal": result.goal,
        "budget": asdict(result.budget),
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
        "code": result.code,
        "bicubic_held_out": result.bicubic,
        "initial_function_held_out": None if run.initial_error is None else psnr(run.initial_error),
        "seconds": result.seconds,
        "notes": run.notes,
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
            "measured": {str(p.candidate): [asdict(c) for c in p.checkpoints] for p in run.proofs},
        },
    }
    _dump(folder / "spec.json", run.spec.to_dict())
    _dump(folder / "result.json", content)


def _dump(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(_plain(content), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
