"""Fashion-MNIST: the NTK of a ReLU MLP of 5 layers beside scikit-learn's `SVC(RBF)`.

The first 10,000 training images, all 10,000 test images, pixels divided by 255 and nothing else. Both
are tuned by the same three-fold cross-validation on the first 3,000 of the training images: `gamma` (as a
multiple of scikit-learn's "scale") and `C` of the SVC, ridge (as a share of the mean diagonal entry)
of the NTK. Then each is fitted on all 10,000; time and memory are those of that fit and of the test
images' predictions, each in a process of its own, above the imports. The files are those of the Debian
package dataset-fashion-mnist, or in the folder that `NTKIT_FASHION_MNIST` names.
"""

import gzip
import os
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC
from torch import nn

from benchmarks.memory import measured
from benchmarks.report import Row
from ntkit import ntk
from ntkit.estimators import NTKClassifier
from ntkit.networks import Linear

N_TRAIN, N_TUNE = 10_000, 3_000
FOLDER = Path(os.environ.get("NTKIT_FASHION_MNIST", "/usr/share/datasets/fashion-mnist"))
RIDGES = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
GAMMAS = (0.25, 0.5, 1.0, 2.0)
CS = (1.0, 3.0, 10.0, 30.0)


def relu_mlp(in_dim: int) -> nn.Module:
    """Five weight layers, four of ReLU between, without biases."""
    generator = torch.Generator().manual_seed(0)
    layers: list[nn.Module] = []
    for fan_in in (in_dim, 8, 8, 8):
        layers += [
            Linear(fan_in, 8, bias=False, w_std=2**0.5, generator=generator),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers, Linear(8, 1, bias=False, generator=generator))


def images(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels `[n, 784]` in `[0, 1]`, and labels."""
    (pixels,) = FOLDER.rglob(f"{kind}-images-idx3-ubyte*")
    (labels,) = FOLDER.rglob(f"{kind}-labels-idx1-ubyte*")
    x = np.frombuffer(_bytes(pixels), np.uint8, offset=16).reshape(-1, 784) / 255.0
    return x, np.frombuffer(_bytes(labels), np.uint8, offset=8).astype(int)


def _bytes(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def _data() -> tuple[np.ndarray, ...]:
    x, y = images("train")
    return x[:N_TRAIN], y[:N_TRAIN], *images("t10k")


def _tuned(model: ClassifierMixin, grid: dict[str, list[float]]) -> tuple[dict, float]:
    x, y, _, _ = _data()
    start = time.perf_counter()
    search = GridSearchCV(model, grid, cv=3, refit=False).fit(x[:N_TUNE], y[:N_TUNE])
    return search.best_params_, time.perf_counter() - start


def _fitted(model: ClassifierMixin) -> list[float]:
    """Accuracy, seconds of the fit, seconds of the predictions."""
    x, y, x_test, y_test = _data()
    start = time.perf_counter()
    model.fit(x, y)
    middle = time.perf_counter()
    accuracy = float((model.predict(x_test) == y_test).mean())
    return [accuracy, middle - start, time.perf_counter() - middle]


def _diagonal(x: np.ndarray) -> float:
    """Mean of `k(x, x)`: five layers' parts, each `|x|^2 / d` times the last one's variance."""
    return float(ntk(relu_mlp(784)).diag(torch.tensor(x)).mean())


def svc() -> list[float]:
    x = _data()[0]
    scale = 1 / (784 * x[:N_TUNE].var())
    grid = {"gamma": [scale * g for g in GAMMAS], "C": list(CS)}
    best, seconds = _tuned(SVC(cache_size=1000), grid)
    return [best["gamma"], best["gamma"] / scale, best["C"], seconds]


def svc_fit() -> list[float]:
    gamma, c = map(float, os.environ["NTKIT_SVC"].split())
    return _fitted(SVC(gamma=gamma, C=c, cache_size=1000))


def ntk_tune() -> list[float]:
    mean = _diagonal(_data()[0][:N_TUNE])
    grid = {"ridge": [mean * share for share in RIDGES]}
    best, seconds = _tuned(NTKClassifier(relu_mlp), grid)
    return [best["ridge"], best["ridge"] / mean, seconds]


def ntk_fit() -> list[float]:
    return _fitted(NTKClassifier(relu_mlp, ridge=float(os.environ["NTKIT_RIDGE"])))


def measure() -> list[Row]:
    if not FOLDER.is_dir():
        raise FileNotFoundError(
            f"No {FOLDER}: install the Debian package dataset-fashion-mnist, or unpack it "
            "(`apt-get download`, `dpkg -x`) and name its folder in NTKIT_FASHION_MNIST."
        )
    here = "benchmarks.fashion_mnist"
    _, (gamma, times_scale, c, svc_seconds) = measured(here, "svc")
    os.environ["NTKIT_SVC"] = f"{gamma} {c}"
    svc_peak, (svc_accuracy, svc_fit_s, svc_predict_s) = measured(here, "svc_fit")
    _, (ridge, share, ntk_seconds) = measured(here, "ntk_tune")
    os.environ["NTKIT_RIDGE"] = str(ridge)
    ntk_peak, (ntk_accuracy, ntk_fit_s, ntk_predict_s) = measured(here, "ntk_fit")
    return [
        Row("SVC(RBF): accuracy", svc_accuracy),
        Row("NTK: accuracy", ntk_accuracy, at_least=svc_accuracy),
        Row("SVC(RBF): gamma found, over 'scale'", times_scale),
        Row("SVC(RBF): C found", c),
        Row("NTK: ridge found, over the mean diagonal", share),
        Row(f"SVC(RBF): tuning, {len(GAMMAS) * len(CS)} settings", svc_seconds, "s"),
        Row(f"NTK: tuning, {len(RIDGES)} settings", ntk_seconds, "s"),
        Row("SVC(RBF): fit", svc_fit_s, "s"),
        Row("NTK: fit", ntk_fit_s, "s"),
        Row("SVC(RBF): 10,000 predictions", svc_predict_s, "s"),
        Row("NTK: 10,000 predictions", ntk_predict_s, "s"),
        Row("SVC(RBF): memory", svc_peak / 2**20, "MiB"),
        Row("NTK: memory", ntk_peak / 2**20, "MiB"),
    ]
