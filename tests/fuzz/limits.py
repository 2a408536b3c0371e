"""One number of the kernel of a drawn network: at infinite width, and the mean over finite networks."""

import time
import warnings
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from ntkit import nngp, ntk
from tests.fuzz.laws import Law, laws, pin
from tests.fuzz.wide import Network, draw

__all__ = ["Effort", "Extrapolated", "Ratio", "Said", "extrapolated", "infinite", "said_at"]

N = 3
"""Points of a comparison."""

_FEWEST = 200
"""Networks of a width from which a standard error is one."""

_FLOATS = 3_000_000
"""Of the parameters that are drawn at a time."""


@dataclass(frozen=True)
class Said:
    """What the library made of a network.

    Attributes:
        values: `v K v` of the tangent kernel and of the NNGP.
        warned: The warnings.
        inconsistent: How far the kernel's other ways to the same numbers are from it, relative.
    """

    values: dict[str, float]
    warned: tuple[str, ...]
    inconsistent: float


@dataclass(frozen=True)
class Ratio:
    """A mean over finite networks in shares of the infinite one's value.

    Attributes:
        mean: One if they agree.
        error: Its standard error.
        draws: How many networks.
    """

    mean: float
    error: float
    draws: int


def said_at(seed: int, narrow: int, wide: int) -> dict[int, Said]:
    """What the library says of the network of a seed at two widths.

    In the NTK parametrisation the kernel does not know the width, and the narrow network has it all;
    but where raw inputs stand beside hidden units, their share of the channels falls with the width.
    """
    network = pin(draw(seed, narrow), seed)
    first = infinite(network, seed)
    if network.initialisation == "ntk" and "skip" not in network.words:
        return {narrow: first, wide: first}
    return {narrow: first, wide: infinite(pin(draw(seed, wide), seed), seed)}


def _picked(found: Any, axes: int) -> Tensor:
    """Of the first result, at its last position where it has any."""
    first = found[0] if isinstance(found, tuple) else found
    return first if first.ndim == axes else first[..., -1]


