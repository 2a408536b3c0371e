"""The example that makes data: what it writes is closed, and seen from where it says."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("PIL")

from ntkit.tasks.files import read_views

PATH = Path(__file__).parents[1] / "examples" / "shape_and_field.py"
pytestmark = pytest.mark.skipif(not PATH.exists(), reason="needs the source's examples")


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = spec_from_file_location("shape_and_field", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, value in (("SIZE", 24), ("TRAINED", 6), ("JUDGED", 2)):
        monkeypatch.setattr(module, name, value)
    return module


def test_the_knot_is_closed_and_looks_outward(example: ModuleType) -> None:
    """Each side of a triangle is another's, the other way round; the volume is that of a bent cylinder."""
    vertices, faces = example.knot()
    sides = {(int(f[i]), int(f[i - 2])) for f in faces for i in range(3)}
    assert len(sides) == 3 * len(faces)
    assert all((b, a) in sides for a, b in sides)
    a, b, c = vertices[faces].swapaxes(0, 1)
    volume = (a * np.cross(b, c)).sum() / 6
    rings = vertices.reshape(240, 24, 3)
    line = rings.mean(1)
    length = np.linalg.norm(np.roll(line, -1, 0) - line, axis=1).sum()
    assert volume == pytest.approx(np.pi * 0.35**2 * length, rel=0.03)


def test_the_balls_are_where_their_cameras_see_them(
    example: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Middles of balls, through the cameras that are read, fall on opaque pixels; corners are empty."""
    monkeypatch.setattr(sys, "argv", ["example", str(tmp_path)])
    example.main()
    views = read_views(tmp_path / "balls")
    assert sum(views.held_out) == 2
    assert len(views.images) == 8
    for image, camera in zip(views.images, views.cameras, strict=True):
        found = np.array(camera.pose)
        for middle, _, _ in example.BALLS:
            x, y, z = found[:, :3].T @ (np.array(middle) - found[:, 3])
            column = int(camera.centre[0] + camera.focal[0] * x / -z)
            row = int(camera.centre[1] - camera.focal[1] * y / -z)
            assert image[row, column, 3] > 0.99
        assert image[0, 0, 3] == 0
    assert (tmp_path / "knot.obj").read_text().count("\nf ") == 2 * 240 * 24
