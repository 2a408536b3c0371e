"""Cameras to rays: the convention, pixel centres, boxes."""

from math import pi, tan

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntkit.measurements import Camera, Rays, camera_rays, clip_to_unit_box
from tests.cases import randn, seeded
from tests.tolerances import assert_near

LEVEL = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 4.0))


def camera(height: int = 6, width: int = 8, pose: tuple = LEVEL) -> Camera:
    return Camera(pose, (5.0, 5.0), (width / 2, height / 2), (height, width))


def drawn_rays(n: int = 500, seed: int = 0) -> Rays:
    """From anywhere around the unit box, in any direction, some with zeros in it."""
    direction = randn(n, 3, seed=seed + 1).float()
    direction[::10, 0] = 0
    return Rays(
        (0.5 + randn(n, 3, seed=seed)).float(),
        direction,
        torch.full((n,), 0.01),
        torch.full((n,), 0.1),
        torch.full((n,), 5.0),
    )


def test_the_camera_looks_along_minus_z_with_y_up() -> None:
    rays = camera_rays(camera(), 2, 6)
    assert torch.equal(rays.origin, torch.tensor([0.0, 0.0, 4.0]).expand(48, 3))
    upper_left, lower_right = rays.direction[0], rays.direction[-1]
    assert_near(upper_left, torch.tensor([-3.5 / 5, 2.5 / 5, -1]))
    assert_near(lower_right, torch.tensor([3.5 / 5, -2.5 / 5, -1]))
    assert torch.equal(rays.direction[:, 2], -torch.ones(48))


@given(st.integers(0, 99))
def test_a_ray_meets_the_middle_of_its_pixel(seed: int) -> None:
    """Projecting a point of a ray with the pinhole formula gives the pixel's centre back."""
    rotation = torch.linalg.qr(randn(3, 3, seed=seed)).Q
    rotation = rotation * rotation.det()
    place = randn(3, 1, seed=seed + 1)
    pose = tuple(map(tuple, torch.cat([rotation, place], 1).tolist()))
    view = Camera(pose, (7.0, 9.0), (3.3, 2.1), (5, 6))
    rays = camera_rays(view, 1, 2)
    at = (rays.origin + 1.7 * rays.direction).double()
    own = (at - place[:, 0]) @ rotation
    x = 7.0 * own[:, 0] / -own[:, 2] + 3.3
    y = -9.0 * own[:, 1] / -own[:, 2] + 2.1
    assert_near((-own[:, 2]).float(), torch.full((30,), 1.7), loosen=3)
    wanted = torch.arange(30)
    assert_near(x.float(), (wanted % 6 + 0.5).float(), loosen=10)
    assert_near(y.float(), (wanted // 6 + 0.5).float(), loosen=10)


def test_a_box_changes_units_and_nothing_else() -> None:
    plain = camera_rays(camera(), 2, 6)
    boxed = camera_rays(camera(), 2, 6, low=(-1.0, -2.0, -3.0), side=5.0)
    for t in (2.0, 3.3, 6.0):
        at = plain.origin + t * plain.direction
        unit = boxed.origin + t * boxed.direction
        assert_near(unit, (at - torch.tensor([-1.0, -2.0, -3.0])) / 5)
    assert_near(boxed.length * 5, plain.length)
    assert_near(boxed.radius * 5, plain.radius)


def test_the_cones_disc_has_a_pixels_variance() -> None:
    """Radius squared over 4 along each axis, as a square's width squared over 12 is."""
    rays = camera_rays(camera(), 2, 6)
    assert float(rays.radius[0]) ** 2 / 4 == pytest.approx((1 / 5) ** 2 / 12)


def test_smaller_pictures_of_a_view_see_the_same() -> None:
    """The middle of a pixel is the middle of its four of twice the resolution."""
    fine = camera_rays(camera(), 2, 6).direction.reshape(3, 2, 4, 2, 3).mean((1, 3))
    coarse = camera_rays(camera().resized(3, 4), 2, 6).direction.reshape(3, 4, 3)
    assert_near(coarse, fine)


def test_a_field_of_view_is_an_angle() -> None:
    """Blender's `camera_angle_x`: the borders of the outer pixels are half of it from the axis."""
    angle = pi / 3
    focal = 4 / tan(angle / 2)
    view = Camera(LEVEL, (focal, focal), (4.0, 3.0), (6, 8))
    x = camera_rays(view, 2, 6).direction[:8, 0]
    assert_near(x[-1] + (x[1] - x[0]) / 2, torch.tensor(tan(angle / 2)))


def test_rows_and_columns_are_one() -> None:
    rays = drawn_rays()
    for there, back in zip(rays, Rays.of_rows(rays.rows()), strict=True):
        assert torch.equal(there, back)


def test_clipped_rays_are_those_parts_that_are_inside() -> None:
    """Against many points of each ray, asked one by one."""
    rays = drawn_rays()
    clipped = clip_to_unit_box(rays)
    t = torch.linspace(0.1, 5.0, 400)
    at = rays.origin[:, None] + t[:, None] * rays.direction[:, None]
    inside = ((at > 1e-4) & (at < 1 - 1e-4)).all(-1)
    outside = ((at < -1e-4) | (at > 1 + 1e-4)).any(-1)
    within = (t >= clipped.near[:, None]) & (t <= clipped.far[:, None])
    assert bool((within | ~inside).all())
    strict = (t > clipped.near[:, None]) & (t < clipped.far[:, None])
    assert not bool((strict & outside).any())
    hit = inside.any(1)
    assert 0.05 < float(hit.float().mean()) < 0.9
    assert bool((clipped.far >= clipped.near).all())
    assert bool((clipped.near >= 0.1).all())
    assert bool((clipped.far <= 5.0).all())


def test_other_tables_are_refused(unchecked: None) -> None:
    with pytest.raises(
        ValueError, match=r"`rows` has shape \(5, 3\); rays are rows of nine numbers"
    ):
        Rays.of_rows(torch.rand(5, 3, generator=seeded()))
