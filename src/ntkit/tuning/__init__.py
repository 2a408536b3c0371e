"""Tuning: the encoding and the bandwidth for a signal and a budget."""

from ntkit.tuning.candidates import COMPARED, ENCODINGS, Candidate
from ntkit.tuning.choice import Row
from ntkit.tuning.clock import Clock
from ntkit.tuning.initial_error import initial_error
from ntkit.tuning.predict import Prediction
from ntkit.tuning.scale_model import ScaleModel
from ntkit.tuning.tune import TuneResult, build_network, tune

__all__ = [
    "COMPARED",
    "ENCODINGS",
    "Candidate",
    "Clock",
    "Prediction",
    "Row",
    "ScaleModel",
    "TuneResult",
    "build_network",
    "initial_error",
    "tune",
]
