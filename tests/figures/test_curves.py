"""Bandwidths, learning curves and rates: marks, limits and names."""

import numpy as np
import pytest
import torch

pytest.importorskip("matplotlib")

from ntkit.figures import (
    BandwidthPanel,
    LearningPanel,
    bandwidth_figure,
    learning_figure,
    rates_figure,
)
from ntkit.figures.style import ORANGE

BANDWIDTHS = [1.0, 2.0, 20.0, 21.0]


def test_what_was_measured_stands_where_it_was_measured() -> None:
    panel = BandwidthPanel("one", {"10 steps": [1, 2, 3, 4]}, measured=([2.0, 20.0], [7.0, 8.0]))
    star = next(
        line for line in bandwidth_figure(BANDWIDTHS, [panel]).axes[0].lines
        if line.get_label() == "measured"
    )  # fmt: skip
    assert list(zip(star.get_xdata(), star.get_ydata(), strict=True)) == [(2, 7), (20, 8)]


def test_no_axis_reaches_beyond_the_cap_and_no_number_covers_another() -> None:
    panel = BandwidthPanel("one", {"10 steps": [10, 40, 90, np.inf]})
    axis = bandwidth_figure(BANDWIDTHS, [panel], cap=60.0).axes[0]
    assert axis.get_ylim() == (9, 60)
    assert [t.get_text() for t in axis.get_xticklabels()] == ["1", "2", "20", ""]


def test_a_budget_has_one_colour_and_one_name() -> None:
    first = BandwidthPanel("one", {"a": [1, 2, 3, 4], "b": [2, 3, 4, 5]}, level=("bicubic", 3.0))
    second = BandwidthPanel("two", {"b": [2, 3, 4, 5]})
    figure = bandwidth_figure(BANDWIDTHS, [first, second], emphasised="b")
    upper, lower = figure.axes
    assert tuple(upper.lines[1].get_color()) == tuple(lower.lines[0].get_color())
    assert lower.lines[0].get_linewidth() > upper.lines[0].get_linewidth()
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["a", "b", "bicubic"]


def test_predictions_are_dashed_and_the_chosen_one_is_orange() -> None:
    curve = ([1, 10], [20.0, 30.0])
    panel = LearningPanel("one", {"chosen": curve, "other": curve}, {"chosen": curve})
    figure = learning_figure([panel], emphasised="chosen")
    dashed, other, measured = figure.axes[0].lines
    assert (dashed.get_linestyle(), measured.get_linestyle()) == ("--", "-")
    assert dashed.get_color() == measured.get_color() == ORANGE != other.get_color()
    names = [t.get_text() for t in figure.legends[0].get_texts()]
    assert names == ["chosen, predicted", "other, predicted", "chosen, measured"]


def test_rates_leave_out_the_mean_and_what_is_rounding() -> None:
    k = torch.arange(4).double()
    rates = torch.tensor([5.0, 1.0, 1e-3, 1e-30])
    _, right = rates_figure(k, k + 1, {"a": (k, rates)}).axes
    assert list(right.lines[0].get_xdata()) == [1, 2, 3]
    np.testing.assert_allclose(np.asarray(right.lines[0].get_ydata()), [1, 1e-3, 5e-9], rtol=1e-6)
