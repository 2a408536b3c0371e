"""Predictions of training against the reference values of `../shared/oracles`.

The references are neural-tangents 0.6.5's in float64, for the tangent and NNGP kernels of one network
on six training and four test points, two outputs: gradient descent on squares at six times and at
infinity, without and with a ridge; momentum and squares by its own ODE solver (good to about 1e-7);
the mean and covariance of ensembles; Gaussian process posteriors; the largest stable learning rates;
and the linearised network of `empirical/mlp`. Their loss is a mean, `t = lr * steps / (n o)` of ours.
Cross-entropy, of which the folder has no values, is asked of the peer itself, if it is installed
(`peer_dynamics.py`), with its solver's tolerance at 1e-12. Without the folder there are no rows.

With a ridge the peer's functions on training points are `(K + ridge) a` where ours are `K a`, as on
any other point: the difference, `ridge a`, is added to ours here.
"""

import json
import os
import subprocess
from math import inf, sqrt
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from benchmarks.report import Row
from ntkit import (
    Ensemble,
    GaussianProcess,
    GradientDescent,
    GradientFlow,
    HeavyBallFlow,
    LossFlow,
    Momentum,
    empirical_ntk,
    linearize,
    networks,
)
from ntkit.kernels import AbstractKernel

PATH = Path(__file__).parents[2] / "shared" / "oracles" / "neural_tangents.npz"
PEER = os.environ.get("NTKIT_PEER_PYTHON", "")
EXACT, ODE = 1e-9, 1e-5
SETS = ("train", "test")
X, OTHER = torch.arange(6.0).double()[:, None], torch.arange(10.0, 14.0).double()[:, None]
POINTS = {"train": X, "test": OTHER}


class Stored(AbstractKernel):
    """Matrices of the folder, as a kernel on numbered points."""

    def __init__(self, data: dict[str, Tensor], which: str) -> None:
        self._data, self._which = data, which

    def __call__(
        self, x1: Float[Tensor, "n ..."], x2: Float[Tensor, "m ..."] | None = None
    ) -> Float[Tensor, "n m"]:
        first, second = (SETS[len(x) == 4] for x in (x1, x1 if x2 is None else x2))
        if (first, second) == SETS:
            return self._data[f"{self._which}_test_train"].T
        return self._data[f"{self._which}_{first}_{second}"]

    def diag(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, " n"]:
        return self(x).diagonal()


def relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


class Problem:
    """The folder's training problem."""

    def __init__(self, data: dict[str, Tensor]) -> None:
        self.data = data
        self.ntk, self.nngp = Stored(data, "ntk"), Stored(data, "nngp")
        self.y, self.times = data["y_train"], data["ts"]
        self.scale = float(self.ntk(X).diagonal().mean())

    def start(self, x: Tensor) -> Tensor:
        return self.data[f"fx_{SETS[len(x) == 4]}_0"]

    def descent(self) -> list[Row]:
        rows, n = [], self.y.numel()
        for name, lr, ridge in (
            ("gd_mse_plain", 1.0, 0.0),
            ("gd_mse_lr0.5", 0.5, 0.0),
            ("gd_mse_reg_rel", 1.0, 1e-2 * self.scale),
            ("gd_mse_reg_abs", 1.0, 1e-2),
        ):
            flow = GradientFlow(self.ntk, X, self.y, f0=self.start, ridge=ridge)
            worst = 0.0
            for where, x in POINTS.items():
                for suffix, times in (("", self.times * lr / n), ("_inf", [inf])):
                    found = flow.predict(x, times)
                    if where == "train":
                        found = found + ridge * flow.expansion_weights(times).transpose(1, 2)
                    expected = self.data[f"{name}/{where}{suffix}"]
                    worst = max(worst, relative(found.reshape(expected.shape), expected))
            rows.append(Row(f"gradient flow, `{name}`", worst, at_most=EXACT))
        return rows

    def integrated(self) -> list[Row]:
        times, n, y = self.data["ts_ode"], self.y.numel(), self.y
        rows = []
        own = LossFlow(
            self.ntk, X, y, f0=self.start, loss=lambda f, y: 0.5 * nn.functional.mse_loss(f, y)
        )
        closed = GradientFlow(self.ntk, X, y, f0=self.start)
        lr = 0.1  # the peer's, and damping (1 - 0.9) / sqrt(lr), both for the mean
        ball = HeavyBallFlow(self.ntk, X, y, f0=self.start, damping=0.1 * sqrt(n / lr))
        for words, found, name, moments in (
            ("mean of squares as a loss of one's own", own, "gd_ode_mse", times),
            ("gradient flow in closed form", closed, "gd_ode_mse", times / n),
            (
                "momentum in the limit of small steps",
                ball,
                "gd_ode_mse_momentum0.9",
                times * sqrt(lr / n),
            ),
        ):
            worst = max(
                relative(found.predict(x, moments), self.data[f"{name}/{where}"])
                for where, x in POINTS.items()
            )
            rows.append(Row(f"{words}, `{name}`", worst, at_most=ODE))
        return rows

    def distributions(self) -> list[Row]:
        rows, n = [], self.y.numel()
        for which, kernel in (("nngp", self.nngp), ("ntk", self.ntk)):
            ridge = 1e-2 * float(kernel(X).diagonal().mean())
            # The peer's ridge is noise on the targets too where the kernel is the NNGP.
            noise = ridge if which == "nngp" else 0.0
            ensemble = Ensemble(self.nngp, kernel, X, self.y, ridge=ridge, noise=noise)
            moments = [*(self.times / n).tolist(), inf]
            found = ensemble.predict(OTHER, moments)
            for what, got in (("mean", found.mean), ("cov", found.covariance)):
                key = f"ensemble_reg_rel/{which}"
                worst = max(
                    relative(got[:-1], self.data[f"{key}_ts_{what}"]),
                    relative(got[-1], self.data[f"{key}_inf_{what}"]),
                )
                rows.append(Row(f"ensemble, {what}, `{key}`", worst, at_most=EXACT))
        for name, share in (("gp_plain", 0.0), ("gp_reg_rel", 1e-2)):
            for which, kernel in (("nngp", self.nngp), ("ntkgp", self.ntk)):
                noise = share * float(kernel(X).diagonal().mean())
                found = GaussianProcess(kernel, X, self.y, noise=noise).predict(OTHER)
                rows += self._posterior(f"{name}/{which}", found.mean, found.covariance)
            ensemble = Ensemble(self.nngp, self.ntk, X, self.y, ridge=share * self.scale)
            found = ensemble.predict(OTHER, [inf])
            rows += self._posterior(f"{name}/ntk", found.mean[0], found.covariance[0])
        return rows

    def _posterior(self, name: str, mean: Tensor, covariance: Tensor) -> list[Row]:
        worst = max(
            relative(mean, self.data[f"{name}_mean"]),
            relative(covariance, self.data[f"{name}_cov"]),
        )
        return [Row(f"posterior, mean and covariance, `{name}`", worst, at_most=EXACT)]

    def stability(self) -> list[Row]:
        n = self.y.numel()
        rules = {
            "max_learning_rate": GradientDescent(self.ntk, X, self.y, lr=1e-3),
            "max_learning_rate_momentum0.9": Momentum(self.ntk, X, self.y, lr=1e-3, beta=0.9),
        }
        return [
            Row(
                f"limit of stability, `{name}`",
                abs(n * rule.stability_limit / float(self.data[name]) - 1),
                at_most=EXACT,
            )
            for name, rule in rules.items()
        ]


