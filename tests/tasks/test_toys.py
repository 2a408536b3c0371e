"""Small data to show an idea with."""

import torch

from ntkit.tasks import circles, lifted
from tests.cases import seeded


def test_circles_are_told_apart_by_the_radius_alone() -> None:
    points, labels = circles(200, generator=seeded())
    radius = points.norm(dim=1)
    assert labels.unique().tolist() == [-1, 1]
    assert float(radius[labels > 0].mean()) < 0.5 < float(radius[labels < 0].mean())
    design = torch.cat([torch.ones(200, 1).double(), points], 1)
    flat = design @ torch.linalg.lstsq(design, labels[:, None]).solution
    assert float((flat[:, 0] * labels > 0).double().mean()) < 0.7
    assert torch.equal(points, circles(200, generator=seeded())[0])


def test_a_lifted_point_keeps_its_place() -> None:
    points, _ = circles(10, generator=seeded())
    found = lifted(points, 0.3)
    torch.testing.assert_close(found[:, :2], points)
    torch.testing.assert_close(found[:, 2], 0.3 * points.norm(dim=1) ** 2)
