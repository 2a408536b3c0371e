"""The studio computes nothing itself: of torch and NumPy it calls conversions alone."""

import ast
from pathlib import Path

import pytest

import ntkit

ROOT = Path(ntkit.__file__).parent / "studio"
FILES = sorted(ROOT.rglob("*.py"))
CONVERSIONS = {"asarray", "ascontiguousarray", "frombuffer", "from_numpy", "as_tensor"}
TYPES = {"Tensor", "ndarray", "nn"}  # what a loss is named by
SEEDS = {"Generator", "manual_seed"}  # where chance comes from is said, not computed
METHODS = {
    *("fft", "einsum", "matmul", "mean", "sum", "exp", "log", "sqrt", "clamp", "clip", "eigh", "dot"),
    *("max_pool2d", "softmax", "std", "var", "cumsum", "sin", "cos", "pow", "square", "norm"),
}  # fmt: skip


def breaches(tree: ast.AST) -> list[str]:
    """Calls of the two libraries, and of methods that compute on what they hold."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in {
            "torch",
            "numpy",
        }:
            names = [alias.name for alias in node.names if alias.name not in TYPES]
            found += [f"from {node.module} import {name}" for name in names]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            words = ast.unparse(node.func).split(".")
            is_theirs = (
                words[0] in {"torch", "np", "numpy"} and words[-1] not in CONVERSIONS | SEEDS
            )
            if is_theirs or words[-1] in METHODS:
                found.append(".".join(words))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_studio_computes_nothing_itself(path: Path) -> None:
    assert breaches(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_the_rule_would_catch_a_breach() -> None:
    breach = "import torch\nfrom numpy.fft import rfft\ntorch.fft.fft(x)\nx.mean()\nnp.asarray(x)"
    assert breaches(ast.parse(breach)) == [
        "from numpy.fft import rfft",
        "torch.fft.fft",
        "x.mean",
    ]
