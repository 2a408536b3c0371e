"""Experiments: a Spec goes in, a run folder comes out."""

from ntkit.experiments.spec import TuneSpec

__all__ = ["TuneSpec"]
