"""Jacobians of single samples: by `vmap` where every operation has a rule, else in a loop."""

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from ntkit.kernels.empirical.batch import Batch
from ntkit.kernels.empirical.target import Target

__all__ = ["can_vmap", "jacobians"]

_ROUNDING = {torch.float64: 1e-7, torch.float32: 1e-2}
"""Between two ways to one derivative, in shares of the largest: a wrong rule may be off by little more
than rounding, where the two samples look alike to it."""


def jacobians(
    target: Target, batch: Batch, outputs: Sequence[int], wanted: Sequence[int], *, use_vmap: bool
) -> list[Tensor]:
    """`d f_o(x_i) / d p` for each wanted parameter: `[n, outputs, p]`, the parameter flattened.

    Args:
        target: The network.
        batch: Its points.
        outputs: Which outputs.
        wanted: Positions of the parameters in `target.names`; the others are held fixed.
        use_vmap: Whether all samples go at once; `can_vmap` says whether they can.
    """
    parameters = target.parameters
    if use_vmap:
        found = _by_vmap(target, batch, outputs, wanted, parameters)
    else:
        found = _by_loop(target, batch, outputs, wanted, parameters)
    return [j.reshape(len(batch), len(outputs), -1) for j in found]


def can_vmap(target: Target, batch: Batch, n_outputs: int, wanted: Sequence[int]) -> str | None:
    """None if Jacobians by the wanted parameters are right under `vmap`, else what is in the way.

    Compared with the loop on two samples and two outputs: the same number of both, where a rule that
    takes one for the other (`nn.PReLU` in torch 2.13) gives wrong numbers instead of an error. The
    samples differ, or it would not show; so of two batches pass the one with more samples.
    """
    other = _another(batch)
    few = batch[torch.tensor([0, other], device=target.device)]
    if not other:
        for t in few.tensors:
            if t.is_floating_point():
                t[1].mul_(1.5)
    outputs = [0, n_outputs - 1]
    expected = jacobians(target, few, outputs, wanted, use_vmap=False)
    try:
        found = jacobians(target, few, outputs, wanted, use_vmap=True)
    except (RuntimeError, NotImplementedError, ValueError, TypeError) as error:
        return str(error).strip().splitlines()[0]
    for place, j, k in zip(wanted, found, expected, strict=True):
        bound = _ROUNDING.get(k.dtype, 0.05) * float(k.abs().max())
        if not float((j - k).abs().max()) <= bound:
            return f"it gives wrong gradients by `{target.names[place]}`"
    return None


def _another(batch: Batch) -> int:
    """A sample that differs from the first one; 0 where there is none."""
    differs = torch.zeros(len(batch), dtype=torch.bool, device=batch.tensors[0].device)
    for t in batch.tensors:
        differs |= (t != t[:1]).flatten(1).any(1) if t.ndim > 1 else t != t[:1]
    return int(differs.int().argmax())


def _placed(parameters: Sequence[Tensor], wanted: Sequence[int], own: Sequence[Tensor]) -> list:
    placed = list(parameters)
    for k, p in zip(wanted, own, strict=True):
        placed[k] = p
    return placed


def _by_vmap(
    target: Target,
    batch: Batch,
    outputs: Sequence[int],
    wanted: Sequence[int],
    parameters: Sequence[Tensor],
) -> Sequence[Tensor]:
    def of_one(own: tuple[Tensor, ...], *sample: Tensor) -> Tensor:
        single = batch.of(*(t[None] for t in sample))
        y = target.outputs(_placed(parameters, wanted, own), single)[0]
        return y if len(outputs) == len(y) else torch.stack([y[o] for o in outputs])

    own = tuple(parameters[k] for k in wanted)
    in_dims = (None, *(0 for _ in batch.tensors))
    with warnings.catch_warnings():  # operations that vmap runs in a loop of its own
        warnings.filterwarnings("ignore", message="There is a performance drop")
        return torch.func.vmap(torch.func.jacrev(of_one), in_dims)(own, *batch.tensors)


def _by_loop(
    target: Target,
    batch: Batch,
    outputs: Sequence[int],
    wanted: Sequence[int],
    parameters: Sequence[Tensor],
) -> Sequence[Tensor]:
    own = [parameters[k].requires_grad_() for k in wanted]
    shape = len(batch), len(outputs)
    found = [p.new_zeros(*shape, p.numel(), requires_grad=False) for p in own]
    for i in range(len(batch)):
        y = target.outputs(_placed(parameters, wanted, own), batch[i : i + 1])[0]
        for k, o in enumerate(outputs):
            last = k == len(outputs) - 1
            rows = torch.autograd.grad(y[o], own, retain_graph=not last, allow_unused=True)
            for block, row in zip(found, rows, strict=True):
                if row is not None:
                    block[i, k] = row.flatten()
    return found
