"""What a notebook shows of kernels, operators, spectra, trainings and results: escaped, whole, at no cost."""

import ast
import pickle
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch

import ntkit
from ntkit._core import html_card as html_card_module
from ntkit._core.html_card import curve, html_card
from ntkit.kernels import RBF, Linear
from tests.cases import randn

POINTS = randn(6, 2).double()
NETWORK = ntkit.networks.mlp(ntkit.encodings.Basic(2), 1, width=8, depth=1)


def tuned() -> ntkit.tuning.TuneResult:
    picture = ntkit.tasks.Image(randn(16, 16).sigmoid())
    options = {"pilot": False, "width": 8, "depth": 1, "n_frequencies": 8}
    return ntkit.tune(picture, encodings=["gaussian"], steps=20, **options)


def reconstructed() -> ntkit.reconstruction.Reconstruction:
    A = ntkit.measurements.Radon.parallel((8, 8), torch.arange(6) * torch.pi / 6)
    disc = (A.pixels.norm(dim=1) < 0.3).double().reshape(8, 8, 1)
    return ntkit.reconstruct(A(disc)[..., 0], A, error_bars=False)


SHOWN: dict[str, tuple[Callable[[], object], list[str]]] = {
    "sum": (lambda: RBF(0.3) + 2 * Linear(), ["RBF(lengthscale=0.3) + Constant(2) * Linear()"]),
    "ntk": (lambda: ntkit.ntk(NETWORK), ["ntk of", "InfiniteKernel"]),
    "empirical": (lambda: ntkit.empirical_ntk(NETWORK), ["empirical NTK of Sequential"]),
    "toeplitz": (
        lambda: ntkit.gram(RBF(0.1), ntkit.Grid(2000)),
        ["Operator of 2,000 x 2,000", "toeplitz", "float64 on cpu", "32 MB"],
    ),
    "spectrum": (
        lambda: ntkit.spectrum(RBF(0.3), ntkit.Grid(32)),
        ["RBF(lengthscale=0.3)", "32 of 32 eigenvalues", "converged yes"],
    ),
    "density": (
        lambda: ntkit.spectra.spectral_density(ntkit.gram(RBF(0.3), POINTS), n_probes=4),
        ["6 eigenvalues", "4 probes"],
    ),
    "flow": (
        lambda: ntkit.GradientFlow(RBF(0.3), POINTS, POINTS[:, 0], ridge=0.5),
        ["GradientFlow", "6 points", "ridge 0.5", "dense"],
    ),
    "descent": (
        lambda: ntkit.GradientDescent(RBF(0.3), ntkit.Grid(4), randn(4), lr=0.1),
        ["GradientDescent", "trained on 4 points", "kernel matrix"],
    ),
    "tune": (
        tuned,
        [
            "recommended gaussian",
            "tried gaussian",
            "dB held out",
            "after 20 steps",
            "Gaussian(2, 8",
        ],
    ),
    "reconstruction": (reconstructed, ["8 x 8 points", "The kernel is", "error bars none"]),
}


class Page(HTMLParser):
    """The text of a page, whose tags must close in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open, self.text = [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.mark.parametrize(
    "name",
    [pytest.param(k, marks=pytest.mark.slow) if k == "reconstruction" else k for k in SHOWN],
)
def test_cards_say_what_stands_in_the_object_before_and_after_pickling(name: str) -> None:
    make, told = SHOWN[name]
    thing = make()
    for shown in (thing, pickle.loads(pickle.dumps(thing))):
        html = shown._repr_html_()
        text = " ".join(Page(html).text)
        assert [part for part in told if part not in text] == []
        assert len(html) < 10_000
        assert (
            "color:#" not in html and "<script" not in html
        )  # the page's own colours, light or dark
        assert len(repr(shown)) < 600 and repr(shown)[0] in "<RC"


def test_everything_is_escaped() -> None:
    evil = '<script>alert("x")</script>'
    html = html_card(evil, [(evil, evil)], curve([1.0, 2.0], evil))
    assert "<script" not in html
    assert "".join(Page(html).text).count(evil) == 5  # the fifth: a curve has a title and a label


def test_rows_without_a_value_are_left_out() -> None:
    assert html_card("title", [("a", None), ("b", ""), ("c", 0)]).count("<tr") == 1


def test_a_curve_falls_as_its_values_do_and_leaves_out_what_is_not_finite() -> None:
    def heights(values: list[float]) -> list[float]:
        points = curve(values, "label").split('points="')[1].split('"')[0].split()
        return [float(point.split(",")[1]) for point in points]

    falling = heights([3.0, 2.0, float("-inf"), 1.0])
    assert falling == sorted(falling) and len(falling) == 3  # downwards is the positive way
    assert len(set(heights([2.0, 2.0]))) == 1
    assert curve([1.0], "label") == curve([], "label") == curve([float("nan")] * 3, "label") == ""


def test_a_card_costs_no_product_and_no_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = ntkit.GradientFlow(RBF(0.3), POINTS, POINTS[:, 0])
    kernel, spectrum = ntkit.ntk(NETWORK), ntkit.spectrum(RBF(0.3), ntkit.Grid(32))

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("computed for a picture")

    monkeypatch.setattr(ntkit.operators.DenseOperator, "rows", refuse)
    monkeypatch.setattr(RBF, "__call__", refuse)
    monkeypatch.setattr(type(NETWORK), "forward", refuse)
    for thing in (flow, kernel, spectrum, flow.operator):
        assert "<table" in thing._repr_html_()


def test_it_needs_the_standard_library_alone() -> None:
    tree = ast.parse(Path(html_card_module.__file__).read_text())
    found = [node.module for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert found == ["collections.abc", "html", "math"]
    assert not any(isinstance(node, ast.Import) for node in ast.walk(tree))
