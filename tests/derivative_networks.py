"""Networks whose derivatives are easily got wrong, with points: one row a habit of real code."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

from tests.cases import randn, seeded

__all__ = ["NETWORKS", "network"]


class Of(nn.Module):
    """A function of two layers, a parameter, and the points."""

    def __init__(self, function: Callable[..., Tensor], width: int = 5) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, width), nn.Linear(width, 2)
        self.p = nn.Parameter(torch.ones(4))
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


def gate_without_grad(net: Of, x: Tensor) -> Tensor:
    h = net.a(x)
    with torch.no_grad():
        gate = net.a(x).sigmoid()
    return net.b(h * gate)


def detached_gate(net: Of, x: Tensor) -> Tensor:
    h = net.a(x)
    return net.b(h * h.detach().sigmoid())


def data_of_a_weight(net: Of, x: Tensor) -> Tensor:
    return net.b(torch.tanh(net.a(x)) * net.a.weight.data.norm())


def straight_through(net: Of, x: Tensor) -> Tensor:
    h = net.a(x)
    return net.b(h + (h.round() - h).detach())


def quantised_weights(net: Of, x: Tensor) -> Tensor:
    w = net.a.weight
    return net.b(torch.tanh(F.linear(x, w + ((w * 8).round() / 8 - w).detach(), net.a.bias)))


def straight_through_without_grad(net: Of, x: Tensor) -> Tensor:
    h = net.a(x)
    with torch.no_grad():
        step = h.round() - h
    return net.b(h + step)


def transmittance(net: Of, x: Tensor) -> Tensor:
    """NeRF's, with samples of full and of no opacity."""
    density = torch.relu(net.a(x)) * torch.tensor([1.0, 1e4, 1.0, 1.0, 1.0]).to(x)
    alpha = 1 - torch.exp(-density)
    left = torch.cumprod(torch.cat([torch.ones_like(alpha[:, :1]), 1 - alpha[:, :-1]], 1), 1)
    return net.b(left * alpha)


def product_through_zero(net: Of, x: Tensor) -> Tensor:
    weight = net.p * torch.tensor([1.0, 2.0, 0.0, 3.0]).to(x)
    return weight.expand(len(x), -1).cumprod(1) * net.a(x)[:, :1]


def inverse(net: Of, x: Tensor) -> Tensor:
    m = net.a(x).view(-1, 3, 3)
    m = m @ m.mT + torch.eye(3).to(x)
    return torch.cholesky_inverse(torch.linalg.cholesky(m)).diagonal(dim1=1, dim2=2)


def solved(net: Of, x: Tensor) -> Tensor:
    m = net.a(x).view(-1, 3, 3) + 3 * torch.eye(3).to(x)
    return torch.linalg.solve(m, x[:, :3])


def determinants(net: Of, x: Tensor) -> Tensor:
    m = net.a(x).view(-1, 3, 3) + 3 * torch.eye(3).to(x)
    return torch.stack([torch.linalg.det(m), torch.linalg.slogdet(m)[1]], 1)


def slope(net: Of, x: Tensor) -> Tensor:
    """A physics-informed network: the derivative of its output by its input."""
    x = x.requires_grad_()
    u = net.b(torch.tanh(net.a(x)))
    (first,) = torch.autograd.grad(u[:, 0].sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first[:, 0].sum(), x, create_graph=True)
    return torch.stack([u[:, 1] * first[:, 0], second[:, 0]], 1)


def forces(net: Of, x: Tensor) -> Tensor:
    """Energy and forces, at a copy of the points that is a leaf."""
    with torch.enable_grad():
        at = x.clone().detach().requires_grad_(True)
        energy = net.b(F.silu(net.a(at))).sum(1)
        (force,) = torch.autograd.grad(energy, at, torch.ones_like(energy), create_graph=True)
    return torch.cat([energy[:, None], -force], 1)


def functional_slope(net: Of, x: Tensor) -> Tensor:
    def energy(point: Tensor) -> Tensor:
        return torch.tanh(net.a(point)).square().sum()

    return torch.func.vmap(torch.func.grad(energy))(x)


