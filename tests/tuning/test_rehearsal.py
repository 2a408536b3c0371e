"""Real networks beside the theory of infinite width, on a small copy of a picture."""

import pytest
import torch

from ntkit import GradientDescent, ntk
from ntkit.tasks import Image
from ntkit.tuning import Candidate, NetworkPlan, Rehearsal
from tests.cases import smooth_picture


@pytest.mark.parametrize(
    ("size", "small"), [((24, 32), (24, 32)), ((128, 256), (42, 84)), ((66, 66), (32, 32))]
)
def test_at_most_1024_pixels_are_trained_on(size: tuple[int, int], small: tuple[int, int]) -> None:
    theory = Rehearsal(Image(smooth_picture(*size)), 2.0, steps=2)
    assert theory.task.shape == small
    assert theory.n_samples == small[0] * small[1] // 4 <= 1024
    factor = size[0] // small[0]
    box = smooth_picture(*size)[:factor, :factor].mean((0, 1))
    torch.testing.assert_close(theory.task.values[0, 0], box)


def test_the_prediction_is_that_of_the_kernel() -> None:
    theory = Rehearsal(Image(smooth_picture()), 3.0, steps=8)
    values = theory.task.values
    mean = values.mean((0, 1))
    net, _ = NetworkPlan(2, 3, width=8, depth=2, n_frequencies=64, parametrisation="ntk").build(
        Candidate("gaussian", 3.0)
    )
    points = theory.task.grid[::2, ::2].points()
    flat = (values - mean)[::2, ::2].reshape(-1, 3)
    rule = GradientDescent(ntk(net), points, flat, lr=theory.lr)
    assert theory.lr == pytest.approx(rule.stability_limit / 2, rel=1e-6)
    acts = [*theory.trained(32)]
    assert len(theory.errors) == len(acts) == 9
    assert theory.errors[0] == pytest.approx(float(flat.square().mean()))
    assert acts[0].error == pytest.approx(theory.errors[0], rel=1e-5)
    for act in acts:
        if act.picture is None or act.predicted is None:
            assert act.step not in theory.looked
            continue
        expected = rule.predict(theory.task.grid.points(), [act.step])[0].reshape(24, 32, 3) + mean
        torch.testing.assert_close(act.predicted, expected, rtol=1e-5, atol=1e-5)
        error = (act.picture - values)[::2, ::2].square().mean()
        assert act.error == pytest.approx(float(error), rel=1e-4)


def test_networks_come_nearer_as_they_grow() -> None:
    theory = Rehearsal(Image(smooth_picture(16, 16)), 2.0, steps=15)
    last = {width: [*theory.trained(width)][-1] for width in (32, 512)}
    assert last[512].distance < last[32].distance / 2
    assert last[512].movement < last[32].movement / 3
    assert last[512].kernel_change < last[32].kernel_change / 2


def test_a_seed_draws_other_weights_and_the_same_frequencies() -> None:
    theory = Rehearsal(Image(smooth_picture(16, 16)), 2.0, steps=1)
    first, other = (theory._network(16, seed) for seed in (0, 1))
    assert isinstance(first, torch.nn.Sequential)
    assert isinstance(other, torch.nn.Sequential)
    names = [name for name, _ in first.named_buffers()]
    assert names
    for name in names:
        assert torch.equal(first.get_buffer(name), other.get_buffer(name))
    pairs = zip(first.parameters(), other.parameters(), strict=True)
    assert not all(torch.equal(p, q) for p, q in pairs)


def test_a_strip_is_refused() -> None:
    with pytest.raises(ValueError, match="sides differ less"):
        Rehearsal(Image(smooth_picture(8, 4096)), 2.0, steps=1)
