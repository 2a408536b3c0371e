"""Derivatives of a network along a line: forward mode where that is known to be right, else reverse."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ntkit._core.backward_graph import walk
from ntkit._core.torch_internals import tree_leaves
from ntkit.dynamics.forward_mode import forward_terms
from ntkit.dynamics.forward_rules import untested
from ntkit.dynamics.nested_reverse import reverse_terms
from ntkit.dynamics.plain_formulas import PlainFormulas

__all__ = ["LineDerivatives"]

_Tensors = dict[str, Tensor]
_Leaves = dict[int, Tensor]
_Values = tuple[_Leaves, Any]
_Terms = tuple[tuple[_Leaves, ...], Any]
_AGREE = {torch.float64: 1e-8, torch.float32: 1e-3}
"""Difference of two ways to a derivative, relative to its terms, that is rounding."""
_LAST_RESORT = 50
"""Times as much may the way that is left differ: uses of a layer that cancel cost digits in any."""
_HOOKS = "no saved-tensor hooks here"


class LineDerivatives:
    """`d^k/ds^k function(at + s along)` at `s = 0` for `k = 0..order`, with the values of autograd.

    Forward mode is the cheaper way, and wrong without a word for some operations. It is taken where all
    nodes of the graph have rules that were tested (`forward_rules.py`), else nested reverse mode, or,
    where that is missing or wrong, forward mode after all for a first order. Whatever is taken agrees
    with a plain backward pass in one random direction, and so do gradients through it. That is asked
    at the first call, and again when the network calls other functions or takes inputs of other shapes.

    Args:
        order: Highest derivative.
    """

    def __init__(self, order: int) -> None:
        self._order = order
        self._is_right: dict[Hashable, bool] = {}
        self._takes_reverse = False

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

        Raises:
            NotImplementedError: No way has the derivative.
        """
        if self._order == 0:
            value, rest = function(dict(at))
            return (value,), rest
        if not self._takes_reverse:
            found = self._forward(function, at, along, inputs)
            if found is not None:
                return found
        formulas, chance = PlainFormulas(self._order, is_reverse=True), _Chance(at)
        with formulas:
            found = reverse_terms(function, at, along, self._order)
        key = (True, formulas.trail, *_shapes(inputs))
        if key not in self._is_right:
            with chance.aside():
                self._is_right[key] = _agrees(function, at, chance, is_reverse=True)
        if not self._is_right[key]:
            raise NotImplementedError(
                "`module` has an operation whose derivatives disagree in PyTorch: neither forward mode "
                "nor nested backward passes give what a plain backward pass does at these parameters "
                "(a kink or a pole may be near). Write it in plain operations."
            )
        self._takes_reverse = True  # right for all inputs
        return found

    def _forward(
        self, function: Any, at: Mapping[str, Tensor], along: Mapping[str, Tensor], inputs: Any
    ) -> _Terms | None:
        """By forward mode, where that is to be taken; else nothing has been drawn."""
        formulas, chance = PlainFormulas(self._order), _Chance(at)
        try:
            with formulas:
                found = forward_terms(function, at, along, self._order)
        except RuntimeError:  # a rule is missing; what else it may be, reverse mode raises again
            chance.again()
            return None
        key = (False, formulas.trail, *_shapes(inputs))
        if key not in self._is_right:
            with chance.aside():
                self._is_right[key] = self._is_tested(function, at, chance)
        if self._is_right[key]:
            return found
        chance.again()
        return None

    def _is_tested(self, function: Any, at: Mapping[str, Tensor], chance: "_Chance") -> bool:
        """Whether forward mode is to be taken here.

        Raises:
            RuntimeError: `function` raises one.
        """
        leaves = {name: p.detach().requires_grad_() for name, p in at.items()}
        chance.again()
        no_hooks = torch.autograd.graph.disable_saved_tensors_hooks(_HOOKS)
        try:
            with PlainFormulas(self._order), no_hooks:
                value, _ = function(leaves)
        except RuntimeError as error:
            if _HOOKS not in str(error):
                raise
            return False  # a checkpoint, whose second run, in a backward pass, has no tangents
        unknown = untested(walk([y.grad_fn for y in value.values()]), self._order)
        if not _agrees(function, at, chance, is_reverse=False):
            return False
        if unknown is None or self._order > 1:
            return unknown is None
        return not _agrees(function, at, chance, is_reverse=True)


