"""Figures of plain arrays: each function takes numbers and labels, and gives back a matplotlib figure.

matplotlib is an extra: a function is imported when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ntkit.figures.bandwidth import BandwidthPanel, bandwidth_figure
    from ntkit.figures.comparison import comparison_figure
    from ntkit.figures.files import save
    from ntkit.figures.film import film_figure
    from ntkit.figures.grid import grid_figure
    from ntkit.figures.lazy import lazy_figure
    from ntkit.figures.learning import LearningPanel, learning_figure
    from ntkit.figures.lines import lines_figure
    from ntkit.figures.maps import MapPanel, maps_figure
    from ntkit.figures.pictures import pictures_figure
    from ntkit.figures.points import agreement_figure, points_figure
    from ntkit.figures.ranking import ranking_figure
    from ntkit.figures.rates import rates_figure
    from ntkit.figures.shapes import shapes_figure
    from ntkit.figures.sound import sound_figure
    from ntkit.figures.spectra import density_figure, spectrum_figure
    from ntkit.figures.strengths import strengths_figure
    from ntkit.figures.volume import slices_figure
    from ntkit.figures.whiteness import whiteness_figure

__all__ = [
    "BandwidthPanel",
    "LearningPanel",
    "MapPanel",
    "agreement_figure",
    "bandwidth_figure",
    "comparison_figure",
    "density_figure",
    "film_figure",
    "grid_figure",
    "lazy_figure",
    "learning_figure",
    "lines_figure",
    "maps_figure",
    "pictures_figure",
    "points_figure",
    "ranking_figure",
    "rates_figure",
    "save",
    "shapes_figure",
    "slices_figure",
    "sound_figure",
    "spectrum_figure",
    "strengths_figure",
    "whiteness_figure",
]

_HOMES = {
    "BandwidthPanel": "bandwidth",
    "LearningPanel": "learning",
    "MapPanel": "maps",
    "agreement_figure": "points",
    "bandwidth_figure": "bandwidth",
    "comparison_figure": "comparison",
    "density_figure": "spectra",
    "film_figure": "film",
    "grid_figure": "grid",
    "lazy_figure": "lazy",
    "learning_figure": "learning",
    "lines_figure": "lines",
    "maps_figure": "maps",
    "pictures_figure": "pictures",
    "points_figure": "points",
    "ranking_figure": "ranking",
    "rates_figure": "rates",
    "save": "files",
    "shapes_figure": "shapes",
    "slices_figure": "volume",
    "sound_figure": "sound",
    "spectrum_figure": "spectra",
    "strengths_figure": "strengths",
    "whiteness_figure": "whiteness",
}


def __getattr__(name: str) -> Any:
    """The function, from its file.

    Raises:
        AttributeError: There is no such name.
        ModuleNotFoundError: matplotlib is missing.
    """
    if name not in _HOMES:
        raise AttributeError(f"module 'ntkit.figures' has no attribute {name!r}")
    try:
        return getattr(import_module(f"ntkit.figures.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "matplotlib":
            raise
        raise ModuleNotFoundError(
            f"`{name}` draws with matplotlib, which is missing. `pip install 'ntkit[app]'` brings it.",
            name="matplotlib",
        ) from error
