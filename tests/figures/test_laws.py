"""What holds of every figure: as wide as a telephone needs it, letters that can be read."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure
from matplotlib.text import Text

from ntkit import figures
from ntkit.figures.style import WIDTH, array
from tests.cases import randn
from tests.tasks.solids import box

X = torch.linspace(0, 1, 9).double()
STEPS = [0, 1, 3, 10, 30, 100, 300, 1000, 3000]
BOX = box((0.5, 0.7, 0.9))[0][box((0.5, 0.7, 0.9))[1]]
PICTURE = randn(12, 16, 3).sigmoid()


def bandwidth() -> Figure:
    panel = figures.BandwidthPanel(
        "one", {"50 steps": 20 + X, "without end": 30 - X}, ([1, 2], [3, 4]), ([2], [3]), ("b", 5.0), (1, 2)
    )  # fmt: skip
    return figures.bandwidth_figure([1, 2, 3, 5, 10, 20, 30, 50, 100], [panel, panel])


def learning() -> Figure:
    panel = figures.LearningPanel("one", {"a": (STEPS, X)}, {"a": (STEPS, X)}, ("bicubic", 0.3))
    return figures.learning_figure([panel, panel], emphasised="a")


FIGURES: dict[str, Callable[[], Figure]] = {
    "agreement_figure": lambda: figures.agreement_figure(X, [("a", X), ("b", X), ("c", X)]),
    "bandwidth_figure": bandwidth,
    "comparison_figure": lambda: figures.comparison_figure(STEPS, [("Loss", X, X + 1)], X),
    "density_figure": lambda: figures.density_figure(X + 1, X, 9 - X, X),
    "film_figure": lambda: figures.film_figure([("truth", randn(5, 6, 8).sigmoid())]),
    "grid_figure": lambda: figures.grid_figure([[PICTURE]], rows=["a"], columns=["b"]),
    "lazy_figure": lambda: figures.lazy_figure(
        STEPS, movement=X, kernel_change=X, kernel_alignment=1 - X, nonlinearity=X, loss=1 - X / 2
    ),
    "learning_figure": learning,
    "lines_figure": lambda: figures.lines_figure(X, [("truth", X), ("fit", X)]),
    "maps_figure": lambda: figures.maps_figure([
        figures.MapPanel("a", randn(12, 16), (0, 1), "1/mm"),
        figures.MapPanel("b\nc", PICTURE, (0, 1)),
    ]),
    "pictures_figure": lambda: figures.pictures_figure([("a", PICTURE), ("b\nc", PICTURE)]),
    "points_figure": lambda: figures.points_figure(randn(9, 2), [("a", X), ("b", X)]),
    "ranking_figure": lambda: figures.ranking_figure(["a", "NTK, bandwidth 2"], X[:2], xlabel="x"),
    "rates_figure": lambda: figures.rates_figure(X, X + 1, {"a": (X, X + 1)}, nyquist=0.5),
    "shapes_figure": lambda: figures.shapes_figure([("a", BOX), ("b\nc", BOX[:0])]),
    "slices_figure": lambda: figures.slices_figure([("a", randn(4, 5, 6))]),
    "sound_figure": lambda: figures.sound_figure([("a", randn(2000)), ("b", randn(300, 2))], 8000),
    "spectrum_figure": lambda: figures.spectrum_figure(
        X + 1, X + 1, xlabel="rank", power=X + 1, loss=(X + 1, 2 - X)
    ),
    "strengths_figure": lambda: figures.strengths_figure(
        {"kernel": (X, X + 1), "alone": (X, X + 2)}, chosen=(0.5, 1.5)
    ),
    "whiteness_figure": lambda: figures.whiteness_figure(
        randn(12, 16),
        {"views": X, "detectors": 1 - X},
        chance=0.1,
        xlabel="detectors",
        ylabel="views",
    ),
}


def test_every_figure_is_in_the_table() -> None:
    assert sorted(FIGURES) == [name for name in figures.__all__ if name.endswith("_figure")]


@pytest.mark.parametrize("name", FIGURES)
def test_a_telephone_can_show_it(name: str) -> None:
    """On 390 pixels, 10 of them margin, a letter of 9 points is 8.8 pixels high."""
    figure = FIGURES[name]()
    assert figure.get_size_inches()[0] == WIDTH
    figure.draw_without_rendering()
    texts = [t for t in figure.findobj(Text) if t.get_text() and t.get_visible()]
    assert min(t.get_fontsize() for t in texts) * 370 / (72 * WIDTH) > 8


def test_a_figure_is_saved_as_a_picture(tmp_path: Path) -> None:
    figures.save(FIGURES["lines_figure"](), tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_numbers_come_from_wherever_they_are() -> None:
    with_gradient = torch.ones(3, dtype=torch.float32, requires_grad=True)
    for values in (with_gradient, np.ones(3, np.float32), [1, 1, 1]):
        found = array(values)
        assert found.dtype == np.float64
        assert found.tolist() == [1, 1, 1]
