"""A figure as a file."""

from pathlib import Path

from matplotlib.figure import Figure

__all__ = ["save"]


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     save(Figure(figsize=(1, 1)), Path(folder) / "empty.png")
        ...     (Path(folder) / "empty.png").exists()
        True
    """
    figure.savefig(path, dpi=150, bbox_inches="tight", facecolor="white")
