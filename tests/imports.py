"""Which file of the package imports which, and where imports run in a circle.

An import counts wherever it stands: at the top, inside a function, or under `TYPE_CHECKING`, where it hides
one that `importlib` does later.
"""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

LOADERS = {"import_module", "needed", "__import__"}
"""Functions that import what a string names."""


def module_of(path: Path, root: Path) -> str:
    """The name of a file as a module: `root` is the folder of the package."""
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path, package: str = "ntkit") -> list[str]:
    """Full names of what a file imports from the package; a relative import is an error.

    A string that is computed, `import_module(f"ntkit.figures.{home}")`, is named `ntkit.figures.*`.
    """
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno}: a relative import"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and _name(node.func) in LOADERS and node.args:
            names += _named(node.args[0], path)
    return [name for name in names if name.split(".")[0] in {package, "__name__"}]


def graph(root: Path) -> dict[str, set[str]]:
    """Each module of the package in the folder `root`, and the modules of the package that it imports."""
    files = {module_of(path, root): path for path in sorted(root.rglob("*.py"))}
    return {
        module: {
            found
            for name in imported(path, root.name)
            for found in _modules(name.replace("__name__", module), files)
        }
        - {module}
        for module, path in files.items()
    }


def circle(edges: Mapping[str, set[str]]) -> list[str]:
    """Modules that import each other in turn, the first one again at the end; none where none do."""
    done: set[str] = set()
    for start in edges:
        if start in done:
            continue
        path, waiting = [start], [iter(sorted(edges[start]))]
        while path:
            other = next(waiting[-1], None)
            if other is None:
                done.add(path.pop())
                waiting.pop()
            elif other in path:
                return [*path[path.index(other) :], other]
            elif other not in done:
                path.append(other)
                waiting.append(iter(sorted(edges[other])))
    return []


def longest_chain(edges: Mapping[str, set[str]], package: str, without: set[str]) -> list[str]:
    """The most modules of a package that import one the next, in turn.

    Args:
        edges: As of `graph`, without circles.
        package: The name of the package; what lies outside of it counts for nothing.
        without: Modules that a chain may go through without counting them: the `__init__` files.
    """
    chains: dict[str, list[str]] = {}

    def chain(module: str) -> list[str]:
        if module not in chains:
            inner = [
                other for other in sorted(edges[module]) if f"{other}.".startswith(f"{package}.")
            ]
            rest = max(map(chain, inner), key=len, default=[])
            chains[module] = rest if module in without else [module, *rest]
        return chains[module]

    return max((chain(m) for m in edges if f"{m}.".startswith(f"{package}.")), key=len)


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _named(argument: ast.expr, path: Path) -> Iterator[str]:
    """What a loader is given: a literal, or the start of a computed string."""
    if isinstance(argument, ast.Constant):
        yield str(argument.value)
    elif isinstance(argument, ast.JoinedStr):
        first = argument.values[0]
        if isinstance(first, ast.FormattedValue):
            assert isinstance(first.value, ast.Name), (
                f"{path.name}: who reads this can follow no import"
            )
            yield f"{first.value.id}.*"
        else:
            assert isinstance(first, ast.Constant)
            yield f"{str(first.value).rpartition('.')[0]}.*"


def _modules(name: str, files: Mapping[str, Path]) -> Iterator[str]:
    """The modules that an import of this name runs: itself, or the nearest one that holds it."""
    package, _, last = name.rpartition(".")
    if last == "*":
        yield from (module for module in files if module.rpartition(".")[0] == package)
        return
    while name not in files:
        name = name.rpartition(".")[0]
    yield name
