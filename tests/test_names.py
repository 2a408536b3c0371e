"""One class name, one class: whoever searches for a name finds the one that is meant."""

import ast
from collections import defaultdict
from pathlib import Path

import ntkit

ROOT = Path(ntkit.__file__).parent

PUBLIC = {
    "Auto": {"kernels", "solvers"},
    "Fit": {"dynamics", "tuning"},
    "Gaussian": {"encodings", "networks"},
    "Laplace": {"encodings", "kernels"},
    "Linear": {"kernels", "networks"},
    "Polynomial": {"kernels", "networks"},
    "Seen": {"dynamics", "measurements"},
}
"""Names that stand in two namespaces on purpose: `encodings.Gaussian` is not `networks.Gaussian`."""


def classes(root: Path) -> dict[str, list[str]]:
    """Each class name, private ones and those inside of functions included, and the files that define one."""
    found = defaultdict(list)
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(path.relative_to(root).as_posix())
    return found


def test_no_class_name_stands_twice() -> None:
    for name, files in classes(ROOT).items():
        allowed = len(PUBLIC.get(name, {"one"}))
        assert len(files) <= allowed, (
            f"{name} is a class of {', '.join(files)}: give each its own name"
        )


def test_what_stands_twice_on_purpose_is_public_in_both() -> None:
    for name, namespaces in PUBLIC.items():
        kinds = {getattr(getattr(ntkit, namespace), name) for namespace in namespaces}
        assert len(kinds) == 2, name


def test_a_second_class_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("class _Job: ...\n")
    (tmp_path / "two.py").write_text("def make():\n    class _Job: ...\n    return _Job\n")
    assert classes(tmp_path) == {"_Job": ["one.py", "two.py"]}