def functional_jacobian(net: Of, x: Tensor) -> Tensor:
    found = torch.func.vmap(torch.func.jacrev(lambda point: net.b(torch.tanh(net.a(point)))))(x)
    return found.flatten(1)


def functional_forward(net: Of, x: Tensor) -> Tensor:
    one = torch.ones_like(x)
    return torch.func.jvp(lambda t: net.b(torch.tanh(net.a(t))), (x,), (one,))[1]


def spectrum(net: Of, x: Tensor) -> Tensor:
    """A Fourier layer: complex values in between."""
    z = torch.fft.rfft(net.a(x))
    gain = torch.complex(net.p[:3], net.p[1:])
    return net.b(torch.fft.irfft(z * gain, n=5))


def modulus(net: Of, x: Tensor) -> Tensor:
    z = torch.view_as_complex(net.a(x)[:, :4].reshape(-1, 2, 2).contiguous())
    return torch.view_as_real(z * z.conj().roll(1, 1)).flatten(1) + z.abs().repeat(1, 2)


def in_place(net: Of, x: Tensor) -> Tensor:
    h = net.a(x)
    h = h.clone()
    h[:, 1] = h[:, 0].clone() * h[:, 2].clone()
    h.mul_(2).tanh_()
    return net.b(h)


def filled(net: Of, x: Tensor) -> Tensor:
    out = torch.zeros(len(x), 5).to(x)
    out[:, :3] = net.a(x)[:, :3].sin()
    out[:, 3:] += net.p[:2]
    return net.b(out)


def checkpointed(net: Of, x: Tensor) -> Tensor:
    h: Any = checkpoint(lambda t: torch.tanh(net.a(t)), x, use_reentrant=False)
    return net.b(h)


def difference(net: Of, x: Tensor) -> Tensor:
    """A finite difference inside forward: the two uses of a layer nearly cancel."""
    step = torch.tensor([1e-3, 0.0, 0.0, 0.0]).to(x)
    there, back = (net.b(torch.tanh(net.a(x + s))) for s in (step, -step))
    return (there - back) / 2e-3


def positions_that_cancel(net: Of, x: Tensor) -> Tensor:
    """The same in one use: the points are stacked."""
    step = torch.tensor([1e-3, 0.0, 0.0, 0.0]).to(x)
    both = torch.stack([x + step, x - step], 1)
    h = net.b(torch.tanh(net.a(both)))
    return (h[:, 0] - h[:, 1]) / 2e-3


class WrongJvp(torch.autograd.Function):
    """The sine; its forward derivative is that of another function."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.sin()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(inputs[0])
        ctx.save_for_forward(inputs[0])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0] * ctx.saved_tensors[0].cos()

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor) -> Tensor:
        return tangents[0] * ctx.saved_tensors[0]


class NoJvp(torch.autograd.Function):
    """The same, with a backward alone, in the old form."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0] * ctx.saved_tensors[0].cos()


