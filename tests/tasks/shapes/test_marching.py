"""The surface of a field: on it, closed, outward, and found without looking everywhere."""

import numpy as np
import pytest

pytest.importorskip("igl")
pytest.importorskip("skimage")

from ntkit.tasks import shapes
from ntkit.tasks.shapes import indexed, surface
from ntkit.tasks.shapes.orientation import n_open_edges, volume


class Counted:
    """The distance from a sphere's surface, above 0 inside; how many points were asked."""

    def __init__(self, radius: float = 0.35, centre: float = 0.5) -> None:
        self.radius, self.centre, self.n = radius, centre, 0

    def __call__(self, points: np.ndarray) -> np.ndarray:
        self.n += len(points)
        return self.radius - np.linalg.norm(points - self.centre, axis=1)


def test_vertices_lie_on_the_sphere_up_to_the_square_of_a_cell() -> None:
    off = []
    for n in (16, 32, 64):
        field = Counted()
        triangles = surface(field, (n,) * 3)
        off.append(abs(np.linalg.norm(triangles - 0.5, axis=-1) - 0.35).max())
        vertices, faces = indexed(triangles)
        assert n_open_edges(faces)[0] == 0
        assert volume(vertices, faces) == pytest.approx(4 / 3 * np.pi * 0.35**3, rel=2 / n)
    slope = np.polyfit(np.log([16, 32, 64]), np.log(off), 1)[0]
    assert slope == pytest.approx(-2, abs=0.3)
    assert field.n < 0.25 * 65**3


def test_it_is_the_surface_of_all_points() -> None:
    """Coarse first finds the same triangles as asking everywhere, for what is wider than two cells."""

    def wave(points: np.ndarray) -> np.ndarray:
        return np.sin(9 * points).sum(1) - 0.3

    from skimage.measure import marching_cubes

    axis = np.linspace(0, 1, 41)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1)
    values = wave(grid.reshape(-1, 3)).reshape(41, 41, 41)
    closed = np.pad(values, 1, constant_values=-1e6)
    wanted, faces, _, _ = marching_cubes(
        closed, 0.0, gradient_direction="ascent", allow_degenerate=False
    )
    found = surface(wave, (40, 40, 40))
    assert len(found) == len(faces)
    wanted = np.clip((wanted[faces] - 1) / 40, 0, 1)
    np.testing.assert_allclose(found.sum((0, 1)), wanted.sum((0, 1)), rtol=2e-4)  # single precision


def test_a_surface_that_leaves_the_box_is_closed_at_its_border() -> None:
    triangles = surface(Counted(0.6), (24, 24, 24))
    assert triangles.min() == 0
    assert triangles.max() == 1
    faces = indexed(triangles.round(6))[1]
    assert n_open_edges(faces)[0] == 0
    box = surface(lambda p: np.ones(len(p)), (4, 4, 4))
    assert volume(*indexed(box)) == pytest.approx(1, rel=1e-4)


def test_a_field_without_an_inside_has_no_surface() -> None:
    assert surface(lambda p: -np.ones(len(p)), (8, 8, 8)).shape == (0, 3, 3)


def test_parts_and_cells_of_any_shape() -> None:
    whole = surface(Counted(), (30, 50, 40))
    assert abs(np.linalg.norm(whole - 0.5, axis=-1) - 0.35).max() < 2e-3
    part = surface(Counted(), (9, 20, 20), low=(0.5, 0, 0), high=(1, 1, 1))
    assert part[..., 0].min() == 0.5
    assert part[..., 0].max() == pytest.approx(0.85, abs=1e-3)
    vertices, faces = indexed(part.round(6))
    half = 2 / 3 * np.pi * 0.35**3
    assert volume(vertices, faces) == pytest.approx(half, rel=0.05)


def test_a_thin_rod_is_followed() -> None:
    """Thinner than two cells: found at its thick end, and from there on."""

    def rod(points: np.ndarray) -> np.ndarray:
        x, y, z = points.T
        thin = 0.02 - np.hypot(y - 0.51, z - 0.51)
        ball = 0.1 - np.linalg.norm(points - [0.1, 0.51, 0.51], axis=1)
        return np.maximum(np.where((x > 0.1) & (x < 0.9), thin, -0.05), ball)

    found = surface(rod, (64, 64, 64))
    assert found[..., 0].max() == pytest.approx(0.9, abs=0.02)


def test_parts_have_names() -> None:
    with pytest.raises(AttributeError, match=r"ntkit\.tasks\.shapes' has no attribute 'spheres'"):
        shapes.spheres  # noqa: B018
