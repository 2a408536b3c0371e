"""Files and functions are short: one idea each. `python -m tests.test_sizes` prints the table."""

import ast
from collections.abc import Sequence
from pathlib import Path

import pytest

import ntkit

ROOT = Path(ntkit.__file__).parent

# Median, nine in ten, and the longest; of functions without their docstrings, which are for whoever reads the reference.
FILES, FUNCTIONS = (90, 250, 420), (7, 25, 80)


def lines_of(root: Path) -> tuple[dict[str, int], dict[str, int]]:
    """Lines of each file, and of each function without its docstring."""
    files, functions = {}, {}
    for path in sorted(root.rglob("*.py")):
        text, name = path.read_text(encoding="utf-8"), path.relative_to(root).as_posix()
        files[name] = text.count("\n")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions[f"{name}:{node.lineno} {node.name}"] = _length(node)
    return files, functions


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    whole = (node.end_lineno or node.lineno) - node.lineno + 1
    if ast.get_docstring(node) is None:
        return whole
    said = node.body[0]
    return whole - ((said.end_lineno or said.lineno) - said.lineno + 1)


def quantiles(counts: Sequence[int]) -> tuple[int, int, int]:
    """Median, nine in ten, and the longest."""
    ordered = sorted(counts)
    return ordered[len(ordered) // 2], ordered[len(ordered) * 9 // 10], ordered[-1]


@pytest.mark.parametrize(
    ("which", "limits"), [(0, FILES), (1, FUNCTIONS)], ids=["files", "functions"]
)
def test_they_are_short(which: int, limits: tuple[int, int, int]) -> None:
    found = lines_of(ROOT)[which]
    assert not [name for name, count in found.items() if count > limits[2]]
    median, most, _ = quantiles([*found.values()])
    assert median <= limits[0] + 2
    assert most <= limits[1]


def test_lines_are_counted_without_docstrings(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text('def f():\n    """Two\n    lines."""\n    return 1\n')
    files, functions = lines_of(tmp_path)
    assert files == {"one.py": 4}
    assert functions == {"one.py:1 f": 2}


if __name__ == "__main__":
    for kind, counts, limits in zip(
        ("files", "functions"), lines_of(ROOT), (FILES, FUNCTIONS), strict=True
    ):
        print(f"{kind}: {len(counts)}, lines {quantiles([*counts.values()])}, asked {limits}")  # noqa: T201
