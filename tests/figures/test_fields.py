"""Sounds, volumes, films and points: what is drawn is what was given."""

from math import pi

import numpy as np
import pytest
import torch

pytest.importorskip("matplotlib")

from matplotlib.axes import Axes

from ntkit.figures import (
    agreement_figure,
    film_figure,
    lines_figure,
    pictures_figure,
    points_figure,
    slices_figure,
    sound_figure,
)
from tests.cases import randn


def drawn(axis: Axes) -> torch.Tensor:
    return torch.as_tensor(np.asarray(axis.images[0].get_array()))


def test_a_tone_stands_at_its_frequency_and_a_quieter_one_so_many_decibels_lower() -> None:
    rate, frequency = 8000, 1000
    tone = torch.sin(2 * pi * frequency * torch.arange(4000) / rate)
    figure = sound_figure([("loud", tone), ("quiet", 0.1 * tone)], rate, start=2.0)
    axes = [axis for axis in figure.axes if axis.images]
    loud, quiet = (drawn(axis) for axis in axes)
    low, high = axes[0].images[0].get_extent()[2:]
    row = int(loud.mean(1).argmax())
    assert low + (high - low) * (row + 0.5) / len(loud) == pytest.approx(frequency / 1000)
    assert float(loud.max()) == 0
    torch.testing.assert_close(loud[row] - quiet[row], torch.full_like(loud[row], 20))
    assert axes[0].get_xlim() == (2.0, 2.5)


def test_a_click_stands_at_its_time() -> None:
    rate, second = 8000, 0.3
    wave = torch.zeros(4000)
    wave[int(second * rate)] = 1.0
    axis = next(a for a in sound_figure([("click", wave)], rate, start=7.0).axes if a.images)
    left, right = axis.images[0].get_extent()[:2]
    levels = drawn(axis).max(0).values
    column = int(levels.argmax())
    assert left + (right - left) * (column + 0.5) / len(levels) == pytest.approx(7.3, abs=0.007)


def test_a_long_waveform_keeps_its_peaks() -> None:
    wave = torch.zeros(50_000)
    wave[12_345] = 0.9
    area = sound_figure([("click", wave)], 44_100.0).axes[0].collections[0]
    assert float(area.get_paths()[0].vertices[:, 1].max()) == pytest.approx(0.9)


@pytest.mark.parametrize("n", [1, 3, 300])
def test_silence_and_short_sounds_are_drawn(n: int) -> None:
    figure = sound_figure([("silence", torch.zeros(n)), ("sound", torch.ones(n, 2))], 8000.0)
    assert len(figure.axes) == 5


def test_slices_are_those_of_the_array() -> None:
    volume = randn(4, 6, 8)
    low, high = volume.aminmax()
    expected = (volume - low) / (high - low)
    as_stack = slices_figure([("a", volume)], at=(1, 2, 3)).axes
    planes = expected[1], expected[:, 2], expected[:, :, 3]
    for axis, plane in zip(as_stack, planes, strict=True):
        torch.testing.assert_close(drawn(axis), plane)
    upright = slices_figure([("a", volume)], at=(1, 2, 3), upright=True).axes
    for axis, plane in zip(upright, planes, strict=True):
        torch.testing.assert_close(drawn(axis), plane.T.flip(0))


def test_slices_have_the_proportions_of_the_body() -> None:
    axes = slices_figure([("a", randn(4, 6, 8))], spacing=(2.0, 1.0, 0.5)).axes
    extents = [axis.images[0].get_extent() for axis in axes]  # left, right, bottom, top
    assert [(e[2], e[1]) for e in extents] == [(6, 4), (8, 4), (8, 6)]


def test_a_thin_stack_is_still_seen() -> None:
    figure = slices_figure([("a", randn(2, 40, 40))])
    extents = [axis.images[0].get_extent() for axis in figure.axes]
    assert [(e[2], e[1]) for e in extents] == [(40, 40), (2, 5), (2, 5)]


