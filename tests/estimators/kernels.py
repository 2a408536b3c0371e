"""Kernels as functions of hyperparameters, importable so that they pickle."""

import torch
from torch import Tensor, nn

from ntkit import ntk
from ntkit.kernels import RBF, AbstractKernel, Linear, Matern
from ntkit.networks import Linear as Dense
from tests.cases import seeded


def scaled_rbf(size: Tensor, scale: Tensor) -> AbstractKernel:
    return size * RBF(scale)


def mixture(a: Tensor, b: Tensor, scale: Tensor) -> AbstractKernel:
    return a * Matern(1.5, scale) + b * Linear()


def network(w_std: Tensor, b_std: Tensor) -> AbstractKernel:
    """A ReLU network whose scales are learned."""
    first, last = Dense(2, 8, generator=seeded()), Dense(8, 1, generator=seeded())
    first.w_std, first.b_std = w_std, b_std
    return ntk(nn.Sequential(first, nn.ReLU(), last))


def features(d: int) -> nn.Module:
    """A module made to measure, for clones and pickles."""
    return nn.Sequential(Dense(d, 16, generator=seeded()), torch.nn.ReLU(), Dense(16, 1))
