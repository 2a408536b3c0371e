"""Every way to an empirical kernel against the Jacobians of the samples alone."""

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ntkit import empirical_ntk, gram
from ntkit.kernels import Contraction, Structured
from tests.fuzz.finite import Finite
from tests.kernels.empirical.oracle import jacobian

__all__ = ["WAYS", "Compared", "compared"]

Way = Callable[[Finite, int], Tensor]


@dataclass(frozen=True)
class Compared:
    """What became of each way to the kernel.

    Attributes:
        errors: Largest difference in shares of the largest entry.
        refused: The words, where the library refused by an error of its own.
        crashed: Where something else failed.
        warned: The warnings.
    """

    errors: dict[str, float]
    refused: dict[str, str]
    crashed: dict[str, str]
    warned: tuple[str, ...]


def _rows(x: Any, rows: slice) -> Any:
    if isinstance(x, dict):
        return {k: t[rows] for k, t in x.items()}
    return tuple(t[rows] for t in x) if isinstance(x, tuple) else x[rows]


def _kernel(case: Finite, **options: Any) -> Any:
    return empirical_ntk(case.module, **options)


ONE = slice(0, 1)
WAYS: dict[str, tuple[str, Way]] = {
    "auto": ("trace", lambda c, o: _kernel(c)(c.x)),
    "structured": ("trace", lambda c, o: _kernel(c, method=Structured())(c.x)),
    "contraction": ("trace", lambda c, o: _kernel(c, method=Contraction())(c.x)),
    "all outputs": ("full", lambda c, o: _kernel(c, outputs="full")(c.x)),
    "one output": ("one", lambda c, o: _kernel(c, outputs=o - 1)(c.x)),
    "two sets": ("two", lambda c, o: _kernel(c)(c.x, c.x2)),
    "two sets, contraction": ("two", lambda c, o: _kernel(c, method=Contraction())(c.x, c.x2)),
    "one row": ("row", lambda c, o: _kernel(c, method=Structured())(_rows(c.x, ONE), c.x2)),
    "one row, contraction": (
        "row", lambda c, o: _kernel(c, method=Contraction())(_rows(c.x, ONE), c.x2),
    ),
    "alone": ("corner", lambda c, o: _kernel(c)(_rows(c.x, ONE))),
    "diagonal": ("diag", lambda c, o: _kernel(c).diag(c.x)),
    "features": ("trace", lambda c, o: (lambda f: f @ f.mT)(_kernel(c).features(c.x))),
    "lazy": ("trace", lambda c, o: gram(_kernel(c), c.x, lazy=True) @ _eye(5)),
    "lazy, two sets": ("two", lambda c, o: gram(_kernel(c), c.x, c.x2, lazy=True) @ _eye(3)),
}  # fmt: skip
"""By name: which value it is to have, and how it comes; the second argument is the number of outputs."""


def _eye(n: int) -> Tensor:
    return torch.eye(n, dtype=torch.float64)


def compared(case: Finite) -> Compared:
    """All ways of a network, each from a fresh copy of it; the last one from itself, left as found."""
    reference = copy.deepcopy(case.module)
    right, outputs = _expected(reference, case)
    errors: dict[str, float] = {}
    refused: dict[str, str] = {}
    crashed: dict[str, str] = {}
    before = _state(case.module)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for name, (value, way) in WAYS.items():
            try:
                found = way(case, outputs)
            except Exception as error:
                (refused if _is_ours(error) else crashed)[name] = f"{type(error).__name__}: {error}"
                continue
            if found.shape != right[value].shape:
                crashed[name] = f"shape {tuple(found.shape)}, not {tuple(right[value].shape)}"
                continue
            errors[name] = float((found - right[value]).abs().max() / right[value].abs().max())
    if not _same(before, _state(case.module)):
        crashed["left as found"] = "parameters, buffers or gradients are not what they were"
    said = {str(w.message) for w in caught if issubclass(w.category, UserWarning)}
    return Compared(errors, refused, crashed, tuple(sorted(said)))


def _expected(module: nn.Module, case: Finite) -> tuple[dict[str, Tensor], int]:
    """The values that the ways are to have, by one backward pass for each output of each sample."""
    a, b = jacobian(module, case.x), jacobian(module, case.x2)
    full, other = (torch.einsum("nop,mqp->nmoq", a, j) for j in (a, b))
    trace, two = (k.diagonal(dim1=2, dim2=3).mean(-1) for k in (full, other))
    o = a.shape[1]
    return {
        "full": full,
        "trace": trace,
        "one": full[:, :, -1, -1],
        "two": two,
        "row": two[:1],
        "corner": trace[:1, :1],
        "diag": trace.diagonal(),
    }, o


def _is_ours(error: BaseException) -> bool:
    """Whether the error was raised by the library itself, with words of its own."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and "/ntkit/" in trace.tb_frame.f_code.co_filename


def _state(module: nn.Module) -> list[tuple[int, Any, Any]]:
    """Who the parameters and buffers are, by every name, what they hold and their gradients."""
    held = [
        *module.named_parameters(remove_duplicate=False),
        *module.named_buffers(remove_duplicate=False),
    ]
    return [(id(t), t.detach().clone(), t.grad) for _, t in held]


def _same(a: list[tuple[int, Any, Any]], b: list[tuple[int, Any, Any]]) -> bool:
    same = len(a) == len(b)
    return same and all(
        i == j and torch.equal(s, t) and g is h for (i, s, g), (j, t, h) in zip(a, b, strict=True)
    )
