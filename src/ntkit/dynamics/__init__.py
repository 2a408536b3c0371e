"""Dynamics: what a kernel says of training."""

from ntkit.dynamics.gradient_flow import GradientFlow
from ntkit.dynamics.training_time import training_time

__all__ = ["GradientFlow", "training_time"]