class Rounded(torch.autograd.Function):
    """Rounding whose gradient is passed straight through."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return (4 * x).round() / 4

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0]


class Bags(nn.Module):
    def __init__(self, mode: str, **options: Any) -> None:
        super().__init__()
        self.bag, self.b = nn.EmbeddingBag(7, 5, mode=mode, **options), nn.Linear(5, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.b(torch.tanh(self.bag(tokens)))


class Tokens(nn.Module):
    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.table, self.b = nn.Embedding(7, 5, **options), nn.Linear(5, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.b(torch.tanh(self.table(tokens)).sum(1))


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mha, self.b = nn.MultiheadAttention(4, 2, batch_first=True), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.mha(x, x, x, need_weights=False)[0].mean(1))


class Keeps(nn.Module):
    """Thaws a buffer of its own while it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 5), nn.Linear(5, 2)
        self.register_buffer("scale", torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        scale = self.scale.clone().requires_grad_()
        u = self.b(torch.tanh(self.a(x * scale)))
        (found,) = torch.autograd.grad(u.square().sum(), scale, create_graph=True)
        return u + 0 * found.sum()


def _orthogonal(kind: str) -> nn.Module:
    layer = parametrizations.orthogonal(nn.Linear(4, 4), orthogonal_map=kind)
    return nn.Sequential(layer, nn.Tanh(), nn.Linear(4, 2))


def _of(function: Callable[..., Tensor], width: int = 5) -> Callable[[], nn.Module]:
    return lambda: Of(function, width)


def _points() -> Tensor:
    return randn(4, 4, seed=3)


def _ids() -> Tensor:
    return torch.tensor([[0, 1, 2, 1], [3, 3, 5, 4], [6, 6, 6, 6], [1, 0, 2, 5]])


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor]]] = {
    "no_grad inside": (_of(gate_without_grad), _points),
    "detach": (_of(detached_gate), _points),
    "data": (_of(data_of_a_weight), _points),
    "straight through": (_of(straight_through), _points),
    "straight through, weights": (_of(quantised_weights), _points),
    "straight through, no_grad": (_of(straight_through_without_grad), _points),
    "transmittance": (_of(transmittance), _points),
    "product through zero": (_of(product_through_zero), _points),
    "cholesky inverse": (_of(inverse, 9), _points),
    "solve": (_of(solved, 9), _points),
    "determinants": (_of(determinants, 9), _points),
    "derivative by the input": (_of(slope), _points),
    "energy and forces": (_of(forces), _points),
    "torch.func.grad inside": (_of(functional_slope), _points),
    "torch.func.jacrev inside": (_of(functional_jacobian), _points),
    "torch.func.jvp inside": (_of(functional_forward), _points),
    "Fourier layer": (_of(spectrum), _points),
    "complex product": (_of(modulus), _points),
    "in place": (_of(in_place), _points),
    "filled tensor": (_of(filled), _points),
    "checkpoint": (_of(checkpointed), _points),
    "finite difference": (_of(difference), _points),
    "finite difference, stacked": (_of(positions_that_cancel), _points),
    "function with a wrong jvp": (_of(lambda n, x: n.b(WrongJvp.apply(n.a(x)))), _points),
    "function without a jvp": (_of(lambda n, x: n.b(NoJvp.apply(n.a(x)))), _points),
    "rounding function": (_of(lambda n, x: n.b(Rounded.apply(n.a(x)))), _points),
    "leaf made inside": (Keeps, _points),
    "embedding": (Tokens, _ids),
    "sparse embedding": (lambda: Tokens(sparse=True), _ids),
    "embedding, padding": (lambda: Tokens(padding_idx=1), _ids),
    "bag, mean": (lambda: Bags("mean"), _ids),
    "bag, sum": (lambda: Bags("sum"), _ids),
    "bag, max": (lambda: Bags("max"), _ids),
    "sparse bag": (lambda: Bags("sum", sparse=True), _ids),
    "attention": (Attention, lambda: randn(3, 4, 4, seed=3)),
    "orthogonal, matrix exponential": (lambda: _orthogonal("matrix_exp"), _points),
    "orthogonal, Cayley": (lambda: _orthogonal("cayley"), _points),
    "orthogonal, Householder": (lambda: _orthogonal("householder"), _points),
    "weight norm": (
        lambda: nn.Sequential(parametrizations.weight_norm(nn.Linear(4, 5)), nn.Linear(5, 2)),
        _points,
    ),
    "spectral norm": (
        lambda: nn.Sequential(parametrizations.spectral_norm(nn.Linear(4, 5)), nn.Linear(5, 2)),
        _points,
    ),
}
"""Makers of modules and of points."""


def network(name: str) -> tuple[nn.Module, Tensor]:
    """In float64 and evaluation mode, with weights from a generator of their own."""
    make, points = NETWORKS[name]
    net = make().double().eval()
    g = seeded(1)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=g, dtype=p.dtype) / 2)
    return net, points()
