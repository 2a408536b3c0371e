"""Runs as JSON."""

from dataclasses import asdict
from importlib.metadata import version
from math import isnan
from typing import Any

import torch

from ntkit.experiments.reconstruct_content import reconstruction_to
from ntkit.experiments.reconstruct_result import ReconstructRun
from ntkit.experiments.results import AbstractRun, FitRun, TuneRun
from ntkit.experiments.run_folder import RESULT, SPEC, RunFolder
from ntkit.tasks import Evaluation, psnr
from ntkit.tuning import Candidate, TuneResult

__all__ = ["write_run"]


def write_run(run: AbstractRun) -> None:
    """Write `spec.json` and `result.json` into the run's folder."""
    folder = RunFolder(run.folder)
    folder.write(SPEC, run.spec.to_dict())
    folder.write(RESULT, _common(run) | _own(run))


def _own(run: AbstractRun) -> dict[str, Any]:
    """What runs of its command have."""
    if isinstance(run, TuneRun):
        return _tune(run)
    if isinstance(run, FitRun):
        return _fit(run)
    return reconstruction_to(run) if isinstance(run, ReconstructRun) else {}


def _common(run: AbstractRun) -> dict[str, Any]:
    return {
        "ntkit": version("ntkit"),
        "torch": torch.__version__,
        "job": run.spec.job,
        "partial": run.partial,
        "diverged": run.diverged,
        "started": run.started,
        "command": run.command,
        "input_sha256": run.input_digest,
        "threads": run.threads,
        "kind": run.domain.kind,
        "metric": run.metric.key,
        "domain": run.domain.to_dict(),
        "axis_counts": run.axis_counts,
        "shape": run.shape,
        "channels": run.n_outputs,
        "notes": run.notes,
    }


def _tune(run: TuneRun) -> dict[str, Any]:
    """Without a recommendation (divergence) `encoding` is null."""
    found = _recommendation(run.result)
    if run.diverged is not None:
        found |= dict.fromkeys(("encoding", "bandwidth", "axes", "flat_range", "code"))
    initial = run.initial_error
    curves = {"predicted": found.pop("predicted_curves")}
    curves["measured"] = {
        str(p.candidate): [_evaluation(c) for c in p.evaluations] for p in run.proofs
    }
    return {
        **found,
        "seed": run.spec.seed,
        "initial_function_mse": initial,
        "initial_function_held_out": None if initial is None else psnr(initial),
        "verified": [_without_nan(row) for row in run.summary()],
        "curves": curves,
    }


def _fit(run: FitRun) -> dict[str, Any]:
    proof = run.proof
    choice = _recommendation(run.choice) if run.choice else None
    done = proof.evaluations
    return {
        **_candidate(run.candidate),
        "why": run.why,
        "plan": _plan(run.plan),
        "budget": asdict(run.budget),
        "n_trained": run.n_trained,
        "n_parameters": run.n_parameters,
        "baseline": asdict(run.baseline) if run.baseline else None,
        "choice": choice,
        "evaluations": [_evaluation(e) for e in done],
        f"train_{proof.metric.key}": proof.train_quality if done else None,
        f"held_out_{proof.metric.key}": None
        if not done or isnan(proof.held_out_quality)
        else proof.held_out_quality,
        "scores": proof.scores,
        "finished": proof.finished,
        "seconds": proof.seconds,
    }


def _recommendation(result: TuneResult) -> dict[str, Any]:
    return {
        **_candidate(result.choice),
        "flat_range": result.flat_range,
        "code": result.code,
        "predicted_best": asdict(result.choice),
        "goal": result.goal,
        "budget": asdict(result.budget),
        "plan": _plan(result.plan),
        "engine": result.engine,
        "clock": asdict(result.clock) if result.clock else None,
        "scale_models": [
            {**_candidate(m.candidate), "train": m.train, "held_out": m.held_out}
            for m in result.models
        ],
        "families": [
            {**asdict(row), **_candidate(row.candidate), "family": row.family, "ties": row.ties}
            for row in result.families
        ],
        "equal": result.equal,
        "by_models": result.by_models,
        "baseline": asdict(result.baseline) if result.baseline else None,
        "seconds": result.seconds,
        "tuning_notes": result.notes,
        "table": [
            {**_candidate(row.candidate), "predicted": [asdict(p) for p in row.predictions]}
            for row in result.table
        ],
        "predicted_curves": {k: [asdict(p) for p in v] for k, v in result.curves.items()},
    }


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {
        "encoding": candidate.name,
        "bandwidth": candidate.bandwidth,
        "axes": candidate.axes,
    }


def _plan(plan: Any) -> dict[str, Any]:
    return {k: v for k, v in asdict(plan).items() if k != "factory"}


def _evaluation(evaluation: Evaluation) -> dict[str, Any]:
    return _without_nan(asdict(evaluation))


def _without_nan(row: dict[str, Any]) -> dict[str, Any]:
    """Nothing held out: null, which JSON has."""
    return {k: None if isinstance(v, float) and isnan(v) else v for k, v in row.items()}
