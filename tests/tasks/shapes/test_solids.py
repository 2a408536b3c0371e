"""Inside, distances and points of surfaces, against formulas and the plain sum of solid angles."""

import numpy as np
import pytest

pytest.importorskip("igl")
pytest.importorskip("skimage")

from ntkit.tasks.shapes.apart import chamfer
from ntkit.tasks.shapes.orientation import n_open_edges, oriented, volume
from ntkit.tasks.shapes.solids import Cloud, Solid, distances, sampled
from ntkit.tasks.shapes.voxel_grid import voxels
from tests.oracles import winding_number
from tests.tasks.solids import box, cloud, sphere, torus

POINTS = np.random.default_rng(1).uniform(-1.6, 1.6, (3000, 3))


def in_torus(points: np.ndarray) -> np.ndarray:
    x, y, z = points.T
    return np.hypot(np.hypot(x, y) - 1, z) < 0.4


@pytest.mark.parametrize(
    ("arrays", "inside", "volume_of"),
    [
        (sphere(4), lambda p: np.linalg.norm(p, axis=1) < 1, 4 / 3 * np.pi),
        (torus(), in_torus, 2 * np.pi**2 * 0.4**2),
        (box((1.0, 1.5, 0.5)), lambda p: ((p > 0) & (p < [1, 1.5, 0.5])).all(1), 0.75),
    ],
)
def test_inside_is_that_of_the_formula(arrays, inside, volume_of: float) -> None:
    solid = Solid(*arrays)
    assert solid.notes == ()
    wrong = (solid.inside(POINTS) != inside(POINTS)).mean()
    assert wrong < 2e-3  # between the facets and the curve
    assert volume(*arrays) == pytest.approx(volume_of, rel=0.01)
    assert n_open_edges(arrays[1]) == (0, len(arrays[1]) * 3 // 2)


def test_winding_numbers_are_sums_of_solid_angles() -> None:
    vertices, faces = torus(24, 12)
    for kept in (faces, faces[40:]):  # closed, and with a hole
        found = Solid(vertices, kept).winding(POINTS[:200])
        np.testing.assert_allclose(found, winding_number(vertices[kept], POINTS[:200]), atol=0.01)


def test_holes_leave_a_sensible_inside() -> None:
    vertices, faces = sphere(4)
    a, b, c = vertices[faces].transpose(1, 0, 2)
    open_above = (a + b + c)[:, 2] < 3 * 0.95  # a cap of 2.5 % of the area is missing
    solid = Solid(vertices, faces[open_above])
    (note,) = solid.notes
    assert note.startswith("not watertight: ")
    assert " edges are open; inside is where the generalised winding number" in note
    wrong = solid.inside(POINTS) != (np.linalg.norm(POINTS, axis=1) < 1)
    assert wrong.mean() < 5e-3


def test_faces_that_look_inward_are_turned() -> None:
    vertices, faces = sphere(2)
    solid = Solid(vertices, faces[:, ::-1])
    assert solid.notes == ("its faces looked inward, and were turned",)
    assert solid.inside(np.zeros((1, 3))).all()


def test_faces_that_contradict_each_other_are_turned() -> None:
    """Two balls, a third of whose faces are turned; the second ball whole, but inward."""
    vertices, faces = sphere(2)
    n, m = len(vertices), len(faces)
    mixed = np.concatenate([faces, faces[:, ::-1] + n])
    mixed[:m:3] = mixed[:m:3, ::-1]
    both = np.concatenate([vertices, vertices + np.array([3, 0, 0])])
    found, notes = oriented(both, mixed)
    turned = len(range(0, m, 3)) + m
    assert notes == [
        f"its faces contradict each other about which side is out; {turned} of {2 * m} were turned"
    ]
    wanted = np.concatenate([faces, faces + n])
    assert volume(both, found) == pytest.approx(volume(both, wanted))
    assert Solid(both, mixed).inside(np.array([[0.0, 0, 0], [3, 0, 0]])).all()


def test_a_cavity_stays_one() -> None:
    """A ball in a ball, inward: consistent, so believed."""
    vertices, faces = sphere(3)
    both = np.concatenate([vertices, 0.5 * vertices])
    solid = Solid(both, np.concatenate([faces, faces[:, ::-1] + len(vertices)]))
    assert solid.notes == ()
    assert solid.inside(np.array([[0.0, 0, 0], [0.75, 0, 0], [1.2, 0, 0]])).tolist() == [
        False,
        True,
        False,
    ]


def test_signed_distances_of_an_open_surface_keep_their_size() -> None:
    """By `igl.signed_distance` they would be those times `1 - 2 w`."""
    vertices, faces = sphere(4)
    a, b, c = vertices[faces].transpose(1, 0, 2)
    solid = Solid(vertices, faces[(a + b + c)[:, 2] < 3 * 0.8])
    below = POINTS[POINTS[:, 2] < -0.2]
    found, radii = solid.signed_distance(below), np.linalg.norm(below, axis=1)
    assert abs(found - (1 - radii)).max() < 5e-3


def test_a_cloud_is_inside_like_its_surface() -> None:
    points, normals = cloud(1500, radius=0.4)
    solid = Cloud(points + 0.5, normals, cells=48)
    assert len(solid.notes) == 1
    at = np.random.default_rng(0).random((2000, 3))
    radii = np.linalg.norm(at - 0.5, axis=1)
    assert (solid.inside(at) != (radii < 0.4)).mean() < 5e-3
    assert abs(solid.signed_distance(at) - (0.4 - radii)).max() < 0.03
    found = np.linalg.norm(solid.samples(500, np.random.default_rng(0)) - 0.5, axis=1)
    assert abs(found - 0.4).max() < 0.03


def test_normals_of_a_cloud_that_look_inward_are_turned() -> None:
    points, normals = cloud(200, radius=0.4)
    solid = Cloud(points + 0.5, -normals, cells=16)
    assert solid.notes[1] == "its normals looked inward, and were turned"
    assert solid.inside(np.full((1, 3), 0.5)).all()
    with pytest.raises(ValueError, match="The points and their normals enclose nothing"):
        Cloud(np.concatenate([points, points]), np.concatenate([normals, -normals]))


def test_samples_are_uniform_by_area() -> None:
    vertices, faces = box((1.0, 2.0, 4.0))
    found = sampled(vertices[faces], 40_000, np.random.default_rng(0))
    on = [(np.abs(found[:, i] * (found[:, i] - s)) < 1e-9).mean() for i, s in enumerate((1, 2, 4))]
    np.testing.assert_allclose(on, np.array([2 * 4, 1 * 4, 1 * 2]) / 14, atol=0.01)
    np.testing.assert_allclose(found.mean(0), [0.5, 1, 2], atol=0.02)


def test_distances_of_points_beside_a_box() -> None:
    vertices, faces = box((1.0, 1.0, 1.0))
    at = np.array([[0.5, 0.5, 3.0], [-1.0, -1.0, -1.0], [0.5, 0.5, 0.4]])
    np.testing.assert_allclose(distances(at, vertices[faces]), [2, np.sqrt(3), 0.4])


def test_chamfer_of_a_moved_surface() -> None:
    """Two sides of a flat box, moved along its normal: all but its rims are as far apart as it was moved."""
    vertices, faces = box((10.0, 10.0, 4.0))
    triangles = vertices[faces]
    assert chamfer(triangles, triangles) < 1e-9
    moved = triangles + np.array([0, 0, 0.5])
    # The top of one is 0.5 below the other's, but less near its rim; the bottom 0.5; the sides 0, but for a rim of 0.5.
    rim = 4 * 10 * 0.5 * 0.25  # its area times its mean distance
    assert chamfer(triangles, moved) == pytest.approx((100 - rim + rim) / 360, rel=0.02)
    ball, larger = sphere(4), sphere(4, 1.25)
    apart = chamfer(ball[0][ball[1]], larger[0][larger[1]])
    assert apart == pytest.approx(0.25, rel=0.01)


def test_a_voxel_grid_is_exact_for_a_plane() -> None:
    at = np.random.default_rng(0).random((50, 3))
    found = voxels(lambda p: p @ [1.0, -2.0, 0.5], 5, at)
    np.testing.assert_allclose(found, at @ [1.0, -2.0, 0.5], atol=1e-12)
    np.testing.assert_array_equal(voxels(lambda p: p[:, 0] + 0, 2, np.eye(3)), [1, 0, 0])
