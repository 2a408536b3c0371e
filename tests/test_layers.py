"""Imports point down the layers of the design, and are absolute."""

import ast
from pathlib import Path

import pytest

import ntkit

LEVELS = [
    {"_core"},
    {"encodings", "figures", "grids", "operators"},
    {"measurements", "networks"},
    {"kernels"},
    {"solvers"},
    {"spectra"},
    {"dynamics"},
    {"tasks"},
    {"reconstruction"},
    {"tuning"},
    {"experiments", "estimators"},
    {"studio"},
    {"cli"},
    {"__main__"},
]
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}
ROOT = Path(ntkit.__file__).parent
FILES = sorted(p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py")


def package_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path: Path) -> list[str]:
    """Full names of the ntkit modules that a file imports; a relative import is an error."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno}: a relative import"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return [name for name in names if name.split(".")[0] == "ntkit"]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    own = package_of(path)
    assert own in LEVEL, f"{own} has no place in the table of layers"
    for name in imported(path):
        parts = name.split(".")
        assert len(parts) > 1, "import the package that is meant, not all of ntkit"
        other = parts[1]
        allowed = other == own or other == "__version__" or LEVEL[other] < LEVEL[own]
        assert allowed, f"{own} may not import {name}"


def test_the_rule_would_catch_a_breach(tmp_path: Path) -> None:
    breach = tmp_path / "breach.py"
    breach.write_text("from ntkit.cli import main\nimport ntkit.tuning.choose\nimport torch\n")
    assert imported(breach) == ["ntkit.cli.main", "ntkit.tuning.choose"]