def cross_entropy(problem: Problem) -> list[Row]:
    """Ours against the peer's own integration."""
    if not PEER:
        return []
    task = {
        "times": problem.data["ts_ode"].tolist(),
        **{f"k_{w}": problem.data[f"ntk_{w}"].tolist() for w in ("train_train", "test_train")},
        "y": problem.data["y_onehot"].tolist(),
        "f_train": problem.data["fx_train_0"].tolist(),
        "f_test": problem.data["fx_test_0"].tolist(),
    }
    script = Path(__file__).with_name("peer_dynamics.py")
    answer = subprocess.run(
        [PEER, str(script), "cross-entropy"],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        check=True,
    )
    expected = {k: torch.tensor(v).double() for k, v in json.loads(answer.stdout).items()}
    flow = LossFlow(
        problem.ntk, X, problem.data["y_onehot"], f0=problem.start, loss=nn.CrossEntropyLoss()
    )
    worst = max(
        relative(flow.predict(x, problem.data["ts_ode"]), expected[where])
        for where, x in POINTS.items()
    )
    return [Row("cross-entropy, against the peer's integration", worst, at_most=ODE)]


def linearised(data: dict[str, Tensor], stored: dict[str, Tensor]) -> list[Row]:
    """A finite network with three outputs that couple, linearised."""
    net = nn.Sequential(
        networks.Linear(5, 7, w_std=1.5, b_std=0.3),
        networks.Erf(),
        networks.Linear(7, 3, w_std=1.5, b_std=0.3),
    ).double()
    state = {
        f"{layer}.{kind}": stored[f"empirical/mlp/params/{letter}{k}"].T.reshape(shape)
        for k, layer in enumerate((0, 2))
        for kind, letter, shape in (("weight", "W", net[layer].weight.shape), ("bias", "b", -1))
    }
    net.load_state_dict(state)
    train, test = stored["inputs/vec/x1"], stored["inputs/vec/x2"]
    y = data["linearized_mlp/y_train"]
    flow = GradientFlow(empirical_ntk(net, "full"), train, y, f0=net)
    times = data["ts"] / y.numel()
    worst, jumped = 0.0, 0.0
    for where, x in (("train", train), ("test", test)):
        expected = data[f"linearized_mlp/{where}"]
        worst = max(worst, relative(flow.predict(x, times), expected))
        for t, one in zip(times.tolist(), expected, strict=True):
            at_t = linearize(net)
            at_t.load_state_dict(flow.weights(t), strict=False)
            jumped = max(jumped, relative(at_t(x).detach(), one))
    return [
        Row("linearised network of three outputs", worst, at_most=EXACT),
        Row("the same by its parameters, `weights(t)`", jumped, at_most=EXACT),
    ]


def measure() -> list[Row]:
    if not PATH.exists():
        return []
    with np.load(PATH, allow_pickle=False) as stored:
        data = {
            name.removeprefix("predict/"): torch.from_numpy(np.asarray(stored[name]))
            for name in stored.files
            if name.startswith("predict/")
        }
        network = {
            name: torch.from_numpy(stored[name])
            for name in stored.files
            if name.startswith(("empirical/mlp/params", "inputs/vec/"))
        }
    problem = Problem(data)
    return [
        *problem.descent(),
        *problem.integrated(),
        *problem.distributions(),
        *problem.stability(),
        *cross_entropy(problem),
        *linearised(data, network),
    ]
