"""Reconstruction: linear inverse problems, solved and predicted in kernel space."""

from ntkit.reconstruction.filtered_back_projection import filtered_back_projection
from ntkit.reconstruction.network import TrainedNetwork, train_on_measurements
from ntkit.reconstruction.prediction import PredictedTraining, predict_training
from ntkit.reconstruction.zero_filled import zero_filled

__all__ = [
    "PredictedTraining",
    "TrainedNetwork",
    "filtered_back_projection",
    "predict_training",
    "train_on_measurements",
    "zero_filled",
]