def _agrees(
    function: Any, at: Mapping[str, Tensor], chance: "_Chance", *, is_reverse: bool
) -> bool:
    """`<v, J u>` against `<J^T v, u>` of a plain backward pass, and its gradient by `u` against `J^T v`.

    `u` and `v` are random.
    """
    g = torch.Generator().manual_seed(0)
    u = {name: _normal(p, g).requires_grad_() for name, p in at.items()}
    way = reverse_terms if is_reverse else forward_terms
    chance.again()
    try:
        with PlainFormulas(1, is_reverse=is_reverse):
            (value, pushed), _ = way(function, at, u, 1)
            v = {i: _normal(y, g) for i, y in value.items()}
            forward = sum(_wide(v[i] * t.conj()).sum() for i, t in pushed.items())
            found = _gradients(forward, u)
        leaves = {name: p.detach().requires_grad_() for name, p in at.items()}
        chance.again()
        with PlainFormulas(1, is_reverse=True):
            value, _ = function(leaves)
            expected = _gradients(
                sum(_wide(v[i] * y.conj()).sum() for i, y in value.items()), leaves
            )
    except RuntimeError:
        return False
    with torch.no_grad():
        parts = [_wide(d.conj() * e) for d, e in zip(u.values(), expected, strict=True)]
        backward = sum(float(part.sum()) for part in parts)
        size = sum(float(part.square().sum()) for part in parts) ** 0.5
        scale = max((float(e.abs().max()) for e in expected if e.numel()), default=0.0)
        pairs = zip(found, expected, strict=True)
        off = max((float((f - e).abs().max()) for f, e in pairs if e.numel()), default=0.0)
        bound = max((_AGREE.get(p.dtype, 0.1) for p in at.values()), default=0.0)
        bound *= _LAST_RESORT if is_reverse else 1
        return abs(float(forward) - backward) <= bound * size and off <= bound * scale


def _gradients(value: Any, by: Mapping[str, Tensor]) -> list[Tensor]:
    """Dense, zeros where there is none."""
    if not isinstance(value, Tensor) or not value.requires_grad:
        return [torch.zeros_like(p) for p in by.values()]
    found = torch.autograd.grad(value, list(by.values()), allow_unused=True)
    each = zip(by.values(), found, strict=True)
    return [
        torch.zeros_like(p) if g is None else g.to_dense() if g.is_sparse else g for p, g in each
    ]


def _wide(tensor: Tensor) -> Tensor:
    """The real part, so that sums of half precision do not overflow."""
    return tensor.real.to(torch.promote_types(tensor.real.dtype, torch.float32))


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, dtype=like.dtype).to(like.device)


def _shapes(inputs: Any) -> list[tuple[Any, ...]]:
    return [(t.shape, t.dtype) for t in tree_leaves(inputs) if isinstance(t, Tensor)]


class _Chance:
    """The state of the generators that a network draws from, to run it twice alike."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._state = torch.get_rng_state()
        devices = {t.device for t in tensors.values() if t.is_cuda}
        self._others = {device: torch.cuda.get_rng_state(device) for device in devices}
        self._tensors = tensors

    def again(self) -> None:
        """Put it back."""
        torch.set_rng_state(self._state)
        for device, state in self._others.items():
            torch.cuda.set_rng_state(state, device)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Draws within leave no trace."""
        now = _Chance(self._tensors)
        try:
            yield
        finally:
            now.again()
