"""Reconstructions as JSON, and back."""

from dataclasses import asdict
from math import isnan
from typing import Any

from ntkit.experiments.reconstruct_result import Leftover, ReconstructRun
from ntkit.reconstruction import Choice, PriorRow, Trial

__all__ = ["reconstruction_from", "reconstruction_to"]


def reconstruction_to(run: ReconstructRun) -> dict[str, Any]:
    """What `result.json` says of it, beside what all runs have."""
    return {
        "of": run.spec.of,
        "choice_in_words": run.choice_in_words,
        "choice": asdict(run.choice),
        "why": run.why,
        "priors": [_without_nan(asdict(row)) for row in run.priors],
        "table": [_without_nan(asdict(trial)) for trial in run.table],
        "unit": run.unit,
        "baseline": run.baseline,
        "held": run.held,
        "n_data": run.n_data,
        "leftover": asdict(run.leftover),
        "scores": run.scores,
        "covered": run.covered,
        "gap": run.gap,
        "seconds": run.seconds,
    }


def reconstruction_from(found: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `ReconstructRun` that `reconstruction_to` wrote."""
    choice = dict(found["choice"])
    if choice["bounds"] is not None:
        choice["bounds"] = tuple(choice["bounds"])
    return {
        "choice": Choice(**choice),
        "priors": tuple(PriorRow(**_with_nan(row)) for row in found["priors"]),
        "table": tuple(Trial(**_with_nan(row)) for row in found["table"]),
        "why": str(found["why"]),
        "unit": str(found["unit"]),
        "baseline": str(found["baseline"]),
        "held": str(found["held"]),
        "n_data": int(found["n_data"]),
        "leftover": Leftover(**{k: float(v) for k, v in found["leftover"].items()}),
        "scores": {
            name: {k: float(v) for k, v in row.items()} for name, row in found["scores"].items()
        },
        "covered": None if found["covered"] is None else float(found["covered"]),
        "gap": float(found["gap"]),
        "seconds": float(found["seconds"]),
    }


def _without_nan(row: dict[str, Any]) -> dict[str, Any]:
    """What was not looked at: null, which JSON has."""
    return {k: None if isinstance(v, float) and isnan(v) else v for k, v in row.items()}


def _with_nan(row: dict[str, Any]) -> dict[str, Any]:
    return {k: float("nan") if v is None else v for k, v in row.items()}
