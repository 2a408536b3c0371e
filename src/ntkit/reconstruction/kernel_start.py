"""Where iterations begin: at the field that the kernel alone gives."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.reconstruction.linear import LinearFields, kernel_fields, rough_tolerance
from ntkit.reconstruction.primal_dual import PrimalDual, State, Terms
from ntkit.reconstruction.system import System
from ntkit.reconstruction.torus import TorusPrior

__all__ = ["kernel_start", "of_kept_data"]

_ITERATIONS = 300  # at most: it is only where the iterations that count begin


def kernel_start(method: PrimalDual, found: LinearFields, terms: Terms) -> State:
    """The state of the linear problem's first ridge, from which gaps need not be filled step by step.

    Without bounds and total variation it is the end. With some of them 200 iterations from it leave less of what is minimised than 800 from
    larger total variations do, on CT, several coils, masks and blurs; not of a single coil, and not without the kernel.

    Args:
        method: The solver.
        found: With waves.
        terms: The problems, one or as many as the fields.
    """
    assert found.waves is not None, "they were asked for"
    return method.at_waves(found.waves[0], terms)


def of_kept_data(system: System, y: Float[Tensor, "p m"], terms: Terms) -> LinearFields:
    """The fields that the kernel alone gives of what each problem keeps of the data, with their waves.

    Args:
        system: The measurement.
        y: Data, weighted.
        terms: The problems; problems that keep the same data are solved once, at the first one's weight.
    """
    assert terms.spectrum is not None, "there is a kernel"
    prior = TorusPrior("", system.torus, terms.spectrum, 0.0)
    flat = torch.ones(1, len(y), *system.torus.shape, dtype=y.dtype)
    if system.measurement.is_complex:
        flat[:, 1::2] = 0
    rest = y - terms.mean * system.forward(flat)[0]
    solved: dict[bytes, LinearFields] = {}
    each = []
    for keep, weight in zip(terms.keep, terms.weight.tolist(), strict=True):
        key = keep.numpy().tobytes()
        if key not in solved:
            weights = keep[0] if system.weights is None else system.weights * keep[0]
            solved[key] = kernel_fields(
                replace(system, weights=weights),
                prior,
                (keep * rest)[None].float(),
                [weight],
                tolerance=rough_tolerance(system),
                iterations=_ITERATIONS,
                keeps_waves=True,
            )
        each.append(solved[key])
    return LinearFields(
        torch.cat([one.fields for one in each], 1),
        torch.stack([one.residuals for one in each]).amax(0),
        max(one.iterations for one in each),
        torch.cat([one.waves for one in each if one.waves is not None], 1),
    )
