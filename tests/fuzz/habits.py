"""More pieces, `[n, 3, 4]` to `[n, 3, 4]`: what people do in a forward, to order, to gradients, in place."""

from collections.abc import Callable
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.fuzz.pieces import Applied, C, T

__all__ = ["HABITS"]


def dense(r: Random) -> nn.Module:
    return nn.Linear(C, C, bias=r.random() < 0.6)


def mlp(r: Random) -> nn.Module:
    return nn.Sequential(
        nn.Linear(C, 5), r.choice((nn.Tanh(), nn.GELU(), nn.SiLU())), nn.Linear(5, C)
    )


def twice(r: Random) -> nn.Module:
    """One layer at several places."""
    layer = nn.Linear(C, C)
    way = r.choice(("sequential", "list", "alias", "both sides", "of unlike sizes"))
    if way == "sequential":
        return nn.Sequential(layer, nn.Tanh(), layer)
    if way == "list":
        blocks = nn.ModuleList([nn.Sequential(layer, nn.Tanh())] * 3)

        def through(s: Any, x: Tensor) -> Tensor:
            for block in s.blocks:
                x = block(x)
            return x

        return Applied("ModuleList([b] * 3)", through, blocks=blocks)
    if way == "alias":
        return Applied("an alias", lambda s, x: s.a(torch.sin(s.b(x))), a=layer, b=layer)
    if way == "both sides":
        return Applied("siamese", lambda s, x: s.a(x) * torch.sigmoid(s.a(x.flip(1))), a=layer)
    return Applied("rows and tokens", lambda s, x: s.a(x) + s.a(x.mean(1))[:, None], a=layer)


def tied(r: Random) -> nn.Module:
    """One parameter of two layers."""
    a, b = nn.Linear(C, C), nn.Linear(C, C, bias=False)
    if r.random() < 0.5:
        b.weight = a.weight
        return nn.Sequential(a, nn.Tanh(), b)
    return Applied(
        "tied, transposed", lambda s, x: functional.linear(torch.tanh(s.a(x)), s.a.weight.t()), a=a
    )


def reordered(r: Random) -> nn.Module:
    """Tokens or channels put in an order that the data decide, within each sample."""
    ways: dict[str, Callable[[Any, Tensor], Tensor]] = {
        "sort": lambda s, x: s.a(x.sort(dim=1).values),
        "argsort, gather": lambda s, x: s.a(x.gather(1, x[..., :1].argsort(1).expand(-1, -1, C))),
        "topk": lambda s, x: x + s.a(x.topk(2, dim=1).values).mean(1, keepdim=True),
        "max over tokens": lambda s, x: x - s.a(x).amax(1, keepdim=True),
        "median": lambda s, x: x + s.a(x).median(1, keepdim=True).values,
        "take_along_dim": lambda s, x: s.a(x.take_along_dim(x.argsort(dim=2), 2)),
        "where": lambda s, x: torch.where(x > 0, s.a(x), 0.3 * x),
        "cumsum": lambda s, x: s.a(x).cumsum(1),
    }
    way = r.choice(list(ways))
    return Applied(way, ways[way], a=nn.Linear(C, C))


def routed(r: Random) -> nn.Module:
    """Rows of all samples picked out by what they hold: the batch is put in another order."""
    way = r.choice((
        "experts",
        "experts by index",
        "unpadded",
        "sorted samples",
        "masked assignment",
    ))

    def experts(s: Any, x: Tensor) -> Tensor:
        flat = x.reshape(-1, C)
        chosen, y = s.gate(flat).argmax(-1), torch.zeros_like(flat)
        for k, expert in enumerate((s.a, s.b)):
            y[chosen == k] = expert(flat[chosen == k])
        return y.reshape(x.shape)

    def by_index(s: Any, x: Tensor) -> Tensor:
        flat = x.reshape(-1, C)
        p, y = s.gate(flat).softmax(-1), torch.zeros_like(flat)
        for k, expert in enumerate((s.a, s.b)):
            rows = (p.argmax(-1) == k).nonzero()[:, 0]
            y = y.index_add(0, rows, expert(flat[rows]) * p[rows, k, None])
        return y.reshape(x.shape)

    def unpadded(s: Any, x: Tensor) -> Tensor:
        real = x[..., 0] > -0.5
        y = torch.zeros_like(x)
        y[real] = s.a(x[real])
        return y

    def sorted_samples(s: Any, x: Tensor) -> Tensor:
        order = x[:, 0, 0].argsort()
        return s.a(x[order])[order.argsort()]

    def assigned(s: Any, x: Tensor) -> Tensor:
        h = s.b(x)
        many = x.sum((1, 2)) > 0
        h[many] = s.a(x[many])
        return h

    does = {
        "experts": experts, "experts by index": by_index, "unpadded": unpadded,
        "sorted samples": sorted_samples, "masked assignment": assigned,
    }[way]  # fmt: skip
    a, b, gate = nn.Linear(C, C), nn.Linear(C, C), nn.Linear(C, 2)
    return Applied(way, does, a=a, b=b, gate=gate)


