"""The Taylor expansion of a network in its parameters: again a network."""

from functools import partial
from math import factorial
from typing import Any

import torch
from torch import Tensor, nn

from ntkit._core.checks import whole
from ntkit._core.running import StandIn
from ntkit._core.torch_internals import tree_flatten, tree_unflatten
from ntkit.dynamics.company_check import CompanyCheck
from ntkit.dynamics.forward_mode import plain_kernels
from ntkit.dynamics.line_derivatives import LineDerivatives
from ntkit.dynamics.skeleton import (
    Branch,
    as_written,
    grow,
    plant,
    refuse_unusable,
    skeleton,
)

__all__ = ["Taylor", "taylor"]

_Tensors = dict[str, Tensor]
_Leaves = dict[int, Tensor]
_Values = tuple[_Leaves, tuple[_Leaves, _Tensors]]
"""Floating outputs by their place; and other tensors by theirs, and the buffers afterwards."""


class Taylor(nn.Module):
    """`sum_k (theta - theta0)^k / k! d^k f / d theta^k (x; theta0)`, `k = 0..order`.

    Made by `ntkit.taylor` and `ntkit.linearize`. The parameters `theta` have the names they have in
    the network and begin at `theta0`, a copy of which is kept in the buffers `expansion_point.*`.

    Args:
        module: The network, copied.
        order: Highest power of `theta - theta0`.

    Example:
        >>> expansion = Taylor(nn.Linear(2, 1), order=1)
        >>> list(expansion.state_dict())
        ['weight', 'bias', 'expansion_point.weight', 'expansion_point.bias']
    """

    def __init__(self, module: nn.Module, order: int) -> None:
        super().__init__()
        grow(self, module)
        self._order = order
        self._derivatives = LineDerivatives(order)
        self._company = CompanyCheck()  # shared by the copies that run: it is asked once
        self._buffer_names = [name for name, _ in module.named_buffers()]
        self._skeleton = (skeleton(module),)  # in a tuple: no child, its tensors are not ours
        self._point = "expansion_point"
        while hasattr(self, self._point):  # the expansion of an expansion
            self._point += "_"
        self.add_module(self._point, Branch())
        for name, parameter in module.named_parameters():
            plant(self.get_submodule(self._point), name, parameter.detach().clone())
        self.get_submodule(self._point).train(module.training)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The expansion at `theta`, for the inputs and in the form of the network's own outputs."""
        has_graph = torch.is_grad_enabled()
        current = dict(self.named_parameters(remove_duplicate=False))
        start = dict(self.get_submodule(self._point).named_buffers())
        smooth = {name: value for name, value in start.items() if _is_smooth(value)}
        delta = {
            name: (current[name] if has_graph else current[name].detach()) - value
            for name, value in smooth.items()
        }
        network = _Call(self, start, args, kwargs)
        # Some second derivatives of PyTorch exist in grad mode alone, whether one needs a graph or not.
        with plain_kernels(self._skeleton[0]), torch.enable_grad():
            terms, (others, buffers) = self._derivatives(network, smooth, delta, (args, kwargs))
            total = terms[0]
            for k, term in enumerate(terms[1:], 1):
                total = {i: part + term[i] / factorial(k) for i, part in total.items()}
            self._company(partial(self._evaluated, start), args, kwargs, [*terms[0].values()])
        if network.is_training:
            self._take(buffers)
        if not has_graph:
            total = {i: part.detach() for i, part in total.items()}
        return network.assemble(total, others)

    def extra_repr(self) -> str:
        """Order and network, for `repr`."""
        return f"order={self._order}, of a {type(self._skeleton[0]).__name__}"

    def _evaluated(self, start: _Tensors, *args: Any, **kwargs: Any) -> list[Tensor]:
        """Floating outputs of the network in evaluation mode at the expansion point."""
        network = _Call(self, start, args, kwargs, is_evaluated=True)
        own = {name: value.clone() for name, value in start.items()}  # may be renormalised
        return [y.detach() for y in network(own)[0].values()]

    def _take(self, buffers: _Tensors) -> None:
        """Keep what a forward pass in training mode made of the buffers."""
        own = dict(self.named_buffers(remove_duplicate=False))
        with torch.no_grad():
            for name, value in buffers.items():
                own[name].copy_(value)


