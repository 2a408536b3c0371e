"""Graphs whose gradients are not those of the outputs by the parameters that the kernel is over."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from ntkit._core.torch_internals import saved

__all__ = ["refuse_underivable"]


def refuse_underivable(
    y: Tensor, again: Callable[[], Tensor], leaves: Sequence[Tensor], module: nn.Module
) -> None:
    """Refuse a module whose graph does not say how its outputs depend on its parameters.

    It returns values without a graph, reaches tensors that require gradients by another way than its
    attributes, scales gradients by
    counts over the batch, or hides a part of itself in a reentrant checkpoint. A leaf that is made
    inside `forward` (points, for a derivative by them) is another object in each run: no stray.

    Args:
        y: Outputs of one run.
        again: Makes those of another run.
        leaves: The parameters that both are computed with.
        module: The module.

    Raises:
        ValueError: It does.
    """
    if not y.requires_grad:
        raise ValueError(
            "`module(x)` depends on no parameter that the kernel is over, as autograd sees it "
            "(detached, computed under `torch.no_grad` or by NumPy?), so the kernel is zero. Leave "
            "the output on its graph."
        )
    ours = {id(leaf) for leaf in leaves}
    others = [leaf for leaf in _leaves(y.grad_fn) if id(leaf) not in ours]
    if not others:
        return
    kept = {id(leaf) for leaf in _leaves(again().grad_fn)}
    for leaf in others:
        if id(leaf) in kept:
            names = [k for k, p in module.named_parameters() if p is leaf]
            what = f"`{names[0]}`" if names else f"a tensor of shape {tuple(leaf.shape)}"
            raise ValueError(
                f"`module` reaches {what}, which requires gradients, past its attributes (kept in "
                "a list or a closure?). Register it as a parameter and use it as `self.name`."
            )


def _leaves(top: Any) -> list[Tensor]:
    """The leaves of a graph; nodes that hide or change gradients are refused.

    Raises:
        ValueError: There is one.
    """
    found: list[Tensor] = []
    seen: set[Any] = set()
    waiting: list[Any] = [top]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.name() == "CheckpointFunctionBackward":
            raise ValueError(
                "`module` uses `torch.utils.checkpoint` with `use_reentrant=True`, which hides "
                "the parameters within from the graph. Pass `use_reentrant=False`."
            )
        if saved(node, "scale_grad_by_freq", False):
            raise ValueError(
                "`module` has an embedding with `scale_grad_by_freq=True`: its gradients are "
                "divided by counts over the batch, and are no derivatives of the output of one "
                "sample. Set `scale_grad_by_freq=False` on it for the kernel; the outputs are the "
                "same."
            )
        if saved(node, "sparse", False):
            raise ValueError(
                "`module` calls `F.embedding` or `F.embedding_bag` with `sparse=True`; sparse "
                "gradients have no Jacobian. Pass `sparse=False`, or use `nn.Embedding`, whose "
                "own `sparse` may stay."
            )
        leaf = getattr(node, "variable", None)
        if isinstance(leaf, Tensor):
            found.append(leaf)
        waiting += [below for below, _ in node.next_functions]
    return found