def weights(seed: int) -> Tensor:
    """The random projection: one number a point."""
    v = torch.randn(N, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return v / v.norm()


def infinite(network: Network, seed: int) -> Said:
    """What `ntk` and `nngp` say of the network at its points, by every way that they have."""
    x = network.points(N, seed)
    points: Any = x if len(x) > 1 else x[0]
    v, values, off = weights(seed), {}, 0.0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for name, make in (("ntk", ntk), ("nngp", nngp)):
            kernel = make(network.module, variances=network.variances)
            k = _picked(kernel(points), 2)
            one = tuple(t[:1] for t in x) if len(x) > 1 else x[0][:1]
            scale = k.abs().max() + 1e-300
            row, diagonal = _picked(kernel(one, points), 2), _picked(kernel.diag(points), 1)
            off = max(off, float((row - k[:1]).abs().max() / scale))
            off = max(off, float((diagonal - k.diagonal()).abs().max() / scale))
            values[name] = float(v @ k @ v)
    said = {str(w.message) for w in caught if issubclass(w.category, UserWarning)}
    return Said(values, tuple(sorted(said)), off)


@dataclass(frozen=True)
class Effort:
    """When to stop drawing.

    Attributes:
        error: Standard error that is small enough.
        seconds: Of the processor, for the wider networks.
        draws: Networks of each width.
    """

    error: float = 0.0
    seconds: float = float("inf")
    draws: int = 10**9

    def is_spent(self, ratios: dict[str, Ratio], seconds: float) -> bool:
        n = min(r.draws for r in ratios.values())
        enough = max(r.error for r in ratios.values()) < self.error and n >= _FEWEST
        return enough or seconds > self.seconds or n >= self.draws


def ratio(network: Network, said: Said, seed: int, effort: Effort, stream: int) -> dict[str, Ratio]:
    """Means over finite networks, drawn until the effort is spent.

    The tangent kernel's number is a squared gradient, `|grad sum_i v_i f(x_i)|^2`. That of the NNGP
    is the read-out's part of it, times the variances of the read-out's entries: so it is averaged
    over the read-out's draws in closed form.
    """
    of = laws(network)
    found: dict[str, list[Tensor]] = {name: [] for name in said.values}
    g = torch.Generator().manual_seed(1000 * seed + stream)
    start, params = time.process_time(), dict(network.module.named_parameters())
    chunk = max(2, min(512, _FLOATS // sum(p.numel() for p in params.values())))
    module, sample = network.module.float(), None
    x = tuple(t.float() for t in network.points(N, seed))
    v = weights(seed).float()
    while True:
        values, sample = _sampled(module, of, x, v, chunk, g, sample)
        for name, drawn in values.items():
            found[name].append(drawn.double() / said.values[name])
        ratios = {name: _summed(torch.cat(parts)) for name, parts in found.items()}
        if effort.is_spent(ratios, time.process_time() - start):
            module.double()
            return ratios


def _summed(values: Tensor) -> Ratio:
    return Ratio(float(values.mean()), float(values.std() / sqrt(len(values))), len(values))


def _sampled(
    module: nn.Module,
    of: dict[str, Law],
    x: tuple[Tensor, ...],
    v: Tensor,
    n: int,
    g: torch.Generator,
    one_by_one: bool | None,
) -> tuple[dict[str, Tensor], bool]:
    """`v K v` of `n` networks, and whether they had to go one by one."""
    params = dict(module.named_parameters())
    trained = [k for k, p in params.items() if p.requires_grad]
    drawn = {k: of[k].draws(n, p.detach(), g) for k, p in params.items()}
    held = {k: t for k, t in drawn.items() if k not in trained}

    def projected(mine: dict[str, Tensor], frozen: dict[str, Tensor]) -> Tensor:
        y = functional_call(module, {**mine, **frozen}, x)
        return v @ _picked((y if isinstance(y, Tensor) else y[0]).movedim(-1, 1)[:, 0], 1)

    def parts(mine: dict[str, Tensor], frozen: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        blocks = grad(projected)(mine, frozen)
        squares = {k: t.square().sum() for k, t in blocks.items()}
        heads = [of[k].deviation ** 2 * s for k, s in squares.items() if k.startswith("head")]
        return sum(squares.values(), v.new_zeros(())), sum(heads, v.new_zeros(()))

    mine = {k: drawn[k] for k in trained}
    if not one_by_one:
        try:
            tangent, second = vmap(parts)(mine, held)
            return {"ntk": tangent, "nngp": second}, False
        except (RuntimeError, ValueError, NotImplementedError):  # what vmap cannot follow
            if one_by_one is False:
                raise
    rows = [
        parts({k: t[i] for k, t in mine.items()}, {k: t[i] for k, t in held.items()})
        for i in range(n)
    ]
    return {
        "ntk": torch.stack([r[0] for r in rows]),
        "nngp": torch.stack([r[1] for r in rows]),
    }, True


@dataclass(frozen=True)
class Extrapolated:
    """Of two widths, to infinite width.

    Attributes:
        off: The ratio's distance from one.
        error: Its standard error.
    """

    off: float
    error: float

    @property
    def deviations(self) -> float:
        """In standard errors."""
        return abs(self.off) / self.error if self.error else float(self.off != 0) * 1e9


def extrapolated(seed: int, said: dict[int, Said], effort: Effort) -> dict[str, Extrapolated]:
    """What is left of the distance from the limit, linear in `1 / width`, at infinite width."""
    narrow, wide = said
    efforts = (replace(effort, seconds=effort.seconds / 4), effort)  # the wide one's error counts
    found = [
        ratio(pin(draw(seed, w), seed), said[w], seed, e, w)
        for w, e in zip(said, efforts, strict=True)
    ]
    a, b = wide / (wide - narrow), narrow / (wide - narrow)
    return {
        name: Extrapolated(
            a * found[1][name].mean - b * found[0][name].mean - 1,
            sqrt((a * found[1][name].error) ** 2 + (b * found[0][name].error) ** 2),
        )
        for name in found[0]
    }
