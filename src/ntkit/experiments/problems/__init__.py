"""From what a reconstruction is asked to its data and its measurement."""

from ntkit.experiments.problems.door import completed, open_problem
from ntkit.experiments.problems.problem import Problem

__all__ = ["Problem", "completed", "open_problem"]
