"""Kernels: callables `k(x1, x2=None) -> [n, m]` with `k.diag(x) -> [n]`, and their operators."""

from ntkit.kernels.base import AbstractKernel, AbstractLagKernel, Constant, Product, Sum
from ntkit.kernels.closed import (
    RBF,
    AbstractRadial,
    ArcCosine,
    FeatureMap,
    Laplace,
    Linear,
    Matern,
    Polynomial,
    Stationary,
)
from ntkit.kernels.empirical import (
    Auto,
    Contraction,
    EmpiricalKernel,
    FeatureStore,
    Sketch,
    Structured,
    empirical_ntk,
)
from ntkit.kernels.gram import gram
from ntkit.kernels.infinite import (
    InfiniteKernel,
    Norm,
    PairState,
    catalogue,
    duals,
    nngp,
    ntk,
    register_activation,
    rules,
)
from ntkit.kernels.kernel_distance import kernel_distance
from ntkit.kernels.seen_from import Profile, profile_of, seen_from
from ntkit.kernels.write_gram import missing_chunks, write_gram

__all__ = [
    "RBF",
    "AbstractKernel",
    "AbstractLagKernel",
    "AbstractRadial",
    "ArcCosine",
    "Auto",
    "Constant",
    "Contraction",
    "EmpiricalKernel",
    "FeatureMap",
    "FeatureStore",
    "InfiniteKernel",
    "Laplace",
    "Linear",
    "Matern",
    "Norm",
    "PairState",
    "Polynomial",
    "Product",
    "Profile",
    "Sketch",
    "Stationary",
    "Structured",
    "Sum",
    "catalogue",
    "duals",
    "empirical_ntk",
    "gram",
    "kernel_distance",
    "missing_chunks",
    "nngp",
    "ntk",
    "profile_of",
    "register_activation",
    "rules",
    "seen_from",
    "write_gram",
]
