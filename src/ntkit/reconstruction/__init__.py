"""Reconstruction: linear inverse problems, solved and predicted in kernel space."""

from ntkit.reconstruction.coil_maps import coil_maps
from ntkit.reconstruction.default_priors import default_priors
from ntkit.reconstruction.filtered_back_projection import filtered_back_projection
from ntkit.reconstruction.network import TrainedNetwork, train_on_measurements
from ntkit.reconstruction.prediction import PredictedTraining, predict_training
from ntkit.reconstruction.reconstruct import reconstruct
from ntkit.reconstruction.result import Choice, PriorRow, Reconstruction, Trial
from ntkit.reconstruction.whiteness import Whiteness, whiteness
from ntkit.reconstruction.zero_filled import zero_filled

__all__ = [
    "Choice",
    "PredictedTraining",
    "PriorRow",
    "Reconstruction",
    "TrainedNetwork",
    "Trial",
    "Whiteness",
    "coil_maps",
    "default_priors",
    "filtered_back_projection",
    "predict_training",
    "reconstruct",
    "train_on_measurements",
    "whiteness",
    "zero_filled",
]
