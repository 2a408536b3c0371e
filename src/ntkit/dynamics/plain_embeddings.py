"""Embeddings in plain operations, with the derivatives of all orders that training sees."""

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["plain_bag", "plain_embedding"]


def plain_embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
    *,
    may_be_sparse: bool = True,
) -> Tensor:
    """`F.embedding`: the row of `padding_idx` is a constant; the weight itself is not renormalised.

    `scale_grad_by_freq` divides gradients by counts over the batch and is left out: what is expanded
    is the function. Its other arguments are those of `F.embedding`.
    """
    rows = F.embedding(input, weight, sparse=sparse and may_be_sparse)
    if max_norm is not None:
        held = rows.detach()
        size = torch.linalg.vector_norm(held, norm_type, -1, keepdim=True)
        shrunk = torch.where(size > max_norm, held * (max_norm / (size + 1e-7)), held)
        rows = rows + (shrunk - held)  # 1e-7, and a derivative of one: as in PyTorch
    if padding_idx is not None:
        is_padding = input == padding_idx % len(weight)
        rows = torch.where(is_padding[..., None], rows.detach(), rows)
    return rows


def plain_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """`F.embedding_bag`; of maxima only that of bags of one length, others are left to PyTorch."""
    if mode == "max" and (input.ndim != 2 or padding_idx is not None):
        return F.embedding_bag(
            input, weight, offsets, max_norm, norm_type, mode="max",
            include_last_offset=include_last_offset, padding_idx=padding_idx,
        )  # fmt: skip
    rows = plain_embedding(input, weight, None, max_norm, norm_type)
    if mode == "max":
        return rows.max(1).values
    tokens = input.flatten()
    if offsets is None:
        n = len(input)
        bags = torch.arange(n, device=input.device).repeat_interleave(input.shape[1])
    else:
        n = len(offsets) - include_last_offset
        places = torch.arange(len(tokens), device=input.device)
        bags = torch.searchsorted(offsets[:n].contiguous(), places.to(offsets), right=True) - 1
    kept = torch.ones_like(tokens, dtype=weight.dtype)
    if padding_idx is not None:
        kept = (tokens != padding_idx % len(weight)).to(weight.dtype)
    rows = rows.reshape(len(tokens), -1)
    times = kept if per_sample_weights is None else kept * per_sample_weights.flatten()
    total = rows.new_zeros(n, rows.shape[1]).index_add(0, bags, rows * times[:, None])
    if mode == "sum":
        return total
    return total / kept.new_zeros(n).index_add(0, bags, kept).clamp(min=1)[:, None]
