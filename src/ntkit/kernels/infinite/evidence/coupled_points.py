"""The module itself is run on some of the points: whether an output depends on the other points."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ntkit._core.company import refuse_mixing
from ntkit._core.company_rows import few_of
from ntkit._core.running import StandIn

__all__ = ["refuse_coupled"]

_WHY = "A kernel of two points is then not defined, at any width."


def refuse_coupled(
    module: nn.Module, points: Sequence[Tensor], others: Sequence[Tensor] | None
) -> None:
    """Refuse a module that mixes the points of a batch, or draws random numbers other than dropout's.

    The rules go through its calls as those of one pair of points, and do not see it. A dozen runs of
    the network as it is, on some of the points.

    Args:
        module: The module; a copy of its structure runs.
        points: Points, one tensor an input.
        others: More of them, or None.
    """
    like = next(module.parameters())
    few = [few_of([x.detach() for x in each]) for each in (points, others) if each is not None]
    rows = [torch.cat(both).to(like.dtype) for both in zip(*few, strict=True)]
    runner = StandIn(module)

    def run(tensors: tuple[Tensor, ...]) -> Tensor:
        buffers = {name: b.clone() for name, b in module.named_buffers()}
        own = dict(module.named_parameters())
        with torch.no_grad(), _NoDropout():
            return _flat(runner({**own, **buffers}, tensors, {}), len(tensors[0]))

    refuse_mixing(f"`{type(module).__name__}`", run, rows, _WHY)


def _flat(outputs: Any, n: int) -> Tensor:
    """All outputs of a point in a row, where there is a row for each."""
    leaves = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    if all(leaf.ndim and len(leaf) == n for leaf in leaves):
        return torch.cat([leaf.reshape(n, -1) for leaf in leaves], 1)
    return torch.cat([leaf.flatten() for leaf in leaves])


class _NoDropout(TorchFunctionMode):
    """Within it dropout lets everything pass: the kernels' own rules are for it."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name.rstrip("123d_").endswith("dropout"):
            return args[0] if args else kwargs["input"]
        if name == "scaled_dot_product_attention":
            kwargs = {**kwargs, "dropout_p": 0.0}
            args = args[:4]
        return func(*args, **kwargs)
