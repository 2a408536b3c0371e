"""What the figures draw."""

from statistics import fmean

import pytest
import torch

from ntkit import tune

pytest.importorskip("matplotlib")
pytest.importorskip("safetensors.torch")
pytest.importorskip("tqdm")

from ntkit.experiments.figures import _model_points, spectrum_figure


def test_scale_models_are_drawn_at_the_level_of_the_predictions() -> None:
    x = torch.arange(5000).double() / 5000
    signal = 0.5 + 0.4 * torch.sin(2 * torch.pi * (4 * x + 100 * x**2))
    result = tune(
        signal, steps=20, encodings=["gaussian"], bandwidths=[4, 20, 60], width=48, depth=2
    )
    assert len(result.models) == 3
    for attribute in ("train", "held_out"):
        predicted = [getattr(row.at(20), attribute) for row in result.table]
        bandwidths, levels = _model_points(result, attribute)
        reached = [getattr(m, attribute) for m in result.models]
        assert bandwidths == [m.candidate.bandwidth for m in result.models]
        assert fmean(levels) == pytest.approx(fmean(predicted))
        assert levels[0] - levels[1] == pytest.approx(reached[0] - reached[1])


def test_a_spectrum_without_a_rate_has_no_empty_legend() -> None:
    """Where no encoding alone was compared, there is no line to name."""
    values = 0.5 + 0.4 * torch.sin(torch.arange(64).double() ** 2 / 90)
    result = tune(values, steps=5, encodings=["identity"], width=16, depth=2, pilot=False)
    left, right = spectrum_figure(result, values[:, None], (32.0,)).axes
    assert left.axison
    assert not right.axison
    assert right.get_legend() is None
