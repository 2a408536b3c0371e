"""Experiments: a Spec goes in, a run folder comes out."""

from ntkit.experiments.signal_row import SignalRow
from ntkit.experiments.signal_table import SignalTable
from ntkit.experiments.spec import FitSpec, TuneSpec
from ntkit.experiments.tune_each import tune_each

__all__ = ["FitSpec", "SignalRow", "SignalTable", "TuneSpec", "tune_each"]
