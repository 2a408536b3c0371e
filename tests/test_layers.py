"""Imports point down the layers of the design, are absolute, and never run in a circle."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

import ntkit
from tests.imports import circle, graph, imported, longest_chain, module_of

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
    {"scale"},
    {"experiments", "estimators"},
    {"studio"},
    {"cli"},
    {"__main__"},
]
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}
ROOT = Path(ntkit.__file__).parent
CONTRIBUTING = Path(__file__).parents[1] / "CONTRIBUTING.md"
FILES = sorted(p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py")


def package_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    own = package_of(path)
    assert own in LEVEL, f"{own} has no place in the table of layers"
    for name in imported(path):
        parts = name.split(".")
        assert len(parts) > 1, "import the package that is meant, not all of ntkit"
        other = parts[1]
        allowed = other in {own, "*"} or other == "__version__" or LEVEL[other] < LEVEL[own]
        assert allowed, f"{own} may not import {name}"


def test_the_rule_would_catch_a_breach(tmp_path: Path) -> None:
    breach = tmp_path / "breach.py"
    breach.write_text("from ntkit.cli import main\nimport ntkit.tuning.choose\nimport torch\n")
    assert imported(breach) == ["ntkit.cli.main", "ntkit.tuning.choose"]


def test_no_imports_run_in_a_circle() -> None:
    found = circle(graph(ROOT))
    assert not found, "a circle of imports: " + " > ".join(found)


INFINITE = [
    {"loops", "meanings"},
    {"activations"},
    {"moments"},
    {"program"},
    {"rules"},
    {"front", "back"},
    {"evidence"},
    {"at_shape"},
    {"kernel"},
    {"limits"},
]
"""Folders and files of `kernels/infinite`, from below: a network becomes data, and back ends see the data alone."""


def breaches(edges: Mapping[str, set[str]], package: str) -> list[str]:
    """Imports inside of `kernels/infinite`, or of what is laid out like it, that do not point down."""
    level = {name: k for k, names in enumerate(INFINITE) for name in names}
    found = []
    for module, others in edges.items():
        for other in others:
            if not (module.startswith(f"{package}.") and other.startswith(f"{package}.")):
                continue
            own, its = (name.removeprefix(f"{package}.").split(".")[0] for name in (module, other))
            if own != its and level[its] >= level[own]:
                found.append(f"{module} imports {other}")
    return found


def test_a_network_is_lowered_in_front_and_computed_behind() -> None:
    assert breaches(graph(ROOT), "ntkit.kernels.infinite") == []


def test_a_back_end_that_reads_modules_is_found(tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    for folder in ("back", "front", "program"):
        (planted / folder).mkdir(parents=True)
        (planted / folder / "__init__.py").write_text("")
        (planted / folder / "one.py").write_text("import planted\n")
    (planted / "__init__.py").write_text("")
    assert breaches(graph(planted), "planted") == []
    (planted / "back" / "one.py").write_text("def late():\n    import planted.front.one\n")
    (planted / "program" / "one.py").write_text("from planted.back.one import late\n")
    assert breaches(graph(planted), "planted") == [
        "planted.back.one imports planted.front.one",
        "planted.program.one imports planted.back.one",
    ]


CHAIN = 14
"""Files of `kernels/infinite` that one has to know, at most, to follow its longest way down."""


def test_no_chain_of_imports_is_long() -> None:
    inits = {module_of(path, ROOT) for path in ROOT.rglob("__init__.py")}
    found = longest_chain(graph(ROOT), "ntkit.kernels.infinite", inits)
    assert len(found) <= CHAIN, " > ".join(found)


def test_chains_go_through_packages_that_do_not_count() -> None:
    edges = {"p": {"p.a"}, "p.a": {"p.b", "q"}, "p.b": {"p.c"}, "p.c": set(), "q": {"p.c"}}
    assert longest_chain(edges, "p", {"p", "p.b"}) == ["p.a", "p.c"]
    assert longest_chain(edges, "p", {"p"}) == ["p.a", "p.b", "p.c"]


INNER = "def late():\n    from planted.{other} import thing\n    return thing\n"
HIDDEN = (
    "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from planted.{other} import thing\n"
)
BY_NAME = (
    "from importlib import import_module\n\nthing = lambda: import_module('planted.{other}')\n"
)
COMPUTED = "import importlib\n\nthing = lambda: importlib.import_module(f'planted.{{__doc__}}')\n"


@pytest.mark.parametrize(
    "way", [INNER, HIDDEN, BY_NAME, COMPUTED], ids=["inner", "typing", "name", "f"]
)
def test_a_circle_is_found_whichever_way_it_is_hidden(way: str, tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    planted.mkdir()
    (planted / "__init__.py").write_text("from planted.lowest import thing\n")
    (planted / "lowest.py").write_text(way.format(other="middle"))
    (planted / "middle.py").write_text("import planted.highest\n")
    (planted / "highest.py").write_text("from planted.lowest import thing\n")
    found = circle(graph(planted))
    assert {"planted.lowest", "planted.highest"} <= {*found}, found
    (planted / "lowest.py").write_text("thing = 'planted.middle'\n")
    assert circle(graph(planted)) == []


@pytest.mark.skipif(not CONTRIBUTING.is_file(), reason="needs the source's CONTRIBUTING.md")
def test_the_layers_that_contributors_read_are_those_of_the_test() -> None:
    page = CONTRIBUTING.read_text(encoding="utf-8")
    block = re.search(r"Imports point down only:\n\n((?: {4}.*\n)+)", page)
    assert block is not None
    shown = [{*re.split(r",\s*", layer.strip())} for layer in block[1].split(">")]
    assert shown[::-1] == LEVELS[:-1]
