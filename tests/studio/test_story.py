"""The story: each step sends what the library says, and the laws it tells of hold in what is sent."""

from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("PIL")

from ntkit.studio import story
from ntkit.studio.asks import Reply
from ntkit.studio.desk import Desk
from ntkit.studio.places import PLACES, asks_of, needs_signal
from ntkit.studio.story import ORDER

WEB = Path(__file__).parents[2] / "web/src/story"


def told(step: str, ask: str, values: dict[str, Any], desk: Desk | None = None) -> Reply:
    """The last of what a step sends; it needs no signal."""
    return list(asks_of(f"story.{step}")[ask].answer(desk or Desk(), values))[-1]


def double(numbers: Any) -> torch.Tensor:
    return torch.as_tensor(numbers, dtype=torch.float64)


def test_a_step_is_one_file_on_each_side() -> None:
    assert isinstance(story.__file__, str)
    mine = {p.stem for p in Path(story.__file__).parent.glob("*.py")} - {"__init__"}
    assert mine == set(ORDER)
    if WEB.exists():  # not beside an installed wheel
        assert {p.stem for p in WEB.glob("*.ts")} == set(ORDER)


def test_places_are_views_and_steps() -> None:
    assert not any(needs_signal(f"story.{step}") for step in ORDER)
    assert needs_signal("kernel")
    assert set(PLACES) > {"kernel", *(f"story.{step}" for step in ORDER)}
    with pytest.raises(ValueError, match="no step of this name"):
        asks_of("story.nothing")


LINE = {"x": [-1.0, -0.2, 0.4, 1.1], "y": [0.5, -0.7, 0.2, 0.9], "at": 9}


def test_line_losses_are_the_formula() -> None:
    from ntkit.studio.story.line import RATE, SHOWN

    found = told("line", "fit", LINE).content
    x, y = double(LINE["x"]), double(LINE["y"])
    kernel = 1 + x[:, None] * x
    torch.testing.assert_close(double(found["kernel"]), kernel)
    for i, step in enumerate(SHOWN):
        flow = torch.linalg.matrix_exp(-RATE * step * kernel) @ y
        descent = torch.linalg.matrix_power(torch.eye(4).double() - RATE * kernel, step) @ y
        assert found["foretold_losses"][i] == pytest.approx(float(flow @ flow) / 2, rel=1e-9)
        assert found["losses"][i] == pytest.approx(float(descent @ descent) / 2, rel=1e-9)
    assert found["loss"] == found["losses"][LINE["at"]]


def test_line_kernel_knows_places_alone() -> None:
    before = told("line", "fit", LINE).content["kernel"]
    assert told("line", "fit", {**LINE, "y": [1.0, 0.0, 1.0, -1.0]}).content["kernel"] == before


def test_line_ends_at_the_least_squares() -> None:
    x, y = double(LINE["x"]), double(LINE["y"])
    design = torch.stack([torch.ones_like(x), x], 1)
    height, slope = torch.linalg.lstsq(design, y[:, None]).solution[:, 0].tolist()
    desk = Desk()
    last = told("line", "fit", {**LINE, "at": 28}, desk)
    ends = [height + slope * at for at in last.content["ends"]]
    assert last.content["line"] == pytest.approx(ends, abs=0.02)
    assert told("line", "fit", {**LINE, "at": 0}, desk).content["line"] == [0.0, 0.0]


