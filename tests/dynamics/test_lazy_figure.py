"""The probe's figure shows its numbers."""

import pytest
import torch
from torch import nn

pytest.importorskip("matplotlib")

from ntkit import LazyProbe
from tests.cases import randn
from tests.dynamics.networks import perceptron, shift


def test_curves_are_the_columns_without_the_start() -> None:
    net = perceptron().double()
    probe = LazyProbe(net, randn(4, 3))
    for step in (1, 10, 100):
        shift(net, 0.1, seed=step)
        probe.record(step, loss=1 / step)
    history = probe.history
    axes = probe.plot().axes
    assert [a.get_title() for a in axes] == ["Weights", "Kernel", "Linearisation", "Loss"]
    columns = [
        [history.movement],
        [history.kernel_change, 1 - history.kernel_alignment],
        [history.nonlinearity],
        [history.loss],
    ]
    for axis, expected in zip(axes, columns, strict=True):
        for line, column in zip(axis.lines, expected, strict=True):
            assert list(line.get_xdata()) == [1, 10, 100]
            assert torch.equal(torch.as_tensor(line.get_ydata()), column[1:])


def test_what_was_not_recorded_has_no_panel() -> None:
    probe = LazyProbe(nn.Linear(3, 1).double(), randn(4, 3), has_kernel=False)
    probe.record(1)
    assert [a.get_title() for a in probe.plot().axes] == ["Weights", "Linearisation"]