class _Call:
    """The network on given inputs, as a function of its parameters alone.

    Args:
        owner: The expansion, for its buffers and modes.
        constants: Values of the parameters that the function is not given.
        args: Positional inputs.
        kwargs: Inputs by keyword.
        is_evaluated: Whether all layers are in evaluation mode, whatever the owner's.
    """

    def __init__(
        self,
        owner: Taylor,
        constants: _Tensors,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        is_evaluated: bool = False,
    ) -> None:
        self._run = StandIn(owner._skeleton[0])  # of this call alone: threads do not meet
        owners = {as_written(name): part for name, part in owner.named_modules()}
        for name, part in self._run.module.named_modules():
            part.training = owners[name].training and not is_evaluated
        own = dict(owner.named_buffers(remove_duplicate=False))
        self._buffers = {name: own[name] for name in owner._buffer_names}
        self._constants, self._args, self._kwargs = constants, args, kwargs
        self.is_training = any(part.training for part in self._run.module.modules())
        self._rest: dict[int, Any] = {}
        self._form: Any = None

    def __call__(self, parameters: _Tensors) -> _Values:
        """Outputs, and buffers, at these parameters."""
        buffers = {
            name: value.clone() for name, value in self._buffers.items()
        }  # may be written to
        given = {**self._constants, **parameters, **buffers}
        values = {as_written(name): value for name, value in given.items()}
        output = self._run(values, self._args, self._kwargs)
        leaves, self._form = tree_flatten(output)
        tensor_at = {i: leaf for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)}
        self._rest = {i: leaf for i, leaf in enumerate(leaves) if i not in tensor_at}
        smooth = {i: leaf for i, leaf in tensor_at.items() if _is_smooth(leaf)}
        others = {i: leaf for i, leaf in tensor_at.items() if i not in smooth}
        return smooth, (others, buffers)

    def assemble(self, smooth: _Leaves, others: _Leaves) -> Any:
        """Outputs in the network's own form."""
        leaves = {**self._rest, **others, **smooth}
        return tree_unflatten([leaves[i] for i in range(len(leaves))], self._form)


def _is_smooth(tensor: Tensor) -> bool:
    """Whether derivatives exist: not for whole numbers."""
    return tensor.is_floating_point() or tensor.is_complex()


def taylor(module: nn.Module, order: int) -> Taylor:
    """The Taylor expansion of `module` in its parameters, about their present values, as a module.

    `sum_k (theta - theta0)^k / k! d^k f / d theta^k (x; theta0)` for `k = 0..order`, by nested
    forward-mode derivatives: about `2^order` times the cost of a forward pass, no Jacobian. Where the
    network has an operation whose forward rules were not tested, or are found wrong at the first call,
    nested backward passes are taken: about twice that again, with derivatives as autograd has them.

    It is trained, moved, copied and saved like any module. Its parameters and buffers have the names
    and ties they have in `module`, so `load_state_dict(..., strict=False)` carries weights from one
    to the other; the expansion point is in its `state_dict` too. `train()` and `eval()` act on the
    layers by their names. In training mode batch statistics, and one draw of each dropout mask, are
    part of what is expanded; running statistics are updated. Where samples mix in evaluation mode too,
    the expansion is that of the batch: the first call on points of a shape looks, and warns. Frozen parameters stay frozen. Weight
    decay of an optimiser pulls `theta` to zero, not to `theta0`.

    Args:
        module: Any network; copied (forward hooks with it, backward hooks not), never changed.
        order: Highest power, 0 or more; 0 is the network as it is now, whatever `theta`.

    Returns:
        The expansion; called like `module`, with outputs of the same form.

    Raises:
        ValueError: `order` is negative, or a lazy layer has no parameters yet.

    Source: Huang and Yau 2020 (arXiv:1909.08156) on what lies beyond the linear order; `nested jvp`
    as in the documentation of `torch.func`.

    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
        >>> x, errors = torch.rand(5, 2), []
        >>> expansions = [taylor(net, order) for order in (0, 1, 2)]
        >>> with torch.no_grad():
        ...     for f in (net, *expansions):
        ...         for p in f.parameters():
        ...             p += 0.01
        ...     errors = [float((f(x) - net(x)).norm()) for f in expansions]
        >>> errors == sorted(errors, reverse=True)
        True
    """
    order = whole("order", order)
    if order < 0:
        raise ValueError(f"`order={order}` must be 0 or more; 1 is the linearised network.")
    refuse_unusable(module)
    return Taylor(module, order)
