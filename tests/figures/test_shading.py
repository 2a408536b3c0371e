"""Shaded triangles: what is in front, how large it is, and which way it is lit."""

import numpy as np

from ntkit.figures.shading import rendered, turntable
from tests.tasks.solids import box, sphere


def cube(middle: tuple[float, float, float], side: float) -> np.ndarray:
    vertices, faces = box((side,) * 3)
    return (vertices - side / 2 + np.array(middle))[faces]


def covered(picture: np.ndarray) -> np.ndarray:
    return picture.min(-1) < 0.999


def test_the_silhouette_of_a_ball_is_a_disc() -> None:
    """Of the picture's 1.15 sides of the box, from wherever it is seen."""
    vertices, faces = sphere(4, 0.4)
    for picture in rendered(vertices[faces] + 0.5, (0, 77), elevation=31, pixels=96):
        share = covered(picture).mean()
        assert abs(share - np.pi * 0.4**2 / 1.15**2) < 0.02
        rows, columns = np.nonzero(covered(picture))
        assert abs(rows.mean() - 47.5) < 0.5
        assert abs(columns.mean() - 47.5) < 0.5


def test_up_is_up_and_the_nearer_one_is_in_front() -> None:
    """A small cube above a large one; and one behind a wall."""
    for up in range(3):
        high, low = np.full(3, 0.5), np.full(3, 0.5)
        high[up], low[up] = 0.85, 0.3
        both = np.concatenate([cube(tuple(high), 0.15), cube(tuple(low), 0.5)])
        rows = covered(rendered(both, [20], up=up, pixels=64)[0]).sum(1)
        filled = np.flatnonzero(rows)
        assert rows[filled[:5]].max() < rows[filled[-10:]].max() / 2
    wall, ball = cube((0.5, 0.5, 0.5), 0.3), cube((0.5, 0.5, 0.5), 0.2)  # inside of it
    alone = rendered(wall, [20], pixels=48)
    assert np.array_equal(rendered(np.concatenate([ball, wall]), [20], pixels=48), alone)
    assert np.array_equal(rendered(wall, [20], pixels=48, is_closed=True), alone)


def test_the_back_of_a_triangle_is_red() -> None:
    """Seen through a hole of a cube, and only there."""
    whole = cube((0.5, 0.5, 0.5), 0.6)
    picture = rendered(whole, [20], pixels=48)[0]
    assert not (picture[..., 0] > picture[..., 2] + 0.05).any()
    a, b, c = whole.transpose(1, 0, 2)
    is_top = np.abs((a + b + c)[:, 1] / 3 - 0.8) < 1e-9
    opened = rendered(whole[~is_top], [20], elevation=50, pixels=48)[0]
    assert (opened[..., 0] > opened[..., 2] + 0.05).sum() > 50


def test_edges_stay_and_curves_are_smooth() -> None:
    """The sides of a cube have one shade each; neighbours on a ball of few faces hardly differ."""
    picture = rendered(cube((0.5, 0.5, 0.5), 0.6), [30], pixels=64)[0]
    inner = picture[covered(picture)].round(6)
    _, counts = np.unique(inner, axis=0, return_counts=True)
    assert np.sort(counts)[-3:].sum() > 0.8 * len(inner)
    vertices, faces = sphere(2, 0.4)
    ball = rendered(vertices[faces] + 0.5, [30], pixels=64)[0].mean(-1)
    assert np.abs(np.diff(ball[32, 20:44])).max() < 0.06


def test_a_turntable_turns_once() -> None:
    film = turntable(cube((0.65, 0.5, 0.5), 0.4), frames=8, pixels=32)
    assert film.shape == (8, 32, 32, 3)
    assert film.min() >= 0
    assert film.max() <= 1
    columns = [np.nonzero(covered(frame))[1].mean() for frame in film]
    middle = np.mean(columns)
    halves = np.array(columns) - middle
    np.testing.assert_allclose(halves[:4], -halves[4:], atol=0.7)
    assert np.ptp(columns) > 4
    assert np.array_equal(turntable(np.zeros((0, 3, 3)), frames=2, pixels=8), np.ones((2, 8, 8, 3)))
