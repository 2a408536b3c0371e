"""Tasks: a signal on a grid, what of it is trained on, and the training itself."""

from ntkit.tasks.signals import Signal, psnr
from ntkit.tasks.training import Budget, Checkpoint, train

__all__ = ["Budget", "Checkpoint", "Signal", "psnr", "train"]
