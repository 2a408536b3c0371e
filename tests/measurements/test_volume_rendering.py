"""Compositing against closed forms and a plain loop, and where samples are drawn."""

from math import exp

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ntkit.measurements import (
    Camera,
    Seen,
    Strata,
    camera_rays,
    composite,
    importance,
    stratified,
    widened,
)
from ntkit.tasks.marching import DENSITY, SHIFT
from tests.cases import randn, seeded
from tests.rates import fitted_exponent
from tests.spheres import Balls, cameras, exact
from tests.tolerances import assert_near

ONE = torch.ones(3, dtype=torch.float64)


def random_fog(n: int, s: int, seed: int = 0) -> tuple[Tensor, Tensor, Strata]:
    """Densities, colours and uneven pieces of rays."""
    near = randn(n, seed=seed).abs()
    edges = near[:, None] + randn(n, s + 1, seed=seed + 1).abs().cumsum(1)
    strata = Strata(edges, (edges[:, 1:] + edges[:, :-1]) / 2)
    return randn(n, s, seed=seed + 2).abs(), randn(n, s, 3, seed=seed + 3).sigmoid(), strata


def by_loop(density: Tensor, colour: Tensor, strata: Strata, length: float, back: Tensor) -> Tensor:
    """One ray, front to back: light that is left, then the background."""
    left, found = 1.0, torch.zeros(3, dtype=torch.float64)
    for s, c, d in zip(density, colour, strata.lengths[0], strict=True):
        alpha = 1 - exp(-float(s) * float(d) * length)
        found = found + left * alpha * c
        left *= 1 - alpha
    return found + left * back


@given(st.integers(1, 12), st.integers(0, 99))
def test_colours_are_those_of_a_plain_loop(s: int, seed: int) -> None:
    density, colour, strata = random_fog(1, s, seed)
    back = randn(3, seed=seed).sigmoid()
    seen = composite(density, colour, strata, length=2 * ONE[:1], background=back)
    assert_near(seen.colour[0], by_loop(density[0], colour[0], strata, 2.0, back))


@given(st.integers(1, 40), st.integers(0, 99))
def test_weights_sum_to_the_opacity_and_to_no_more_than_one(s: int, seed: int) -> None:
    density, colour, strata = random_fog(7, s, seed)
    seen = composite(density * 10 ** (seed % 5), colour, strata, length=ONE[:1], background=ONE)
    assert_near(seen.weights.sum(1), seen.opacity)
    assert bool((seen.weights >= 0).all())
    assert float(seen.opacity.max()) <= 1
    assert bool((seen.depth >= strata.edges[:, 0]).all())
    assert bool((seen.depth <= strata.edges[:, -1] + 1e-9).all())


@pytest.mark.parametrize("count", [1, 5, 64])
def test_a_slab_of_constant_density_is_exact_however_it_is_cut(count: int) -> None:
    """Transmittance `exp(-s L)`, with points drawn or not."""
    near, far = ONE[:1] * 1.0, ONE[:1] * 2.5
    for generator in (None, seeded()):
        strata = stratified(near, far, count, generator)
        fog = torch.full((1, count), 1.7, dtype=torch.float64)
        seen = composite(
            fog, torch.zeros(1, count, 3).double(), strata, length=ONE[:1], background=ONE
        )
        assert_near(seen.colour[0], exp(-1.7 * 1.5) * ONE)


def test_the_depth_of_a_thin_wall_is_where_it_is() -> None:
    strata = stratified(ONE[:1] * 0, ONE[:1] * 4, 400)
    wall = torch.where((strata.points > 2.99) & (strata.points < 3.01), 1e5, 0.0)
    seen = composite(wall, torch.zeros(1, 400, 3).double(), strata, length=ONE[:1], background=ONE)
    assert float(seen.depth) == pytest.approx(3, abs=0.02)
    empty = composite(
        wall * 0, torch.zeros(1, 400, 3).double(), strata, length=ONE[:1], background=ONE
    )
    assert float(empty.depth) == pytest.approx(4)


def seen_balls(view: Camera, count: int, generator: torch.Generator | None = None) -> Tensor:
    """The balls' opacity by quadrature."""
    rays = camera_rays(view, 1.0, 4.0)
    strata = stratified(rays.near, rays.far, count, generator)
    at = rays.origin[:, None] + strata.points[..., None] * rays.direction[:, None]
    raw = Balls()(at.reshape(-1, 3))
    density = DENSITY * torch.nn.functional.softplus(raw[:, 0] - SHIFT).reshape(-1, count)
    colour = raw[:, 1:].sigmoid().reshape(len(density), count, 3)
    return composite(density, colour, strata, length=rays.length, background=torch.ones(3)).colour


