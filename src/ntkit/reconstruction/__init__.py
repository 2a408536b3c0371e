"""Reconstruction: linear inverse problems, solved and predicted in kernel space."""

from ntkit.reconstruction.prediction import PredictedTraining, predict_training

__all__ = ["PredictedTraining", "predict_training"]
