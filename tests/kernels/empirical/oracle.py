"""The Jacobian product in a few plain lines: one output of one sample at a time."""

from typing import Any

import torch
from torch import Tensor, nn


def jacobian(net: nn.Module, x: Any, params: list[Tensor] | None = None) -> Tensor:
    """`[n, o, p]`, by one backward pass for each output of each sample alone."""
    params = [p for p in net.parameters() if p.requires_grad] if params is None else params
    tensors = x.values() if isinstance(x, dict) else x if isinstance(x, tuple) else (x,)
    rows = []
    for sample in zip(*(t.split(1) for t in tensors), strict=True):
        y = net(**dict(zip(x, sample, strict=True))) if isinstance(x, dict) else net(*sample)
        for entry in y.flatten():
            found = torch.autograd.grad(entry, params, retain_graph=True, allow_unused=True)
            parts = zip(found, params, strict=True)
            rows.append(torch.cat([_dense(g, p) for g, p in parts]))
    n = len(next(iter(tensors)))
    return torch.stack(rows).detach().reshape(n, len(rows) // n, -1)


def _dense(g: Tensor | None, p: Tensor) -> Tensor:
    return (p * 0 if g is None else g.to_dense() if g.is_sparse else g).flatten()


def full(net: nn.Module, x: Any, params: list[Tensor] | None = None) -> Tensor:
    """`[n, n, o, o]`."""
    j = jacobian(net, x, params)
    return torch.einsum("nop,mqp->nmoq", j, j)


def trace(net: nn.Module, x: Any, params: list[Tensor] | None = None) -> Tensor:
    """`[n, n]`: the mean over outputs."""
    return full(net, x, params).diagonal(dim1=2, dim2=3).mean(-1)
