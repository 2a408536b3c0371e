"""A module with the parameters that its kernel is taken over, as a function of them."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from ntkit._core.checks import finite
from ntkit._core.company import refuse_mixing
from ntkit._core.company_rows import few_of
from ntkit._core.copies import Copier
from ntkit._core.torch_internals import FORWARD_HOOKS, compiled_from, version_of
from ntkit.kernels.empirical.batch import Batch, batched
from ntkit.kernels.empirical.evaluation import evaluation
from ntkit.kernels.empirical.moment import Moment, plain
from ntkit.kernels.empirical.refusals import refuse_unfit
from ntkit.kernels.empirical.underivable import refuse_underivable

__all__ = ["Selection", "Target"]

Selection = Sequence[str] | Callable[[str, nn.Parameter], bool]
"""Names of parameters, or a predicate of name and parameter."""

_LOOKED_AT: WeakKeyDictionary[nn.Module, set[Hashable]] = WeakKeyDictionary()
"""For points of which kinds and numbers the samples were found not to mix."""


class Target:
    """The network `f(parameters, batch) -> [n, o]` of a module, the module itself left as it is.

    Parameters that are not selected, and buffers, are constants. Values are read at each use, so a
    module that is trained further has its kernel of that moment. The module runs in the mode it is
    in; modes in which it is no function of one sample are refused.

    Args:
        module: Any module whose output is one tensor with the samples along axis 0.
        params: Which parameters, of those that require gradients; all of them if left out.

    Attributes:
        module: The module, without a wrapper of `torch.compile`.
        names: Names of the selected parameters; shared ones under their first name.
    """

    def __init__(self, module: nn.Module, params: Selection | None = None) -> None:
        if not isinstance(module, nn.Module):
            raise TypeError(f"`module` must be a torch.nn.Module, got {type(module).__name__}.")
        self.module: nn.Module = compiled_from(module) or module
        refuse_unfit(self.module)
        self.names: tuple[str, ...] = _selected(self.module, params)
        self._home = self.module
        self._moment: Moment | None = None

    def copied_by(self, copier: Copier) -> "Target":
        """The same network of a copy of the module."""
        still = copy(self)
        still.module = copier(self.module)
        _LOOKED_AT.setdefault(still.module, set()).update(_LOOKED_AT.get(self.module, ()))
        return still

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_home": self.module, "_moment": None}

    @property
    def parameters(self) -> tuple[Tensor, ...]:
        """Present values of the selected parameters, detached."""
        if self._moment is not None:
            return tuple(self._moment.parameters[name].detach() for name in self.names)
        own = dict(self.module.named_parameters())
        return tuple(plain(own[name]) for name in self.names)

    @property
    def device(self) -> torch.device:
        """Where the first selected parameter lies."""
        return self.module.get_parameter(self.names[0]).device

    @property
    def dtype(self) -> torch.dtype | None:
        """The dtype of all floating parameters, None if they differ."""
        kinds = {p.dtype for p in self.module.parameters() if p.is_floating_point()}
        return kinds.pop() if len(kinds) == 1 else None

    @property
    def accumulation(self) -> torch.dtype:
        """The dtype that sums are formed in: that of the selected parameters, at least float32."""
        found = torch.float32
        for p in self.parameters:
            found = torch.promote_types(found, p.dtype)
        return found

    def batch(self, name: str, points: Any) -> Batch:
        """The points as arguments of the module, checked; floats are cast to its one dtype.

        Raises:
            ValueError: They lie on another device than the parameters.
        """
        found = batched(name, points, self.dtype)
        for t in found.tensors:
            if t.device != self.device:
                raise ValueError(
                    f"`{name}` is on {t.device}, and the module's parameters on {self.device}. "
                    "Move one of them with `.to(...)`."
                )
        return found

    @contextmanager
    def evaluation(self) -> Iterator["Target"]:
        """The network of this moment, and the settings under which its `outputs` is to be called.

        A copy of the module's structure runs, so that attributes that it sets are its own. Forward
        hooks of the user's run, as they may be part of the network; backward hooks are part of a
        training, and do not.
        """
        with evaluation(self.device):
            if self._moment is not None:
                yield self
                return
            still = copy(self)
            still._moment = moment = Moment(self.module, self._home)
            yield still
            moment.check()

    def outputs(self, parameters: Sequence[Tensor], batch: Batch) -> Tensor:
        """The module's output at these values of the selected parameters, flattened to `[n, o]`.

        Raises:
            TypeError: The output is no floating tensor.
            ValueError: Its first axis is not that of the samples.
        """
        now = self._moment or Moment(self.module, self._home)
        buffers = {name: buffer.clone() for name, buffer in now.buffers.items()}
        selected = dict(zip(self.names, parameters, strict=True))
        y = now.run({**now.parameters, **buffers, **selected}, batch.args, batch.kwargs)
        if not isinstance(y, Tensor) or not y.is_floating_point():
            what = str(y.dtype) if isinstance(y, Tensor) else type(y).__name__
            raise TypeError(
                f"`module` must return one floating tensor, got {what}. "
                "Wrap it in a module that returns the output that is meant."
            )
        if y.ndim == 0 or len(y) != len(batch):
            raise ValueError(
                f"`module` maps {len(batch)} samples to shape {tuple(y.shape)}; "
                "the samples must stay on axis 0."
            )
        for name, buffer in buffers.items():
            if version_of(buffer):
                raise ValueError(
                    f"`module` writes into its buffer `{name}` when it runs, so each run changes "
                    "it. Call `module.eval()` first."
                )
        return y.reshape(len(batch), -1)

    def leaves(self) -> tuple[Tensor, ...]:
        """The selected parameters as fresh leaves that require gradients: no hook of theirs runs."""
        return tuple(p.requires_grad_() for p in self.parameters)

    def kind(self, batch: Batch) -> Hashable:
        """What the module does depends on this, as far as it is known without running it."""
        modes = tuple(
            (layer.training, *(hook for kind in FORWARD_HOOKS for hook in getattr(layer, kind)))
            for layer in self.module.modules()
        )
        points = tuple((t.dtype, t.device, t.shape[1:]) for t in batch.tensors)
        shapes = tuple(p.shape for p in self.parameters)
        return self.names, shapes, modes, tuple(batch.kwargs), points

    def refuse_mixing(self, x1: Batch, x2: Batch | None = None) -> None:
        """Refuse a module whose output of a sample depends on chance or on the other samples.

        Looked at once for each kind and number of points, on some of them.
        """
        batches = [x1] if x2 is None else [x1, x2]
        key = tuple((len(batch), self.kind(batch)) for batch in batches)
        if key in _LOOKED_AT.get(self.module, set()):
            return
        if self._moment is not None and not self._moment.is_known:
            self.probe(x1)  # before anything else: it says how to run
        few = [few_of(batch.tensors) for batch in batches]
        if len({tuple((t.dtype, t.shape[1:]) for t in each) for each in few}) == 1:
            few = [tuple(torch.cat(both) for both in zip(*few, strict=True))]
        leaves = self.leaves()
        for each in few:
            refuse_mixing(
                "`module`",
                lambda tensors: self.outputs(leaves, x1.of(*tensors)),
                each,
                "The kernel of one sample is then not defined.",
            )
        _LOOKED_AT.setdefault(self.module, set()).add(key)

    def probe(self, batch: Batch) -> int:
        """Check what the module does on at most two samples, as `probed`, and return its outputs `o`."""
        return self.probed(batch[: min(2, len(batch))])[0].shape[1]

    def probed(self, few: Batch) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run the module on a few samples.

        Parameters held where they cannot be replaced are refused, and values that are not finite.

        Returns:
            The outputs `[n, o]` and the leaves that they were computed from.
        """
        y, leaves = self._found(few)
        finite("module(x)", y.detach())
        if self._moment is not None:
            self._moment.note_writing()
        return y, leaves

    def _found(self, few: Batch) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Outputs and their leaves, by the first way of running the module that reaches these alone."""
        try:
            return self._followed(few)
        except Exception as first:
            if self._moment is None or not self._moment.go_in_place():
                raise
            try:
                return self._followed(few)
            except Exception:
                self._moment.go_back()
                raise first from None  # the copy's word: the module itself says the same

    def _followed(self, few: Batch) -> tuple[Tensor, tuple[Tensor, ...]]:
        leaves = self.leaves()
        y = self.outputs(leaves, few)
        refuse_underivable(y, lambda: self.outputs(leaves, few[:1]), leaves, self.module)
        return y, leaves


def _selected(module: nn.Module, params: Selection | None) -> tuple[str, ...]:
    """Names of the parameters meant, in the module's order, each once.

    Raises:
        TypeError: `params` is of another kind.
        ValueError: A name is unknown or frozen, or nothing is left.
    """
    free = {k: p for k, p in module.named_parameters() if p.requires_grad}
    if params is None:
        names = set(free)
    elif callable(params):
        names = {k for k, p in free.items() if params(k, p)}
    elif isinstance(params, str) or not isinstance(params, Sequence):
        raise TypeError(
            f"`params={params!r}` must be a list of names, or a function of name and parameter."
        )
    else:
        names = {_resolved(module, free, name) for name in params}
    if not names:
        raise ValueError(
            "`params` selects no parameter that requires gradients, so the kernel is zero. "
            "Thaw some with `requires_grad_()`."
        )
    bad = [k for k in free if k in names and not free[k].is_floating_point()]
    if bad:
        raise TypeError(
            f"`{bad[0]}` is {free[bad[0]].dtype}; complex parameters are not supported."
        )
    for k in names:
        finite(k, free[k].detach())
    return tuple(k for k in free if k in names)


def _resolved(module: nn.Module, free: dict[str, nn.Parameter], name: str) -> str:
    """The first name of the parameter called `name`, which may be a second name of a shared one.

    Raises:
        ValueError: There is none, or it is frozen.
    """
    every = dict(module.named_parameters(remove_duplicate=False))
    if name not in every:
        known = ", ".join(f"`{k}`" for k in free)
        raise ValueError(f"`params` names `{name}`, and the module has {known}.")
    for first, p in free.items():
        if p is every[name]:
            return first
    raise ValueError(f"`params` names `{name}`, which is frozen; thaw it with `requires_grad_()`.")
