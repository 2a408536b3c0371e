"""Reconstruction: linear inverse problems, solved and predicted in kernel space."""

from ntkit.reconstruction.network import TrainedNetwork, train_on_measurements
from ntkit.reconstruction.prediction import PredictedTraining, predict_training

__all__ = ["PredictedTraining", "TrainedNetwork", "predict_training", "train_on_measurements"]