def in_place(r: Random) -> nn.Module:
    def added(s: Any, x: Tensor) -> Tensor:
        h = s.a(x)
        h += s.b(torch.tanh(h.clone()))
        return h.mul_(0.7)

    def slices(s: Any, x: Tensor) -> Tensor:
        h = x.clone()
        h[:, 1:] = s.a(x[:, 1:])
        h[..., 0] *= 2
        return h

    def rectified(s: Any, x: Tensor) -> Tensor:
        return functional.relu(s.a(x), inplace=True) + s.b(x)

    def filled(s: Any, x: Tensor) -> Tensor:
        h = s.a(x)
        h.masked_fill_(x < -1, 0.1)
        return h.index_copy(2, torch.tensor([1]), s.b(x)[..., :1])

    def buffer(s: Any, x: Tensor) -> Tensor:
        out = x.new_empty(x.shape)
        for t in range(T):
            out[:, t] = s.a(x[:, t]) * (t + 1)
        return out

    does = r.choice((added, slices, rectified, filled, buffer))
    return Applied(f"in place: {does.__name__}", does, a=nn.Linear(C, C), b=nn.Linear(C, C))


def stopped(r: Random) -> nn.Module:
    """Parts that pass no gradients on."""

    def no_grad(s: Any, x: Tensor) -> Tensor:
        with torch.no_grad():
            g = torch.sigmoid(s.b(x))
        return s.a(x) * g

    def decorated(s: Any, x: Tensor) -> Tensor:
        return s.a(torch.no_grad()(s.b)(x)) + x

    def straight_through(s: Any, x: Tensor) -> Tensor:
        h = s.a(x)
        return h + (h.round() - h).detach()

    def detached(s: Any, x: Tensor) -> Tensor:
        return s.a(x).detach() * s.b(x)

    def both(s: Any, x: Tensor) -> Tensor:
        with torch.no_grad():
            h = s.a(x)
            with torch.enable_grad():
                k = s.b(x)
        return s.a(x) + k * h

    does = r.choice((no_grad, decorated, straight_through, detached, both))
    return Applied(f"stopped: {does.__name__}", does, a=nn.Linear(C, C), b=nn.Linear(C, C))


def differentiated(r: Random) -> nn.Module:
    """A derivative inside the forward, as in a PINN or an energy model."""

    def forward(s: Any, x: Tensor) -> Tensor:
        with torch.enable_grad():
            points = x if x.requires_grad else x.detach().requires_grad_()
            energy = torch.tanh(s.a(points)).sum()
            (slope,) = torch.autograd.grad(energy, points, create_graph=True)
        return x.detach() - 0.3 * slope

    return Applied("derivative inside", forward, a=nn.Linear(C, C))


def reshaped(r: Random) -> nn.Module:
    ways: dict[str, Callable[[Any, Tensor], Tensor]] = {
        "flatten": lambda s, x: s.wide(x.flatten(1)).view(x.shape),
        "samples and tokens": lambda s, x: s.a(x.reshape(-1, C)).reshape(x.shape[0], T, C),
        "tokens first": lambda s, x: s.a(x.transpose(0, 1)).transpose(0, 1),
        "chunks": lambda s, x: torch.cat(
            [h * (k + 1) for k, h in enumerate(s.a(x).chunk(2, -1))], -1
        ),
        "unfold": lambda s, x: s.wide(x.unfold(1, 3, 1).flatten(1)).reshape(-1, T, C),
        "pad, roll": lambda s, x: s.a(functional.pad(x, (0, 0, 1, 0))[:, :T]).roll(1, 1),
        "repeat": lambda s, x: s.a(x.repeat(1, 2, 1))[:, 1 : T + 1],
        "expand": lambda s, x: s.a(x.mean(1, keepdim=True).expand(-1, T, -1)) * x,
        "per token": lambda s, x: torch.stack([s.a(t) for t in x.unbind(1)], 1),
        "per sample": lambda s, x: torch.cat([s.a(row) for row in x.split(1)]),
        "complex": lambda s, x: torch.fft.ifft(torch.fft.fft(s.a(x), dim=1) * 1j, dim=1).imag,
        "normalised": lambda s, x: functional.normalize(s.a(x), dim=-1),
        "ratio": lambda s, x: s.a(x) / (1 + s.a(x) ** 2).sum(-1, keepdim=True),
        "logsumexp": lambda s, x: x - s.a(x).logsumexp(1, keepdim=True),
        "distances": lambda s, x: s.wide(
            torch.cdist(x, x[:, :1] + 1).expand(-1, -1, C).flatten(1)
        ).view(x.shape),
    }
    way = r.choice(list(ways))
    return Applied(way, ways[way], a=nn.Linear(C, C), wide=nn.Linear(T * C, T * C))


HABITS: dict[str, tuple[float, Callable[[Random], nn.Module]]] = {
    "dense": (2, dense),
    "mlp": (2, mlp),
    "twice": (2.5, twice),
    "tied": (1, tied),
    "reordered": (1.5, reordered),
    "routed": (2, routed),
    "in place": (2, in_place),
    "stopped": (2, stopped),
    "differentiated": (0.5, differentiated),
    "reshaped": (3, reshaped),
}
"""By name: how often, and how."""
