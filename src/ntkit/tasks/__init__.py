"""Tasks: a field, what of it is trained on, and the training itself."""

from ntkit.tasks.base import AbstractTask, Baseline, psnr
from ntkit.tasks.budget import Budget, Evaluation
from ntkit.tasks.signal import Signal
from ntkit.tasks.trainer import Trainer
from ntkit.tasks.training import train

__all__ = ["AbstractTask", "Baseline", "Budget", "Evaluation", "Signal", "Trainer", "psnr", "train"]
