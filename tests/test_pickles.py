"""Every operator, flow, kernel, encoding, network, measurement and result is pickled, equal to the last bit."""

import copy
import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from functools import cache
from inspect import isclass
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ntkit
from ntkit import dynamics, encodings, kernels, networks, reconstruction, solvers, spectra, tuning
from ntkit.kernels import RBF
from ntkit.operators import DenseOperator
from ntkit.tasks import Budget, Image, Signal
from tests import cases
from tests.answers import Called, X, answers, answers_of
from tests.cases import randn, seeded
from tests.test_copies import ELSEWHERE, OPERATORS, RESULTS, RULES

Make = Callable[[], Any]


def flat(d: Tensor) -> Tensor:
    return 1 / (1 + d)


def clipped(x: Tensor) -> Tensor:
    return x.clamp(-1, 2)


NAMED: dict[type, Callable[[], nn.Module]] = {
    networks.Elementwise: lambda: cases.activated(networks.Elementwise(clipped, (-1.0, 2.0))),
    networks.SelfAttention: lambda: networks.SelfAttention(
        4, 4, 2, 2, 2, embedding="sum", embedding_decay=flat, positions=(3,), generator=seeded()
    ),
}
"""In place of those of the tables that hold a function without a name."""

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same'")

SHAPES: dict[type, tuple[int, ...]] = {networks.SelfAttention: (3, 4), networks.ViewMLP: (3,)}


def called(kind: type, module: nn.Module) -> Called:
    """With points that it takes."""
    dtype = next((t.dtype for t in module.parameters()), torch.float64)
    layer = cases.LAYERS.get(kind)
    if layer is not None and kind not in NAMED:
        return Called(module, layer.points(3, seeded(), dtype=dtype))
    real = dtype.to_real() if dtype.is_complex else dtype
    return Called(module, randn(3, *SHAPES.get(kind, (2,))).to(real))


METHODS = kernels.Structured(), kernels.Contraction(), kernels.Auto(), kernels.Sketch(8)
EMPIRICAL = {
    repr(method): lambda m=method: ntkit.empirical_ntk(
        cases.standard(encodings.Identity(2)).double(), method=m
    )
    for method in METHODS
}


WAVE = Signal(0.5 + 0.4 * torch.sin(25 * torch.arange(64.0) / 64))
PLAN = tuning.NetworkPlan(1, 1, width=8, depth=2, n_frequencies=4)
SHORT = Budget("sgd", steps=20)
ASKED: dict[str, Any] = {"budget": SHORT, "plan": PLAN}
A = ntkit.measurements.Samples.every_other((8,))
DATA = randn(4)
GAUSSIAN, REACHED = tuning.Candidate("gaussian", 2.0), tuning.Prediction(20, 11.0, 10.0)


TUNED: dict[type, Make] = {
    tuning.Fit: lambda: ntkit.fit(
        Image(randn(8, 8).sigmoid()), encoding=encodings.Basic(2), steps=2, width=8, depth=1
    ),
    tuning.Rung: lambda: tuning.rungs(WAVE, [GAUSSIAN], **ASKED)[0],
    tuning.Stage: lambda: tuning.recommend(
        WAVE, lambda _: None, encodings=["gaussian"], bandwidths=[2.0, 4.0], **ASKED
    ),
    tuning.Trained: lambda: [*tuning.trained(WAVE, GAUSSIAN, **ASKED)][-1],
    tuning.Rehearsal: lambda: tuning.Rehearsal(Image(randn(8, 8).sigmoid()), 2.0, steps=4),
    tuning.Act: lambda: [*tuning.Rehearsal(Image(randn(8, 8).sigmoid()), 2.0, steps=4).trained(16)][
        -1
    ],
    tuning.Clock: lambda: tuning.Clock(3.0, False),
    tuning.Lead: lambda: tuning.Lead(0.3, 0.1),
    tuning.ScaleModel: lambda: tuning.ScaleModel(GAUSSIAN, 10.0, 9.0),
    tuning.FamilyRow: lambda: tuning.FamilyRow(
        GAUSSIAN, REACHED, REACHED, 100, 0.01, tuning.Lead(0.3, 0.1), (REACHED,)
    ),
    tuning.Contender: lambda: tuning.Contender(GAUSSIAN, WAVE, PLAN, SHORT),
}

RECONSTRUCTED: dict[type, Make] = {
    reconstruction.Reconstruction: lambda: ntkit.reconstruct(DATA, A, prior=RBF(0.2)),
    reconstruction.PredictedTraining: lambda: reconstruction.predict_training(
        DATA, A, RBF(0.2), times=[1.0]
    ),
    reconstruction.TrainedNetwork: lambda: reconstruction.train_on_measurements(
        DATA, A, bandwidth=1.0, steps=2, width=8, depth=1, n_frequencies=4
    ),
    reconstruction.Whiteness: lambda: reconstruction.whiteness(randn(9, 9)),
}
INSIDE = {
    tuning.Candidate, tuning.NetworkPlan, tuning.Prediction, tuning.Row,
    reconstruction.Choice, reconstruction.PriorRow, reconstruction.Trial, dynamics.TrainingOptions,
}  # fmt: skip
"""Parts of these."""

