"""Experiments: a Spec goes in, a run folder comes out."""

from ntkit.experiments.spec import FitSpec, TuneSpec
from ntkit.experiments.tune_each import tune_each

__all__ = ["FitSpec", "TuneSpec", "tune_each"]
