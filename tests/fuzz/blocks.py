"""What a network is made of between its stem and its read-out: each takes fresh units to fresh units."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tests.fuzz.drawing import Drawing
from tests.fuzz.joins import Cat, Does, Gate, Residual, Scaled, Total

__all__ = ["BLOCKS"]

Build = Callable[[Drawing], list[nn.Module]]


def plain(d: Drawing) -> list[nn.Module]:
    return [d.act(), d.layer()]


def normed(d: Drawing, *, keeps: bool = False) -> list[nn.Module]:
    return [d.norm(), d.act(), d.layer(keeps=keeps)]


def normed_after(d: Drawing) -> list[nn.Module]:
    return [d.act(), d.norm(), d.layer()]


def _branch(d: Drawing, n_out: int | None = None) -> nn.Sequential:
    """A nonlinearity and a layer, at the sizes that come in."""
    return d.aside(lambda: [d.act(), d.layer(n_out, keeps=True)])


def residual(d: Drawing) -> list[nn.Module]:
    before: list[nn.Module] = []
    if d.chance(0.4):
        before = normed(d, keeps=True) if d.chance(0.4) else [d.act(), d.layer(keeps=True)]
    return [Residual(*before, *_branch(d))]


def scaled_residual(d: Drawing) -> list[nn.Module]:
    return [Scaled(d.pick(0.7, 1.0, -0.5), d.pick(0.3, 0.5, 2**-0.5), *_branch(d))]


def shortcut(d: Drawing) -> list[nn.Module]:
    """The shortcut is a layer of its own."""
    way = d.aside(lambda: [d.layer(keeps=True)])
    return [Residual(*_branch(d), shortcut=way)]


def gate(d: Drawing) -> list[nn.Module]:
    """A product of two branches of the activated units."""
    act = d.act()
    a, b = (d.aside(lambda: [d.layer(keeps=True)]) for _ in range(2))
    d.words.append("gate")
    how = d.pick(torch.sigmoid, torch.tanh, torch.relu)
    return [act, Gate(a, b, how), d.layer()]


def glu(d: Drawing) -> list[nn.Module]:
    """`nn.GLU`, or the same by hand."""
    act, wide, axis = d.act(), d.layer(2 * d.width, keeps=True), d.axis
    d.words.append("GLU")
    if d.chance(0.5):
        made: nn.Module = nn.GLU(axis)
    else:
        made = Does(_gated(d.pick("chunk", "split"), d.width, axis), "a * sigmoid(b)")
    d.channels = d.width
    return [act, wide, made, d.layer()]


def _gated(how: str, width: int, axis: int) -> Callable:
    """As people write it."""

    def chunked(x: Tensor) -> Tensor:
        a, b = x.chunk(2, dim=axis)
        return a * torch.sigmoid(b)

    def split(x: Tensor) -> Tensor:
        a, b = torch.split(x, width, dim=axis)
        return a * torch.sigmoid(b)

    return chunked if how == "chunk" else split


def concatenation(d: Drawing) -> list[nn.Module]:
    """Two branches side by side, of unlike sizes, and what comes after."""
    d.words.append("cat")
    a, b = _branch(d), _branch(d, 2 * d.width if d.chance(0.4) else d.width)
    d.channels = sum(_width(branch) for branch in (a, b))
    after = [d.norm()] if d.kind == "vector" and d.chance(0.2) else []
    return [Cat(d.axis, a, b), *after, d.act(), d.layer()]


def _width(branch: Any) -> int:
    layer = branch[-1]
    return getattr(layer, "out_features", None) or layer.out_channels


def activated_concatenation(d: Drawing) -> list[nn.Module]:
    """What comes in beside a branch, each behind a nonlinearity of its own."""
    d.words.append("cat of activated")
    inner = d.aside(lambda: [d.act(), d.layer(keeps=True), d.act()])
    own = d.aside(lambda: [d.layer(keeps=True), d.act()])
    d.channels = 2 * d.width
    return [Cat(d.axis, own, inner), d.layer()]


def total(d: Drawing) -> list[nn.Module]:
    """The sum of two or three branches."""
    d.words.append("sum")
    return [Total(*(_branch(d) for _ in range(d.pick(2, 2, 3))))]


def multiples(d: Drawing) -> list[nn.Module]:
    """Numbers, signs and a tensor with itself."""
    function, words = d.pick(
        (lambda x: 2 * x / 3, "2 x / 3"),
        (lambda x: -x, "-x"),
        (lambda x: x + x, "x + x"),
        (lambda x: x.mul(0.5).add(x), "x.mul(0.5).add(x)"),
        (lambda x: 0.3 * x - x, "0.3 x - x"),
        (lambda x: x + 0.4, "x + 0.4"),
    )
    return [Does(function, words), d.act(), d.layer()]


def dropout(d: Drawing) -> list[nn.Module]:
    """Which in eval mode does nothing."""
    whole = (nn.Dropout1d, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)[len(d.sizes)]
    kinds = [nn.Dropout, nn.AlphaDropout, nn.Identity]
    kinds += [whole, nn.FeatureAlphaDropout] if d.kind == "maps" else []
    kind = d.pick(*kinds)
    return [d.act(), nn.Identity() if kind is nn.Identity else kind(0.3), d.layer()]


def linear_pair(d: Drawing) -> list[nn.Module]:
    """Two layers with nothing between them."""
    return [d.act(), d.layer(), d.layer()]


def twice_activated(d: Drawing) -> list[nn.Module]:
    """A nonlinearity of a nonlinearity."""
    d.words.append("twice")
    return [nn.Tanh(), d.pick(nn.ReLU(), nn.Softplus(), nn.Sigmoid()), d.layer()]


BLOCKS: dict[str, tuple[float, Build]] = {
    "plain": (4, plain),
    "normed": (3, normed),
    "normed after": (1, normed_after),
    "residual": (3, residual),
    "scaled residual": (1, scaled_residual),
    "shortcut": (1, shortcut),
    "gate": (1, gate),
    "GLU": (1, glu),
    "concatenation": (1, concatenation),
    "concatenation, activated": (1, activated_concatenation),
    "sum": (1, total),
    "multiples": (1, multiples),
    "dropout": (1, dropout),
    "two layers": (0.5, linear_pair),
    "twice activated": (0.3, twice_activated),
}
"""By name: how often, and how. For vectors, tokens and maps alike."""
