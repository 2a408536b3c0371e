"""Runs back from their JSON, those of earlier versions too."""

from math import nan
from pathlib import Path
from typing import Any

import torch

from ntkit._core.whole_files import shown
from ntkit.experiments.options import AbstractSpec
from ntkit.experiments.real_training import Proof
from ntkit.experiments.reconstruct_content import reconstruction_from
from ntkit.experiments.reconstruct_result import ReconstructRun
from ntkit.experiments.reconstruct_spec import CtSpec, ImageSpec, MriSpec, ReconstructSpec
from ntkit.experiments.results import AbstractRun, FitRun, TuneRun, metric_of
from ntkit.experiments.run_folder import RESULT, RunFolder
from ntkit.experiments.spec import FitSpec, TuneSpec
from ntkit.tasks import Baseline, Budget, Domain, Evaluation
from ntkit.tuning import (
    Candidate,
    Clock,
    FamilyRow,
    Lead,
    NetworkPlan,
    Prediction,
    Row,
    ScaleModel,
    TuneResult,
)

__all__ = ["is_planned", "read_run", "read_spec", "spec_of"]

_SPECS = {kind.job: kind for kind in (TuneSpec, FitSpec)}
_RECONSTRUCTIONS = {kind.of: kind for kind in (CtSpec, MriSpec, ImageSpec)}


def spec_of(content: dict[str, Any]) -> AbstractSpec:
    """The spec of a `spec.json`, of whichever command.

    Raises:
        ValueError: It is of no command that there is, or a field is not its.
    """
    job, kind = content.get("job", TuneSpec.job), content.get("of")
    found = _RECONSTRUCTIONS.get(str(kind)) if job == ReconstructSpec.job else _SPECS.get(job)
    if found is None:
        raise ValueError(
            f"The spec is of `{job}{'' if kind is None else f' {kind}'}`, which is no command of this version. Update ntkit."
        )
    return found.from_dict(content)


def read_spec(folder: RunFolder) -> AbstractSpec:
    """What the run of a folder was asked for."""
    return spec_of(folder.spec)


def is_planned(result: dict[str, Any]) -> bool:
    """Whether a `result.json` says what is to be trained: a recommendation, or the encoding of a fit."""
    return "table" in result or "why" in result


def read_run(path: Path) -> AbstractRun:
    """The run of a folder, as far as it went.

    Raises:
        ValueError: It is damaged, or was stopped before there was a recommendation.
    """
    folder = RunFolder(path)
    spec = read_spec(folder)
    found = folder.result
    if not is_planned(found):
        raise ValueError(
            f"`{shown(path)}` was stopped before there was a result. Start it again with "
            f"`ntkit {spec.command} --resume {shown(path)}`."
        )
    try:
        common = _common(path, found)
        if isinstance(spec, FitSpec):
            return FitRun(spec=spec, **common, **_fit(found))
        if isinstance(spec, ReconstructSpec):
            return ReconstructRun(spec=spec, **common, **reconstruction_from(found))
        assert isinstance(spec, TuneSpec)
        return TuneRun(spec=spec, **common, **_tune(spec, found))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ValueError(
            f"`{shown(path / RESULT)}` is damaged ({type(error).__name__}: {error}). Run again."
        ) from None


def _common(path: Path, found: dict[str, Any]) -> dict[str, Any]:
    shape, outputs = tuple(int(n) for n in found["shape"]), int(found["channels"])
    domain = found.get("domain")
    return {
        "folder": path,
        "domain": Domain.from_dict(domain) if domain else Domain("image", shape, outputs),
        "axis_counts": tuple(float(n) for n in found.get("axis_counts", [n / 2 for n in shape])),
        "notes": tuple(found["notes"]),
        "threads": int(found["threads"]),
        "started": found.get("started", ""),
        "input_digest": found.get("input_sha256"),
        "command": found.get("command", ""),
        "partial": bool(found["partial"]),
        "diverged": found.get("diverged"),
    }


def _tune(spec: TuneSpec, found: dict[str, Any]) -> dict[str, Any]:
    result = _recommendation(found, found["curves"]["predicted"], spec)
    measured = found["curves"]["measured"]
    rows = {row["name"]: row for row in found["verified"]}
    proofs = []
    for name in (str(result.choice), "identity"):
        candidate = result.choice if name == str(result.choice) else Candidate("identity")
        if name in measured and candidate not in [p.candidate for p in proofs]:
            row = rows.get(candidate.label, {"finished": False, "seconds": 0.0})
            evaluations = [_evaluation(e) for e in measured[name]]
            scores = row.get("scores", {})
            proofs.append(
                Proof(
                    candidate,
                    evaluations,
                    row["finished"],
                    float(row["seconds"]),
                    scores,
                    metric_of(found.get("kind", "image")),
                )
            )
    initial = found.get("initial_function_mse", found.get("initial_function_held_out"))
    if initial is not None and "initial_function_mse" not in found:
        initial = 10 ** (-float(initial) / 10)
    return {
        "result": result,
        "initial_error": None if initial is None else float(initial),
        "proofs": proofs,
    }