def test_quadrature_comes_to_spheres_as_one_over_the_samples() -> None:
    """A sphere's border is somewhere in a piece: the chord misses by about one piece."""
    view = cameras(1, size=24)[0]
    wanted = exact(camera_rays(view, 1.0, 4.0))[0]
    counts = [32, 64, 128, 256, 512]
    errors = [float((seen_balls(view, c) - wanted).square().mean().sqrt()) for c in counts]
    assert fitted_exponent(counts, errors) == pytest.approx(-1, abs=0.3)
    assert errors[-1] < 0.02


def test_points_drawn_in_pieces_are_right_in_the_mean() -> None:
    """Optical depth through fog that changes linearly: the mean over draws is the integral, at rate one half."""
    n = 4000
    strata = stratified(torch.zeros(n).double(), torch.ones(n).double(), 4, seeded())
    optical = (strata.points * strata.lengths).sum(1)
    error = float(optical.std() / n**0.5)
    assert float(optical.mean()) == pytest.approx(0.5, abs=4 * error)
    # Each piece of 1/4 has a variance of (1/4)^2 / 12 of its point.
    assert float(optical.var()) == pytest.approx(4 * (1 / 4) ** 4 / 12, rel=0.1)
    assert bool((strata.points >= strata.edges[:, :-1]).all())
    assert bool((strata.points <= strata.edges[:, 1:]).all())


def test_cuts_are_drawn_where_the_weights_are() -> None:
    n, count = 2000, 16
    edges = torch.tensor([0.0, 0.5, 1.0, 3.0]).double().expand(n, 4)
    weights = torch.tensor([0.1, 0.6, 0.3]).double().expand(n, 3)
    for generator in (None, seeded()):
        finer = importance(edges, weights, count, generator)
        assert finer.edges.shape == (n, 4 + count)
        assert bool((finer.lengths >= 0).all())
        assert_near(finer.lengths.sum(1), torch.full((n,), 3.0).double())
        inside = [(finer.edges > a) & (finer.edges < b) for a, b in ((0, 0.5), (0.5, 1), (1, 3))]
        share = torch.stack([cut.double().mean() for cut in inside]) * (4 + count) / count
        assert_near(share.float(), torch.tensor([0.1, 0.6, 0.3]), loosen=4e4)


def test_rays_that_hit_nothing_are_cut_evenly() -> None:
    edges = torch.linspace(0, 1, 5).double().expand(1, 5)
    finer = importance(edges, torch.zeros(1, 4).double(), 8)
    assert float(finer.lengths.max()) <= 0.126


def test_hierarchical_samples_are_unbiased() -> None:
    """Whatever the weights say, the pieces cover the ray: constant fog stays exact, linear fog in the mean."""
    n = 4000
    edges = torch.linspace(0, 1, 5).double().expand(n, 5)
    lopsided = torch.tensor([0.0, 0.0, 0.9, 0.1]).double().expand(n, 4)
    finer = importance(edges, lopsided, 6, seeded())
    optical = (finer.points * finer.lengths).sum(1)
    assert float(optical.mean()) == pytest.approx(0.5, abs=4 * float(optical.std()) / n**0.5)


def test_hierarchical_samples_find_a_thin_wall() -> None:
    """At equal numbers of samples the error of a wall anywhere is several times smaller."""
    n, thick = 500, 0.03
    near, far = torch.zeros(n).double(), torch.ones(n).double()
    start = 0.9 * torch.rand(n, 1, generator=seeded()).double()

    def seen(strata: Strata) -> Seen:
        wall = (strata.points > start) & (strata.points < start + thick)
        none = torch.zeros(*wall.shape, 3).double()
        return composite(60.0 * wall, none, strata, length=ONE[:1], background=ONE)

    coarse = stratified(near, far, 64)
    finer = importance(coarse.edges, widened(seen(coarse).weights), 64)
    true = 1 - exp(-60 * thick)
    errors = [
        float((seen(strata).opacity - true).square().mean().sqrt())
        for strata in (stratified(near, far, 128), finer)
    ]
    assert errors[1] < 0.4 * errors[0]


def test_widened_weights_reach_half_into_their_neighbours() -> None:
    found = widened(torch.tensor([[0.0, 0.0, 0.8, 0.2, 0.0]]))
    assert_near(found, torch.tensor([[0.0, 0.4, 0.8, 0.5, 0.1]]))
