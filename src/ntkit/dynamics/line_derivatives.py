"""Derivatives of a network along a line: forward mode where that is known to be right, else reverse."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from ntkit.dynamics.forward_mode import forward_terms
from ntkit.dynamics.forward_rules import untested
from ntkit.dynamics.nested_reverse import reverse_terms, walk
from ntkit.dynamics.plain_formulas import PlainFormulas

__all__ = ["LineDerivatives"]

_Tensors = dict[str, Tensor]
_Leaves = dict[int, Tensor]
_Values = tuple[_Leaves, Any]
_Terms = tuple[tuple[_Leaves, ...], Any]
_AGREE = {torch.float64: 1e-8, torch.float32: 1e-3}
"""Difference of a forward and a backward derivative, relative to its terms, that is rounding."""
_HOOKS = "no saved-tensor hooks here"


class LineDerivatives:
    """`d^k/ds^k function(at + s along)` at `s = 0` for `k = 0..order`, with the values of autograd.

    Forward mode is the cheaper way, and wrong without a word for some operations. It is taken where all
    nodes of the graph have rules that were tested (`forward_rules.py`) and where, in one random
    direction, it agrees with a backward pass. That is asked at the first call, and again when the
    network calls other functions or takes inputs of other shapes. Else nested reverse mode is taken,
    and, where that has no derivative, forward mode for a first order that agrees.

    Args:
        order: Highest derivative.

    Attributes:
        recomputes: Whether the network was seen to compute parts of itself again in a backward pass,
            which has no parameters any more after a call.
    """

    def __init__(self, order: int) -> None:
        self._order = order
        self._is_forward: dict[Hashable, bool] = {}
        self._takes_reverse = False
        self.recomputes = False

    def __call__(
        self,
        function: Callable[[_Tensors], _Values],
        at: Mapping[str, Tensor],
        along: Mapping[str, Tensor],
        inputs: Any,
    ) -> _Terms:
        """The terms, outputs by place, and what else the function returned.

        Args:
            function: From parameters to outputs by place, and something else; draws the same random
                numbers again where the generators stand as before.
            at: Parameters.
            along: The direction.
            inputs: What else the function depends on, for its shapes.

        What has no derivative of this order in either mode is refused.
        """
        if self._order == 0:
            value, rest = function(dict(at))
            return (value,), rest
        chance = _Chance(at)
        if not self._takes_reverse:
            formulas = PlainFormulas(self._order)
            try:
                with formulas:
                    found = forward_terms(function, at, along, self._order)
            except (
                RuntimeError
            ):  # a rule is missing; what else it may be, reverse mode raises again
                chance.again()
            else:
                key = (formulas.trail, *_shapes(inputs))
                if key not in self._is_forward:
                    after = _Chance(at)
                    self._is_forward[key] = self._is_right(function, at, chance)
                    after.again()
                if self._is_forward[key]:
                    return found
                chance.again()
        found = self._reverse(function, at, along)
        self._takes_reverse = True  # right for all inputs
        return found

    def _reverse(
        self, function: Any, at: Mapping[str, Tensor], along: Mapping[str, Tensor]
    ) -> _Terms:
        with PlainFormulas(self._order, is_reverse=True):
            return reverse_terms(function, at, along, self._order)

    def _is_right(self, function: Any, at: Mapping[str, Tensor], chance: "_Chance") -> bool:
        """Whether forward mode is to be taken here.

        Raises:
            RuntimeError: `function` raises one.
        """
        leaves = {name: p.detach().requires_grad_() for name, p in at.items()}
        chance.again()
        try:
            with (
                torch.autograd.graph.disable_saved_tensors_hooks(_HOOKS),
                PlainFormulas(self._order),
            ):
                value, _ = function(leaves)
        except RuntimeError as error:
            if _HOOKS not in str(error):
                raise
            self.recomputes = True
            chance.again()
            with PlainFormulas(self._order):
                value, _ = function(leaves)
        is_tested = untested(walk([y.grad_fn for y in value.values()]), self._order) is None
        if self.recomputes:  # no backward pass to compare with
            return is_tested
        chance.again()
        if not _agree(function, value, leaves):
            return False
        if is_tested or self._order > 1:
            return is_tested
        chance.again()
        try:
            self._reverse(function, at, {name: torch.zeros_like(p) for name, p in at.items()})
        except NotImplementedError:
            return True  # a first order that agrees, of what has no other
        return False


def _agree(function: Any, value: _Leaves, leaves: _Tensors) -> bool:
    """`<v, J u>` by forward mode against `<J^T v, u>` by a backward pass, `u` and `v` random."""
    g = torch.Generator().manual_seed(0)
    u = {name: _normal(p, g) for name, p in leaves.items()}
    v = {i: _normal(y, g) for i, y in value.items()}
    used = [i for i, y in value.items() if y.requires_grad]
    pulled = [None] * len(leaves)
    if used:
        pulled = torch.autograd.grad(
            [value[i] for i in used],
            list(leaves.values()),
            [v[i] for i in used],
            allow_unused=True,
        )
    with torch.no_grad():
        backward = sum(_dot(d, p) for d, p in zip(u.values(), pulled, strict=True) if p is not None)
    plain = {name: p.detach() for name, p in leaves.items()}
    with PlainFormulas(1):
        (_, pushed), _ = forward_terms(function, plain, u, 1)
    with torch.no_grad():
        parts = [(v[i] * t.conj()).real.double() for i, t in pushed.items()]
        forward = sum(float(part.sum()) for part in parts)
        size = sum(float(part.square().sum()) for part in parts) ** 0.5
    bound = max(_AGREE.get(p.dtype, 0.1) for p in leaves.values()) if leaves else 0.0
    return abs(forward - backward) <= bound * size


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, dtype=like.dtype).to(like.device)


def _dot(a: Tensor, b: Tensor) -> float:
    b = b.to_dense() if b.is_sparse else b
    return float((a.conj() * b).real.double().sum())


def _shapes(inputs: Any) -> list[tuple[Any, ...]]:
    return [(t.shape, t.dtype) for t in tree_leaves(inputs) if isinstance(t, Tensor)]


class _Chance:
    """The state of the generators that a network draws from, to run it twice alike."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._state = torch.get_rng_state()
        devices = {t.device for t in tensors.values() if t.is_cuda}
        self._others = {device: torch.cuda.get_rng_state(device) for device in devices}

    def again(self) -> None:
        """Put it back."""
        torch.set_rng_state(self._state)
        for device, state in self._others.items():
            torch.cuda.set_rng_state(state, device)
