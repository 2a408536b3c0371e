"""Tuning: the encoding and the bandwidth for a signal and a budget."""

from ntkit.tuning.candidates import COMPARED, ENCODINGS, Candidate
from ntkit.tuning.choice import Row
from ntkit.tuning.comparison import Lead
from ntkit.tuning.families import FamilyRow
from ntkit.tuning.fit import Fit, fit
from ntkit.tuning.initial_error import initial_error
from ntkit.tuning.ladders import EVERY_FAMILY, usual_of
from ntkit.tuning.live import Trained, trained
from ntkit.tuning.optimisers import Clock
from ntkit.tuning.plan import NetworkPlan
from ntkit.tuning.predict import Prediction
from ntkit.tuning.recommend import recommend
from ntkit.tuning.rehearsal import Act, Rehearsal
from ntkit.tuning.result import TuneResult
from ntkit.tuning.run_off import Contender, RunOff, trained_briefly
from ntkit.tuning.scale_model import ScaleModel
from ntkit.tuning.stage import Stage
from ntkit.tuning.sweep import Rung, rungs, sweep
from ntkit.tuning.tune import tune

__all__ = [
    "COMPARED",
    "ENCODINGS",
    "EVERY_FAMILY",
    "Act",
    "Candidate",
    "Clock",
    "Contender",
    "FamilyRow",
    "Fit",
    "Lead",
    "NetworkPlan",
    "Prediction",
    "Rehearsal",
    "Row",
    "RunOff",
    "Rung",
    "ScaleModel",
    "Stage",
    "Trained",
    "TuneResult",
    "fit",
    "initial_error",
    "recommend",
    "rungs",
    "sweep",
    "trained",
    "trained_briefly",
    "tune",
    "usual_of",
]
