"""Dynamics: what a kernel says of training."""

from ntkit.dynamics.gradient_flow import GradientFlow
from ntkit.dynamics.lazy_history import LazyHistory, LazyRow
from ntkit.dynamics.lazy_probe import LazyProbe, log_steps
from ntkit.dynamics.linearize import linearize
from ntkit.dynamics.taylor import Taylor, taylor
from ntkit.dynamics.training_time import training_time

__all__ = [
    "GradientFlow",
    "LazyHistory",
    "LazyProbe",
    "LazyRow",
    "Taylor",
    "linearize",
    "log_steps",
    "taylor",
    "training_time",
]