def _fit(found: dict[str, Any]) -> dict[str, Any]:
    candidate = _candidate(found)
    choice = found["choice"]
    evaluations = [_evaluation(e) for e in found["evaluations"]]
    return {
        "candidate": candidate,
        "why": found["why"],
        "plan": NetworkPlan(**found["plan"]),
        "budget": Budget(**found["budget"]),
        "choice": _recommendation(choice, choice["predicted_curves"]) if choice else None,
        "proof": Proof(
            candidate,
            evaluations,
            found["finished"],
            float(found["seconds"]),
            found["scores"],
            metric_of(found["kind"]),
        ),
        "n_trained": int(found["n_trained"]),
        "baseline": _baseline(found),
    }


def _recommendation(
    found: dict[str, Any], curves: dict[str, Any], spec: TuneSpec | None = None
) -> TuneResult:
    table = tuple(
        Row(_candidate(row), tuple(_prediction(p) for p in row["predicted"]))
        for row in found["table"]
    )
    choice = _candidate(found.get("predicted_best", found))
    plan = NetworkPlan(**found["plan"]) if "plan" in found else _old_plan(found, spec)
    clock, budget = found["clock"], Budget(**found["budget"])
    return TuneResult(
        choice=choice,
        bandwidth=choice.bandwidth,
        flat_range=_pair(found["flat_range"]),
        table=table,
        goal=found["goal"],
        budget=budget,
        steps=tuple(p.steps for p in table[0].predictions) if table else (budget.steps,),
        engine=found["engine"],
        clock=_clock(clock) if clock else None,
        models=tuple(
            ScaleModel(_candidate(m), float(m["train"]), float(m["held_out"]))
            for m in found.get("scale_models", ())
        ),
        baseline=_baseline(found),
        notes=tuple(found.get("tuning_notes", ())),
        seconds=float(found["seconds"]),
        plan=plan,
        code=plan.code(choice),
        curves={k: tuple(_prediction(p) for p in v) for k, v in curves.items()},
        families=tuple(map(_family, found.get("families", ()))),
        equal=found.get("equal", "steps"),
        by_models=bool(found.get("by_models", False)),
    )


def _family(found: dict[str, Any]) -> FamilyRow:
    return FamilyRow(
        candidate=_candidate(found),
        predicted=_prediction(found["predicted"]),
        in_time=_prediction(found["in_time"]),
        n_parameters=int(found["n_parameters"]),
        seconds_a_step=float(found["seconds_a_step"]),
        behind=Lead(**found["behind"]),
        curve=tuple(map(_prediction, found["curve"])),
        run_off=_prediction(found["run_off"]) if found.get("run_off") else None,
    )


def _old_plan(found: dict[str, Any], spec: TuneSpec | None) -> NetworkPlan:
    """Of formats 1 and 2. The first did not say the sizes, nor the draw of `tune`."""
    draw, seed = found.get("draw"), spec.seed if spec else 0
    if draw is None:
        seeded = torch.Generator().manual_seed(seed)
        draw = int(torch.randint(2**31, (1,), generator=seeded))
    width, depth, n_frequencies = (
        int(found.get(k, getattr(spec, k))) for k in ("width", "depth", "n_frequencies")
    )
    return NetworkPlan(
        len(found["shape"]),
        int(found["channels"]),
        width=width,
        depth=depth,
        n_frequencies=n_frequencies,
        seed=int(draw),
    )


def _baseline(found: dict[str, Any]) -> Baseline | None:
    if "bicubic_held_out" in found:  # until format 2
        return Baseline("bicubic", float(found["bicubic_held_out"]))
    said = found.get("baseline")
    return Baseline(said["name"], float(said["held_out"])) if said else None


def _candidate(found: dict[str, Any]) -> Candidate:
    bandwidth = found["bandwidth"]
    name = found["name"] if "name" in found else found["encoding"]
    axes = tuple(float(f) for f in found.get("axes") or ())
    return Candidate(str(name), None if bandwidth is None else float(bandwidth), axes)


def _evaluation(found: dict[str, Any]) -> Evaluation:
    held_out = found["held_out"]
    return Evaluation(
        int(found["step"]),
        float(found["train"]),
        nan if held_out is None else float(held_out),
        bool(found["averaged"]),
    )


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
