"""A number that a file names says what it is for: a string below it, or a comment beside it."""

import ast
from pathlib import Path

import ntkit

ROOT = Path(ntkit.__file__).parent


def _is_number(value: ast.expr) -> bool:
    """Whether it is a number, a formula of numbers, or a tuple of such."""
    if isinstance(value, ast.Tuple):
        return bool(value.elts) and all(_is_number(item) for item in value.elts)
    if isinstance(value, ast.BinOp):
        return _is_number(value.left) and _is_number(value.right)
    if isinstance(value, ast.UnaryOp):
        return _is_number(value.operand)
    return isinstance(value, ast.Constant) and type(value.value) in {int, float}


def unexplained(source: str) -> list[str]:
    """Numbers at the top of a file that stand without a word."""
    body, lines = ast.parse(source).body, source.splitlines()
    found = []
    for node, after in zip(body, [*body[1:], None], strict=True):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not node.value:
            continue
        said = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        said |= any("#" in line for line in lines[node.lineno - 1 : node.end_lineno])
        said |= node.lineno > 1 and lines[node.lineno - 2].lstrip().startswith("#")
        if _is_number(node.value) and not said:
            found.append(lines[node.lineno - 1])
    return found


def test_each_number_says_what_it_is_for() -> None:
    for path in sorted(ROOT.rglob("*.py")):
        bare = unexplained(path.read_text(encoding="utf-8"))
        assert not bare, f"{path.relative_to(ROOT)}: say what these numbers are for: {bare}"


def test_a_bare_number_would_be_found() -> None:
    source = '_A = 2**8\n_B, _C = 1, -2.0\n_D = 3\n"""Said."""\n\n_E = 4  # said\n_F = "word"\n'
    assert unexplained(source) == ["_A = 2**8", "_B, _C = 1, -2.0"]
