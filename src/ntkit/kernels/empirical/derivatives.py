"""Products from derivatives of the network itself: one backward, and one backward through that."""

from collections.abc import Callable, Sequence
from math import ceil, prod

import torch
from torch import Tensor

from ntkit._core.torch_internals import metadata
from ntkit.kernels.empirical.batch import Batch
from ntkit.kernels.empirical.cotangent_derivatives import Twice
from ntkit.kernels.empirical.kernel_products import AbstractProducts
from ntkit.kernels.empirical.target import Target

__all__ = ["DerivativeProducts"]


class DerivativeProducts(AbstractProducts):
    """`J2^T v` by one backward pass; `J1 u` as the derivative of `J1^T c` by its cotangent `c`.

    Holds for every module whose operations have second derivatives. Samples go in blocks whose
    graphs fit in the memory; if all of them do together, they are built once.

    Args:
        target: The network.
        x1: Row points.
        x2: Column points.
        outputs: The outputs that the kernel is of.
        memory: Bytes for graphs.
    """

    width = 1

    def __init__(
        self, target: Target, x1: Batch, x2: Batch, outputs: Sequence[int], memory: int
    ) -> None:
        self._leaves = target.leaves()
        self._kind = target.accumulation
        size = max(1, _graph_bytes(target, self._leaves, x1))
        step = min(max(len(x1), len(x2)), max(1, memory // 2 // size))
        keep = size * (len(x1) + (0 if x2 is x1 else len(x2))) <= memory
        place = torch.tensor(list(outputs), device=target.device)
        blocks: dict[int, list[_Block]] = {}
        for x in (x1, x2):
            if id(x) not in blocks:
                pieces = [x[i : i + step] for i in range(0, len(x), step)]
                blocks[id(x)] = [
                    _Block(target, self._leaves, piece, place, keep=keep) for piece in pieces
                ]
        self._rows, self._columns = blocks[id(x1)], blocks[id(x2)]
        how = "kept" if keep else f"built again for each product, {step} samples at a time"
        self.about: str = f"derivatives of the network, graphs {how}"

    def pulled(self, v: Tensor, outputs: slice) -> list[Tensor]:
        """One backward pass a vector and block."""
        total = [
            p.new_zeros(len(v), *p.shape, dtype=self._kind, requires_grad=False)
            for p in self._leaves
        ]
        start = 0
        for block in self._columns:
            few = v[:, start : start + block.n]
            start += block.n
            for k, found in enumerate(block.pulled(few, outputs)):
                for t, g in zip(total, found, strict=True):
                    if g is not None:
                        t[k] += g
        return total

    def pushed(self, u: list[Tensor], outputs: slice) -> Tensor:
        """One backward pass through the backward pass."""
        return torch.cat([block.pushed(u, outputs) for block in self._rows], 1).to(self._kind)


class _Block:
    """Some samples, and the graphs over them."""

    def __init__(
        self, target: Target, leaves: tuple[Tensor, ...], x: Batch, place: Tensor, *, keep: bool
    ) -> None:
        self.n = len(x)
        self._target, self._leaves, self._x, self._place = target, leaves, x, place
        self._keep = keep
        self._first: Tensor | None = None
        self._second: Twice | None = None

    def pulled(self, v: Tensor, outputs: slice) -> list[tuple[Tensor | None, ...]]:
        """For each vector the gradients of `sum(v y)`."""
        with torch.enable_grad():
            y = self._first if self._first is not None else self._run()
        found = []
        for one in v:
            cotangent = torch.zeros_like(y)
            cotangent[:, self._place[outputs]] = one.to(y.dtype)
            found.append(
                torch.autograd.grad(
                    y, self._leaves, cotangent, retain_graph=True, allow_unused=True
                )
            )
        self._first = y if self._keep else None
        return found

    def pushed(self, u: list[Tensor], outputs: slice) -> Tensor:
        """`[w, n, q]`."""
        twice = self._second if self._second is not None else self.twice()
        found = []
        for k in range(len(u[0])):
            tangents = [t[k].to(p.dtype) for t, p in zip(u, self._leaves, strict=True)]
            found.append(twice.forward(tangents)[:, self._place[outputs]])
        self._second = twice if self._keep else None
        return torch.stack(found)

    def twice(self) -> Twice:
        """The graphs of both derivatives."""
        with torch.enable_grad():
            y = self._first if self._first is not None else self._run()
        return Twice(y, self._leaves)

    def _run(self) -> Tensor:
        return self._target.outputs(self._leaves, self._x)


def _graph_bytes(target: Target, leaves: tuple[Tensor, ...], x: Batch) -> int:
    """What the graphs of both derivatives keep for a sample, measured on a few."""
    few = x.of(*(t[: min(4, len(x))].clone() for t in x.tensors))  # a view would count as all of x
    own = {p.untyped_storage().data_ptr() for p in target.module.parameters()}
    own |= {p.untyped_storage().data_ptr() for p in leaves}
    seen: dict[int, int] = {}

    def note(t: Tensor) -> Tensor:
        storage = t.untyped_storage()
        if storage.data_ptr() not in own:
            seen[storage.data_ptr()] = storage.nbytes()
        return t

    unpack: Callable[[Tensor], Tensor] = lambda t: t  # noqa: E731
    block = _Block(target, leaves, few, torch.zeros(1, dtype=torch.long), keep=False)
    try:
        with torch.autograd.graph.saved_tensors_hooks(note, unpack):
            kept = block.twice()
    except RuntimeError:  # `torch.func` inside the network allows no such hooks
        kept = block.twice()
        return ceil(_node_bytes(kept) / len(few))
    del kept
    return ceil(sum(seen.values()) / len(few))


def _node_bytes(twice: Twice) -> int:
    """As if each node of the graphs kept a tensor like its output."""
    total = 0
    for node in twice.nodes():
        for meta in metadata(node):
            total += prod(meta.shape) * meta.dtype.itemsize
    return total