SQUARE = DenseOperator(RBF(0.5)(X))
SOLVED: dict[type, Make] = {
    solvers.EigenPairs: lambda: solvers.block_lanczos(SQUARE, count=2),
    solvers.RitzPairs: lambda: solvers.lanczos(SQUARE, steps=3, start=torch.ones(6).double()),
    solvers.ShiftedSolutions: lambda: solvers.multi_shift_cg(SQUARE.rows, randn(1, 6), [0.1, 1.0]),
    kernels.Profile: lambda: kernels.profile_of(torch.tensor([0.0, 0.5, 1.0, 0.25]), 2),
}

TABLES: dict[str, dict[type, Any]] = {
    "encoding": {
        kind: [lambda m=m: m(2) for m in makes] for kind, makes in cases.ENCODINGS.items()
    },
    "network": {
        kind: [lambda k=kind, m=make: called(k, NAMED.get(k, m)())]
        for kind, make in cases.NETWORKS.items()
    },
    "measurement": cases.MEASUREMENTS,
    "kernel": cases.KERNELS,
    "operator": {kind: [make for own, make in OPERATORS if own is kind] for kind in cases.OPERATORS},
    "rule": RULES,
    **{
        name: {kind: [make] for kind, make in table.items()}
        for name, table in {
            "of dynamics": RESULTS, "elsewhere": ELSEWHERE, "of tuning": TUNED, "of solvers": SOLVED,
            "of reconstruction": RECONSTRUCTED,
        }.items()
    },
}  # fmt: skip
EVERY: dict[str, Make] = {
    f"{name} {kind.__name__}-{k}": make
    for name, table in TABLES.items()
    for kind, makes in table.items()
    for k, make in enumerate(makes)
} | {f"kernel {name}": make for name, make in EMPIRICAL.items()}


def same(one: list[np.ndarray], two: list[np.ndarray]) -> bool:
    """To the last bit."""
    return len(one) == len(two) and all(
        a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
        for a, b in zip(one, two, strict=True)
    )


@cache
def made(name: str) -> tuple[Any, bytes, list[np.ndarray]]:
    """An object, its pickle before it was asked anything, and its answers."""
    value = EVERY[name]()
    fresh = pickle.dumps(value)
    return value, fresh, answers(value)


@pytest.mark.parametrize("name", EVERY)
def test_a_pickle_answers_to_the_last_bit(name: str) -> None:
    value, fresh, expected = made(name)
    assert expected, "nothing is compared"
    for found in (pickle.loads(fresh), pickle.loads(pickle.dumps(value))):
        assert type(found) is type(value)
        assert same(answers(found), expected)


def test_a_spawned_process_finds_the_same() -> None:
    """All of them in one process, which has imported none of this."""
    pickles = {}
    for name in EVERY:
        with suppress(ImportError):  # of an extra that is not there
            pickles[name] = pickle.dumps(made(name)[0])
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        found = pool.submit(answers_of, pickles).result()
    assert not [name for name in pickles if not same(found[name], made(name)[2])]


NOT_RESULTS = {
    solvers.Auto, solvers.BlockDescent, solvers.Cholesky, solvers.Circulant, solvers.ConjugateGradients,
    solvers.Eigenbasis, solvers.FlowResponse, solvers.InducingPoints, solvers.Limit, solvers.Nystrom,
    solvers.PivotedCholesky, solvers.Shifted,
}  # fmt: skip
"""Choices and moments; and `Eigenbasis`, which is a computation on its way."""


@pytest.mark.parametrize(
    "package", [dynamics, reconstruction, solvers, spectra, tuning], ids=lambda p: p.__name__
)
def test_every_public_result_is_here(package: ModuleType) -> None:
    public = {getattr(package, name) for name in package.__all__}
    results = {c for c in public if isclass(c) and not c.__name__.startswith("Abstract")}
    here = {kind for table in TABLES.values() for kind in table} | INSIDE | NOT_RESULTS
    assert not results - here


@pytest.mark.parametrize(
    ("make", "place"),
    [
        (lambda: networks.Elementwise(lambda x: x), "Elementwise.function"),
        (lambda: networks.LinearModel(lambda x: x, n_features=2), "LinearModel.feature_map"),
        (
            lambda: networks.SelfAttention(
                4,
                4,
                2,
                2,
                2,
                embedding="sum",
                embedding_decay=lambda d: 1 / (1 + d),
                positions=(3,),
            ),
            "SelfAttention.embedding_decay",
        ),
    ],
)
def test_a_module_that_holds_a_nameless_function_is_refused_by_name(make: Make, place: str) -> None:
    module = make()
    with pytest.raises(TypeError, match=rf"`{place}` holds the function `.*lambda"):
        pickle.dumps(nn.Sequential(module))
    copy.deepcopy(module)