@pytest.mark.parametrize(
    "bad", [{"x": []}, {"x": "1"}, {"x": [9.0] * 4}, {"y": [0.0]}, {"at": 1000}]
)
def test_line_refuses_what_is_no_drawing(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        told("line", "fit", {**LINE, **bad})


def monomials(points: torch.Tensor, names: list[str]) -> torch.Tensor:
    """Products as their names say."""
    columns = []
    for name in names:
        value = torch.ones(len(points), dtype=torch.float64)
        for factor in name.split():
            if factor != "1":
                symbol, _, power = factor.partition("^")
                value = value * points[:, int(symbol[1:]) - 1] ** int(power or 1)
        columns.append(value)
    return torch.stack(columns, 1)


@pytest.mark.parametrize("height", [0.2, 1.0])
@pytest.mark.parametrize("time", [0.1, 3.0])
def test_lift_plane_is_that_of_gradient_flow(height: float, time: float) -> None:
    found = told("lift", "plane", {"height": height, "time": time, "x": 0.3, "y": -0.2})
    points, labels = double(found.content["points"]), double(found.content["labels"])
    assert points[0, :2].tolist() == [0.3, -0.2]
    torch.testing.assert_close(points[:, 2], height * (points[:, :2] ** 2).sum(1))
    design = torch.cat([points, torch.ones(len(points), 1).double()], 1)
    rates, modes = torch.linalg.eigh(design.T @ design)
    weights = modes @ (-torch.expm1(-time * rates) / rates * (modes.T @ (design.T @ labels)))
    torch.testing.assert_close(double(found.content["plane"]), weights)
    assert found.content["right"] == int(((design @ weights) * labels > 0).sum())


def test_lift_separates_what_a_line_does_not() -> None:
    rights = [
        told("lift", "plane", {"height": h, "time": 3.0, "x": 0.1, "y": 0.0}).content["right"]
        for h in (0.0, 1.0)
    ]
    assert rights[0] < 40
    assert rights[1] == 60


@pytest.mark.parametrize("degree", [1, 2, 5, 8])
def test_trick_gives_the_same_number_in_both_ways(degree: int) -> None:
    values = {"degree": degree, "x1": 0.7, "y1": -0.4, "x2": 1.1, "y2": 0.3}
    found = told("trick", "pair", values).content
    plain = (0.7 * 1.1 - 0.4 * 0.3 + 1) ** degree
    assert found["kernel"] == pytest.approx(plain, rel=1e-12)
    assert found["summed"] == pytest.approx(plain, rel=1e-12)
    assert len(found["products"]) == len(found["names"]) == found["counts"][0]
    at = monomials(double([[0.7, -0.4], [1.1, 0.3]]), found["names"])
    ratio = double(found["features"]) / at
    torch.testing.assert_close(ratio[0], ratio[1])  # the coefficient of each monomial
    assert (found["right"] == 60) == (degree > 1)


TAYLOR = {"x": [-1.0, 0.1, 0.8], "y": [0.5, -0.6, 1.0], "width": 64, "share": 0.1, "seed": 3}


def test_taylor_gap_grows_as_the_square_and_falls_with_the_width() -> None:
    found = told("taylor", "expand", TAYLOR).content
    assert found["gap"] / found["half"] == pytest.approx(4, rel=0.1)
    whole = {**TAYLOR, "share": 1.0}
    gaps = [told("taylor", "expand", {**whole, "width": w}).content["gap"] for w in (16, 256, 2048)]
    assert gaps == sorted(gaps, reverse=True)
    ends = told("taylor", "expand", whole).content
    assert ends["gaps"][ends["shares"].index(1.0)] == pytest.approx(ends["gap"])


def test_taylor_walk_ends_where_the_expansion_fits() -> None:
    found = told("taylor", "expand", {**TAYLOR, "share": 1.0}).content
    places, values = double(found["places"]), double(found["expansion"])
    for x, y in zip(TAYLOR["x"], TAYLOR["y"], strict=True):
        near = (places - x).abs().topk(2, largest=False).indices
        assert float(values[near].mean()) == pytest.approx(y, abs=0.1)


LAZY = {"x": [-1.0, -0.2, 0.4, 1.0], "y": [0.8, -0.7, 0.6, -0.5]}


def test_lazy_wider_moves_less_and_frames_are_the_weights() -> None:
    from ntkit.studio.story.lazy import FRAMES, WIDTHS

    desk = Desk()
    found = told("lazy", "train", LAZY, desk).content
    assert [len(m) for m in found["movement"]] == [len(FRAMES)] * len(WIDTHS)
    ends = [m[-1] for m in found["movement"]]
    assert ends == sorted(ends, reverse=True)
    assert ends[-1] < ends[0] / 8
    first, last = (
        told("lazy", "frame", {"at": at, "change": 0}, desk).arrays for at in (0, len(FRAMES) - 1)
    )
    change = told("lazy", "frame", {"at": len(FRAMES) - 1, "change": 1}, desk).arrays
    for width in WIDTHS:
        name = f"weights{width}"
        assert first[name].shape == (width, width)
        moved = double(last[name].copy()) - double(first[name].copy())
        torch.testing.assert_close(double(change[name].copy()), 5 * moved, atol=1e-5, rtol=0)
    assert float(first["weights256"].std()) == pytest.approx(1 / 2.5, rel=0.02)
    with pytest.raises(ValueError, match="not trained"):
        told("lazy", "frame", {"at": 0, "change": 0})


def test_ntk_parts_are_products_of_gradients_and_their_expectations_the_formula() -> None:
    from ntkit.studio.story.ntk import WIDTHS, network

    found = told("ntk", "measured", {"width": 5, "seed": 2}).content
    net = network(WIDTHS[5], 2)
    theta = torch.deg2rad(double(found["angles"]))
    x = torch.stack([theta.cos(), theta.sin()], 1)
    weights = dict(net.named_parameters())
    for part, name in (("a", "0.weight"), ("b", "2.weight")):
        rows = [torch.autograd.grad(net(p[None]).sum(), weights[name])[0].flatten() for p in x]
        kernel = torch.stack(rows) @ rows[0]
        torch.testing.assert_close(double(found["measured"][part]), kernel)
    rest = torch.pi - theta
    a, b = theta.cos() * rest, theta.sin() + rest * theta.cos()
    torch.testing.assert_close(double(found["expected"]["a"]), a / (2 * torch.pi))
    torch.testing.assert_close(double(found["expected"]["b"]), b / (2 * torch.pi))


def test_ntk_comes_to_its_expectation_as_the_root_of_the_width() -> None:
    draws = [told("ntk", "rate", {"seed": s}).content["distances"] for s in range(12)]
    mean = (double(draws) ** 2).mean(0).sqrt()
    slope = float(torch.log2(mean[12] / mean[4])) / 8
    assert slope == pytest.approx(-0.5, abs=0.12)


def test_modes_fade_each_at_the_rate_of_its_eigenvalue() -> None:
    from ntkit.studio.story.modes import kernel, points

    target = [0.3, -1.0, 0.4, 0.9, -0.2, 0.5, 1.2, -0.6, 0.1, 0.0, 0.7, -0.8]
    found = told("modes", "fade", {"time": 2.5, "target": target}).content
    rates = double(found["eigenvalues"])
    after = double(found["before"]) * torch.exp(-2.5 * rates)
    torch.testing.assert_close(double(found["after"]), after, atol=1e-9, rtol=1e-7)
    matrix = kernel()(points())
    left = torch.linalg.matrix_exp(-2.5 * matrix) @ double(target)
    torch.testing.assert_close(double(found["left"]), left)
    modes = double(told("modes", "shapes", {}).content["modes"])
    torch.testing.assert_close(matrix @ modes.T, modes.T * rates)


WAVES = [0.5, 0.4, 0.3, 0.2, 0.6]


def test_bias_learns_each_wave_at_its_rate() -> None:
    found = told("bias", "learn", {"heights": WAVES, "time": 0.7}).content
    rates = [found["rate"][k - 1] for k in found["cycles"]]
    assert rates == sorted(rates, reverse=True)
    learned = double(WAVES) * -torch.expm1(-0.7 * double(rates))
    torch.testing.assert_close(double(found["heights"]), learned, atol=1e-7, rtol=1e-6)
    spectrum = torch.fft.rfft(double(found["target"])).abs() / 64
    assert [float(spectrum[k]) for k in found["cycles"]] == pytest.approx(WAVES)


def test_fourier_features_trade_slow_waves_for_fast_ones() -> None:
    values = {"heights": WAVES, "time": 1.0, "bandwidth": 8, "count": 128, "seed": 0}
    found = told("fourier", "compare", values).content
    plain, features = found["plain"], found["features"]
    assert features["rate"][15] > 5 * plain["rate"][15]
    assert features["rate"][0] < plain["rate"][0]
    for side in (plain, features):
        rates = double([side["rate"][k - 1] for k in found["cycles"]])
        learned = double(WAVES) * -torch.expm1(-rates)
        torch.testing.assert_close(double(side["heights"]), learned, atol=1e-6, rtol=1e-5)
        assert side["shape"][0] == 1
    assert all(b == round(b) for b in found["drawn"])


def test_bandwidth_curve_is_that_of_its_fits() -> None:
    from ntkit.studio.story.bandwidth import BANDWIDTHS

    x = torch.arange(128).double() / 128
    signal = (torch.sin(6 * x) + 0.3 * torch.sign(torch.sin(44 * x))).tolist()
    desk, values = Desk(), {"signal": signal, "time": 1.0}
    replies = list(asks_of("story.bandwidth")["sweep"].answer(desk, values))
    curve = replies[-1].content
    assert len(replies) > 1
    assert len(curve["unseen"]) == len(BANDWIDTHS)
    for at in (0, 4, len(BANDWIDTHS) - 1):
        fit = told("bandwidth", "fit", {**values, "at": at}, desk).content
        error = double(fit["function"]) - double(signal)
        for name, part in (("trained", error[::2]), ("unseen", error[1::2])):
            quality = float(-10 * torch.log10((part**2).mean()))
            assert fit[name] == pytest.approx(quality)
            assert curve[name][at] == pytest.approx(quality)
    best = max(range(len(BANDWIDTHS)), key=lambda i: curve["unseen"][i])
    assert 0 < best < len(BANDWIDTHS) - 1
    with pytest.raises(ValueError, match="128 samples"):
        told("bandwidth", "fit", {**values, "signal": [0.0], "at": 0})
