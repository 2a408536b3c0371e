"""A scene of spheres of constant density and colour, seen exactly: closed forms for rays through it."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ntkit.measurements import Camera, Rays, camera_rays
from ntkit.tasks.files import Views
from ntkit.tasks.marching import DENSITY, SHIFT
from ntkit.tasks.scene import looking

__all__ = ["BALLS", "Ball", "Balls", "cameras", "exact", "pictures", "views"]


@dataclass(frozen=True)
class Ball:
    """Constant density inside of a sphere."""

    middle: tuple[float, float, float]
    radius: float
    density: float
    colour: tuple[float, float, float]


BALLS = (
    Ball((0.35, 0.45, 0.5), 0.18, 9.0, (0.9, 0.2, 0.1)),
    Ball((0.7, 0.6, 0.55), 0.13, 20.0, (0.1, 0.3, 0.8)),
)
"""Two in the unit box, which do not overlap."""


def chords(ball: Ball, rays: Rays) -> tuple[Tensor, Tensor]:
    """Depths where rays enter and leave a ball; equal where they miss."""
    gap = rays.origin - torch.tensor(ball.middle).to(rays.origin)
    a, b = (rays.direction**2).sum(1), (gap * rays.direction).sum(1)
    root = (b**2 - a * ((gap**2).sum(1) - ball.radius**2)).clamp_min(0).sqrt()
    return (-b - root) / a, (-b + root) / a


def exact(rays: Rays, background: float = 1.0) -> tuple[Tensor, Tensor]:
    """Colour `[n, 3]` and opacity `[n]` of the balls: each is fog of one colour, nearer ones in front."""
    found = [chords(ball, rays) for ball in BALLS]
    optical = [b.density * (f - n) * rays.length for b, (n, f) in zip(BALLS, found, strict=True)]
    first = (found[0][0] < found[1][0])[:, None]
    shade = [torch.tensor(ball.colour).to(rays.origin) for ball in BALLS]
    alpha = [-torch.expm1(-o)[:, None] for o in optical]
    clear = [1 - a for a in alpha]
    last = clear[0] * clear[1] * background
    front = alpha[0] * shade[0] + clear[0] * alpha[1] * shade[1]
    back = alpha[1] * shade[1] + clear[1] * alpha[0] * shade[0]
    return torch.where(first, front, back) + last, (1 - clear[0] * clear[1])[:, 0]


class Balls(nn.Module):
    """The balls as a network: density before the renderer's softplus, colour before the sigmoid."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def forward(self, x: Tensor) -> Tensor:
        self.asked += len(x)
        out = x.new_full((len(x), 4), -40.0)
        for ball in BALLS:
            inside = ((x[:, :3] - torch.tensor(ball.middle).to(x)) ** 2).sum(1) < ball.radius**2
            raw = torch.expm1(torch.tensor(ball.density / DENSITY)).log() + SHIFT
            row = torch.cat([raw[None], torch.logit(torch.tensor(ball.colour))]).to(x)
            out = torch.where(inside[:, None], row, out)
        return out


def cameras(count: int = 6, size: int = 16, distance: float = 2.5) -> list[Camera]:
    """Around the box, at several heights, its middle in the middle of the pictures."""
    found = []
    for k in range(count):
        turn, height = 2 * np.pi * k * 0.382, -0.5 + (k + 0.5) / count
        away = np.array([np.cos(turn), np.sin(turn), height])
        place = 0.5 + distance * away / np.linalg.norm(away)
        pose = looking(place, np.full(3, 0.5), np.array([0, 0, 1.0]))
        found.append(Camera(pose, (1.6 * size, 1.6 * size), (size / 2, size / 2), (size, size)))
    return found


def pictures(views: list[Camera]) -> list[np.ndarray]:
    """`[h, w, 4]` of each camera, colours times alpha, float64."""
    found = []
    for view in views:
        colour, opacity = exact(camera_rays(view, 0.5, 5.0), background=0.0)
        rgba = torch.cat([colour, opacity[:, None]], 1)
        found.append(rgba.reshape(*view.size, 4).double().numpy())
    return found


def views(count: int = 6, size: int = 16, n_held_out: int = 1) -> Views:
    """The scene as a reader would give it; the last views judge."""
    seen = cameras(count, size)
    images = tuple(image.astype(np.float32) for image in pictures(seen))
    held_out = tuple(k >= count - n_held_out for k in range(count))
    return Views(images, tuple(seen), held_out, (1.0, 4.0))
