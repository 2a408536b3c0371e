"""Whether numbers look like independent zero-mean draws, as the rules of infinite width take them.

Each test compares a statistic with what independent entries of the same size and tails would show. The
bounds were set by simulation (Gaussian, uniform, truncated, Laplace and orthogonal draws, shapes from
8 x 8): none of 10^5 matrices came near them. A mean must stand out by six standard errors (2e-9 of
Gaussian draws), all else by eight, and by a size that moves kernels by per cents.
"""

from dataclasses import dataclass
from math import log1p, sqrt

from torch import Tensor

__all__ = [
    "Doubt",
    "are_uniform",
    "are_unit_gaussian",
    "of_matrix",
    "of_scales",
    "of_vector",
]

_MEAN = 6.0
"""Standard errors of a mean that is none of chance."""

_SPREAD = 8.0
"""The same for sizes of rows, which have longer tails."""

_UNLIKE = 0.25
"""Relative variance of the squares of rows (columns, taps, scales) beyond chance, from which it is said."""

_FEW = 8
"""Rows, columns or entries below which nothing is told from chance."""

_MOST = 512
"""Rows and columns that are looked at for low rank: 512 x 512 take some milliseconds."""


@dataclass(frozen=True)
class Doubt:
    """Why numbers are no zero-mean draws.

    Attributes:
        what: In words, after "its entries" or the like.
        mean: The mean, where that is what stands out; else 0.
        is_certain: Whether no draw and no training makes such numbers, only somebody's hand.
    """

    what: str
    mean: float = 0.0
    is_certain: bool = False


def of_vector(values: Tensor) -> Doubt | None:
    """What is wrong with numbers that count as draws of mean zero, each for a channel."""
    flat = values.detach().double().flatten()
    if len(flat) < 4 or not bool(flat.any()):  # zeros are draws of no variance
        return None
    mean, spread = float(flat.mean()), float(flat.std())
    if bool((flat == flat[0]).all()):
        return Doubt(f"all entries are {float(flat[0]):.3g}", mean, is_certain=True)
    if spread and _standard_errors(mean, spread, len(flat)) > _MEAN:
        return Doubt(f"the mean of the entries is {mean:.2g}, their spread {spread:.2g}", mean)
    return None


def of_scales(values: Tensor) -> Doubt | None:
    """What is wrong with factors that count as one size for all channels."""
    square = values.detach().double().flatten() ** 2
    if len(square) < 2 or not bool(square.any()):
        return None
    unlike = float((square / square.mean()).var())
    if unlike < _UNLIKE:
        return None
    low, high = float(square.min().sqrt()), float(square.max().sqrt())
    return Doubt(f"the factors differ from channel to channel, from {low:.2g} to {high:.2g}")


