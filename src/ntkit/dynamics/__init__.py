"""Dynamics: what a kernel says of training."""

from ntkit.dynamics.compare import Comparison, compare
from ntkit.dynamics.descend import descend
from ntkit.dynamics.ensemble import Ensemble
from ntkit.dynamics.follow import Followed, Seen, follow
from ntkit.dynamics.gaussian_process import Fit, GaussianProcess
from ntkit.dynamics.gradient_descent import GradientDescent
from ntkit.dynamics.gradient_flow import GradientFlow
from ntkit.dynamics.heavy_ball import HeavyBallFlow
from ntkit.dynamics.lazy_history import LazyHistory, LazyRow
from ntkit.dynamics.lazy_probe import LazyProbe, log_steps
from ntkit.dynamics.linearize import linearize
from ntkit.dynamics.loss_flow import LossFlow
from ntkit.dynamics.minibatch import NoiseFloor, minibatch_noise
from ntkit.dynamics.momentum import Momentum, Nesterov
from ntkit.dynamics.normal import Normal
from ntkit.dynamics.stopping import Stopping
from ntkit.dynamics.taylor import Taylor, taylor
from ntkit.dynamics.training import TrainingOptions
from ntkit.dynamics.training_time import training_time
from ntkit.dynamics.walk import Walk, walk

__all__ = [
    "Comparison",
    "Ensemble",
    "Fit",
    "Followed",
    "GaussianProcess",
    "GradientDescent",
    "GradientFlow",
    "HeavyBallFlow",
    "LazyHistory",
    "LazyProbe",
    "LazyRow",
    "LossFlow",
    "Momentum",
    "Nesterov",
    "NoiseFloor",
    "Normal",
    "Seen",
    "Stopping",
    "Taylor",
    "TrainingOptions",
    "Walk",
    "compare",
    "descend",
    "follow",
    "linearize",
    "log_steps",
    "minibatch_noise",
    "taylor",
    "training_time",
    "walk",
]
