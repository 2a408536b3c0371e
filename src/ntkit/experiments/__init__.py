"""Experiments: a Spec goes in, a run folder comes out."""

from ntkit.experiments.spec import FitSpec, TuneSpec

__all__ = ["FitSpec", "TuneSpec"]