def of_matrix(weight: Tensor) -> Doubt | None:
    """What is wrong with weights `[out, in, *taps]` that count as independent draws of mean zero."""
    whole = weight.detach()
    step = [max(1, size // (4 * _MOST)) for size in whole.shape[:2]]
    whole = whole[:: step[0], :: step[1]].double()
    flat = whole.flatten(1)
    square = float((flat**2).mean())
    if square == 0:
        return None
    rows, columns = flat.shape
    if rows >= 4 and columns > 1 and bool((flat == flat[:1]).all()):
        return Doubt("all units have the same weights", is_certain=True)
    flat = flat / square**0.5
    tails = float((flat**4).mean())
    return (
        _dominated(flat)
        or _taps(whole.reshape(rows * whole.shape[1], -1) / square**0.5, tails)
        or _mean(flat, square**0.5)
        or _unlike(flat, tails)
        or _low_rank(flat, tails)
    )


def _mean(flat: Tensor, size: float) -> Doubt | None:
    """A mean of all entries, of each row, or rows without one; of entries with mean square 1."""
    rows, columns = flat.shape
    mean, spread = float(flat.mean()), float(flat.std()) if flat.numel() > 1 else 0.0
    if flat.numel() < 2 * _FEW:
        return None
    # A unit sums `columns` inputs: their common mean comes with `columns mean^2` beside the spread.
    if spread == 0 or (
        columns * mean**2 > 0.05 and _standard_errors(mean, spread, flat.numel()) > _MEAN
    ):
        what = f"the mean of the entries is {mean * size:.2g}, their spread {spread * size:.2g}"
        return Doubt(what, mean * size)
    sums = float((flat.sum(1) ** 2).mean()) / columns
    if columns >= _FEW and sums > 1.5 and _chi_square(sums, rows) > _MEAN:
        return Doubt("the weights of a unit have a mean of their own, other than zero")
    if columns >= _FEW and rows >= 2 * _FEW and sums < 0.05:
        return Doubt("the weights of each unit add up to zero")
    return None


def _dominated(flat: Tensor) -> Doubt | None:
    """Units that hear one or two inputs: identities, diagonals, permutations."""
    rows, columns = flat.shape
    if columns < _FEW or rows < _FEW:
        return None
    square = (flat**2).sum(1)
    heard = square > 0
    most = float(((flat**4).sum(1)[heard] / square[heard] ** 2).mean())  # one over the inputs heard
    if most > 0.5 + 2 / columns:
        return Doubt(
            f"a unit hears {1 / most:.2g} inputs, as with a diagonal matrix or an identity",
            is_certain=bool((flat == 0).double().mean() > 0.5),
        )
    diagonal = float(flat.diagonal().mean())
    count = min(rows, columns)
    if diagonal**2 > 0.05 * columns and abs(diagonal) * sqrt(count) > _SPREAD:
        return Doubt("the diagonal stands out of the other entries")
    return None


def _unlike(flat: Tensor, tails: float) -> Doubt | None:
    """Rows, or columns, of different size: the relative variance of their squares beyond chance."""
    for axis, name in ((1, "units"), (0, "inputs")):
        entries, count = flat.shape[axis], flat.shape[1 - axis]
        if entries < _FEW or count < _FEW:
            continue
        by_chance = (tails - 1) / entries
        beyond = float((flat**2).mean(axis).var()) - by_chance
        # The variance of squares of chi-square laws, by their fourth moment.
        error = by_chance * sqrt((2 + 12 / entries) / count)
        if beyond > _UNLIKE and beyond > (_SPREAD + 40 / count) * error:
            return Doubt(
                f"the weights of different {name} differ in size (by {100 * beyond**0.5:.0f} % in "
                "mean square)"
            )
    return None


def _taps(flat: Tensor, tails: float) -> Doubt | None:
    """Taps of a window, `[out in, taps]`, of different size, or alike: blurs, derivatives, ramps."""
    count, taps = flat.shape
    if taps < 2 or count < _FEW:
        return None
    table = flat.T @ flat / count
    sizes = table.diagonal()
    if float(sizes.var()) > _UNLIKE + (_SPREAD**2) * (tails - 1) / count:
        return Doubt("the taps of the window differ in size")
    lengths = sizes.clamp_min(1e-300).sqrt()
    alike = (table / lengths[:, None] / lengths).fill_diagonal_(0.0).abs().max()
    if float(alike) > max(0.2, _SPREAD / sqrt(count)):
        return Doubt(f"neighbouring taps are alike (correlation {float(alike):.2g})")
    return None


def _low_rank(flat: Tensor, tails: float) -> Doubt | None:
    """`tr((W W^T)^2) / tr(W W^T)^2`, one over the number of directions: `1/out + 1/in` for draws."""
    flat = flat[:: max(1, len(flat) // _MOST), :: max(1, flat.shape[1] // _MOST)]
    rows, columns = flat.shape
    if min(rows, columns) < 2:
        return None
    if rows > columns:
        flat = flat.T
    total = float((flat**2).sum())
    if total == 0:
        return None
    found = float(((flat @ flat.T) ** 2).sum()) / total**2
    expected = (rows + columns + tails - 2) / (rows * columns)
    if found > 1.5 * expected + 2.4 / sqrt(rows * columns):
        return Doubt(f"the weights lie in about {1 / found:.2g} directions, not in all of them")
    return None


def _standard_errors(mean: float, spread: float, count: int) -> float:
    """Student's t as a normal deviate, by Wallace's formula (1959): few numbers have long tails."""
    freedom = count - 1
    student = mean / spread * sqrt(count)
    return sqrt(freedom * log1p(student**2 / freedom)) * (8 * freedom + 1) / (8 * freedom + 3)


def _chi_square(ratio: float, freedom: int) -> float:
    """Chi-square over its degrees of freedom as a normal deviate (Wilson and Hilferty 1931)."""
    small = 2 / (9 * freedom)
    return (ratio ** (1 / 3) - 1 + small) / sqrt(small)


def are_unit_gaussian(values: Tensor) -> bool:
    """Whether the mean square may be one, and the numbers are not all the same."""
    flat = values.detach().double().flatten()
    if len(flat) < _FEW:
        return True
    if bool((flat == flat[0]).all()):
        return False
    off = abs(float((flat**2).mean()) - 1)
    return off < 0.5 or off < _SPREAD * sqrt(2 / len(flat))


def are_uniform(values: Tensor) -> bool | None:
    """Whether entries have the tails of a uniform law, rather than a Gaussian's; None if untold."""
    flat = values.detach().double().flatten()
    if len(flat) < 4 * _FEW or not bool(flat.any()):
        return None
    square = float((flat**2).mean())
    excess = float((flat**4).mean()) / square**2 - 3  # -1.2 for uniform draws
    if excess < -3 * sqrt(24 / len(flat)):
        return True
    # Fewer are told by their largest as well: 3^0.5 of their root mean square. Of 2 10^5 draws of 96
    # Gaussian numbers 9 look so, of 128 none; of uniform ones 94 and 96 %.
    if len(flat) >= 96 and excess < -1 and float(flat.abs().max()) < 1.9 * square**0.5:
        return True
    return False if len(flat) > 200 else None
