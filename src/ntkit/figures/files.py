"""A figure as a file."""

from pathlib import Path

from matplotlib.figure import Figure

__all__ = ["save"]


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG."""
    figure.savefig(path, dpi=150, bbox_inches="tight", facecolor="white")
