"""Tasks: a signal on a grid, what of it is trained on, and the training itself."""

from ntkit.tasks.budget import Budget, Evaluation
from ntkit.tasks.signals import Signal, psnr
from ntkit.tasks.trainer import Trainer
from ntkit.tasks.training import train

__all__ = ["Budget", "Evaluation", "Signal", "Trainer", "psnr", "train"]
