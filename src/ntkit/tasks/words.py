"""What a network's coordinates and values stand for, in words, for whoever has the network alone."""

from ntkit.tasks.domain import Domain
from ntkit.tasks.marching import DENSITY, SHIFT
from ntkit.tasks.scene import Scene

__all__ = ["coordinates_in_words", "scene_in_words", "values_in_words"]


def coordinates_in_words(domain: Domain) -> str:
    """Where a sample of the data lies."""
    if domain.is_scattered:
        return _of_columns(domain)
    size = " x ".join(map(str, domain.shape))
    text = (
        f"Axes in the order of the data's array, {size} samples; sample k of N along an axis is at k / N, so "
        "that the data fill [0, 1)."
    )
    if domain.spacing and domain.units:
        lengths = [n * step for n, step in zip(domain.shape, domain.spacing, strict=True)]
        units = [f"{a:.6g} {unit}" for a, unit in zip(lengths, domain.units, strict=True)]
        text += f" One unit along each axis is {', '.join(units)}."
    return text


def _of_columns(domain: Domain) -> str:
    """Of scattered points: how their own units become coordinates."""
    columns = [
        f"({name} - {low:.9g}) / {high - low:.9g}"
        for name, low, high in zip(_names(domain), domain.low, domain.high, strict=True)
    ]
    if not domain.geographic:
        return f"{', '.join(columns)}."
    place = [
        "(cos(lat) cos(lon) + 1) / 2",
        "(cos(lat) sin(lon) + 1) / 2",
        "(sin(lat) + 1) / 2",
        *columns[2:],
    ]
    return f"{', '.join(place)}; lon and lat in radians."


def _names(domain: Domain) -> list[str]:
    d = len(domain.low)
    return list(domain.names[:d]) if len(domain.names) >= d else [f"x{k}" for k in range(d)]


def values_in_words(domain: Domain) -> str:
    """How a value becomes a number of the data."""
    levels = dict.fromkeys(domain.levels)
    if len(levels) == 1:
        (low, high) = domain.levels[0]
        plain = (low, high) == (0, 1)
        return "Those of the data." if plain else f"A number of the data is {_line(low, high)}."
    lines = [_line(low, high) for low, high in domain.levels]
    return f"Numbers of the data are {', '.join(lines)}, channel by channel."


def scene_in_words(scene: Scene) -> tuple[str, str]:
    """Coordinates and values of a network that is density and colour in the box of a scene."""
    low = ", ".join(f"{v:.9g}" for v in scene.low)
    coordinates = f"(p - ({low})) / {scene.side:.9g} of a place p in the units of the poses: the scene's box is [0, 1]^3."
    if scene.view_directions:
        coordinates += " Then (d + 1) / 2 of the unit vector d in which the ray goes."
    if scene.cones:
        coordinates += " It was trained on features averaged over pieces of cones; this is the limit of thin ones."
    density = f"{DENSITY:g} softplus(v - {SHIFT:g})"
    values = f"{density} of the first is the density, per side of the box; sigmoid(v) of the others the colour."
    return coordinates, values


def _line(low: float, high: float) -> str:
    return f"value * {high - low:.9g} + {low:.9g}"
