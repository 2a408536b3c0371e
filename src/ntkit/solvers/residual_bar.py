"""A progress bar of the digits that a solve has reached."""

from math import log10

from tqdm import tqdm

__all__ = ["ResidualBar"]


class ResidualBar:
    """Digits of the residual reached, of those asked for.

    Args:
        tolerance: Relative residual that is asked for.
        progress: Whether to show it; None shows it at a terminal, after two seconds.
        unit: What `show` counts.

    Example:
        >>> with ResidualBar(1e-6, False) as bar:
        ...     bar.show(1e-3)
    """

    def __init__(self, tolerance: float, progress: bool | None, unit: str = "products") -> None:
        self._digits, self._best = max(0.0, -log10(tolerance)), 0.0
        self._bar = tqdm(
            total=self._digits,
            desc="solve",
            unit="digit",
            delay=2.0 if progress is None else 0.0,
            disable=None if progress is None else not progress,
            bar_format="{desc}: {percentage:3.0f}%|{bar}| {n:.1f}/{total:.1f} digits "
            "[{elapsed}<{remaining}{postfix}]",
        )
        self._count, self._unit = 0, unit

    def __enter__(self) -> "ResidualBar":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, residual: float) -> None:
        """The relative residual after one more product."""
        self._count += 1
        self._best = min(self._digits, max(self._best, -log10(max(residual, 1e-300))))
        self._bar.set_postfix_str(f"{self._count} {self._unit}, residual {residual:.1e}", False)
        self._bar.update(self._best - self._bar.n)