def test_a_film_shows_its_first_and_its_last_frame() -> None:
    film = torch.rand(9, 4, 5, 3, generator=torch.Generator().manual_seed(0)).double()
    axes = film_figure([("truth", film), ("fit", film / 2)], n_frames=3, rate=4.0).axes
    assert [axis.get_title() for axis in axes[:3]] == ["0 s", "1 s", "2 s"]
    assert [axes[0].get_ylabel(), axes[3].get_ylabel()] == ["truth", "fit"]
    torch.testing.assert_close(drawn(axes[2]), film[8])
    torch.testing.assert_close(drawn(axes[4]), film[4] / 2)
    assert len(film_figure([("short", film[:2])]).axes) == 2


def test_points_of_a_line_are_joined_in_order() -> None:
    x = torch.tensor([[0.3], [0.1], [0.2]])
    line = points_figure(x, [("truth", 10 * x[:, 0])], labels=["s"]).axes[0].lines[0]
    np.testing.assert_allclose(line.get_xdata(), [0.1, 0.2, 0.3])
    np.testing.assert_allclose(line.get_ydata(), [1, 2, 3])


def test_points_of_a_plane_have_the_colours_of_the_truth() -> None:
    points, truth = randn(20, 2), randn(20)
    axes = points_figure(points, [("truth", truth), ("twice", 2 * truth)], aspect="equal").axes
    for axis, values in zip(axes, (truth, 2 * truth), strict=False):
        dots = axis.collections[0]
        np.testing.assert_allclose(dots.get_offsets(), points)
        np.testing.assert_allclose(np.asarray(dots.get_array()), values)
        assert dots.get_clim() == (float(truth.min()), float(truth.max()))


def test_points_of_space_are_refused() -> None:
    with pytest.raises(ValueError, match=r"draws one or two coordinates.*got the shape \[5, 3\]"):
        points_figure(randn(5, 3), [("truth", randn(5))])


def test_an_exact_fit_lies_on_the_diagonal() -> None:
    truth = randn(30)
    axis = agreement_figure(truth, [("exact", truth)]).axes[0]
    x, y = np.asarray(axis.collections[0].get_offsets()).T
    np.testing.assert_array_equal(x, y)
    assert list(axis.lines[0].get_xdata()) == list(axis.lines[0].get_ydata())


def test_lines_are_the_curves() -> None:
    x, y = torch.arange(5.0), randn(5)
    axis = lines_figure(x, [("truth", y), ("fit", -y)]).axes[0]
    assert axis.lines[0].get_color() == "black"
    np.testing.assert_array_equal(np.asarray(axis.lines[1].get_ydata()), -y)


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1), (4, 6, 2), (4, 6, 3), (5, 4, 6, 1)], ids=str)
def test_pictures_of_any_shape(shape: tuple[int, ...]) -> None:
    values = torch.rand(*shape, generator=torch.Generator().manual_seed(0)).double()
    found = drawn(pictures_figure([("a", 3 + 2 * values)], limits=(3, 5)).axes[0])
    plane = values[2] if len(shape) == 4 else values
    plane = plane[..., 0] if plane.ndim == 3 and plane.shape[-1] != 3 else plane
    torch.testing.assert_close(found, plane)


def test_very_oblong_pictures_are_squeezed() -> None:
    figure = pictures_figure([("high", randn(3000, 40)), ("same", randn(3000, 40))])
    width, height = figure.get_size_inches()
    assert height < 3 * width
    left, right, bottom, top = figure.axes[0].images[0].get_extent()
    assert (bottom - top) / (right - left) == 2.5


def test_views_beside_each_other_keep_their_ratio() -> None:
    for keeps, wide in ((True, 192 / 48), (False, 2.5)):
        figure = pictures_figure([("views", randn(48, 192, 3))], keeps_ratio=keeps)
        left, right, bottom, top = figure.axes[0].images[0].get_extent()
        assert (right - left) / (bottom - top) == wide
