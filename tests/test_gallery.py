"""Each script of the gallery, at small size, draws what it says; and each is short."""

import ast
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

pyplot = pytest.importorskip("matplotlib.pyplot")

FOLDER = Path(__file__).parents[1] / "examples" / "gallery"
SCRIPTS = sorted(FOLDER.glob("*.py"))
pytestmark = pytest.mark.skipif(not SCRIPTS, reason="needs the source's examples")
LINES = 60


def load(path: Path) -> ModuleType:
    spec = spec_from_file_location(f"gallery_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def scripts() -> list:
    """Those that take more than a second are slow."""
    slow = {"ct_slice", "cnn_kernel"}
    return [
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if path.stem in slow else [])
        for path in SCRIPTS
    ]


@pytest.mark.parametrize("path", scripts())
def test_a_small_picture_is_drawn(path: Path) -> None:
    if path.stem == "photo":
        pytest.importorskip("skimage")
    figure = load(path).draw(small=True)
    try:
        figure.canvas.draw()
        assert figure.axes
        assert all(axes.has_data() for axes in figure.axes)
    finally:
        pyplot.close(figure)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_is_short_and_says_what_its_picture_shows(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LINES
    title, *_, picture = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")
    assert len(title) <= 90
    assert picture.startswith("Picture: ")


def test_there_are_twelve_and_each_is_listed() -> None:
    listed = (FOLDER.parents[1] / "docs" / "gallery.md").read_text(encoding="utf-8")
    assert len(SCRIPTS) == 12
    assert all(f"gallery/{path.name})" in listed for path in SCRIPTS)
