"""Whether an adjoint is one: two random vectors tell."""

import torch

from ntkit.measurements.base import AbstractMeasurement

__all__ = ["adjoint_mismatch"]


def adjoint_mismatch(A: AbstractMeasurement, seed: int = 0) -> float:
    """Relative mismatch `|<A f, d> - <f, A^H d>| / (|A f| |d|)` for a random field and random data.

    Rounding gives about 1e-16 in float64. One that is no adjoint gives about `n^-1/2` for `n` data.

    Args:
        A: What to try.
        seed: Of the random numbers.

    Example:
        >>> from ntkit.measurements import Samples
        >>> adjoint_mismatch(Samples.every_other((8, 8))) < 1e-14
        True
    """
    generator = torch.Generator().manual_seed(seed)
    dtype = torch.complex128 if A.is_complex else torch.float64
    field = torch.randn(*A.field_shape, 1, generator=generator, dtype=dtype).to(A.device)
    data = torch.randn(*A.data_shape, 1, generator=generator, dtype=dtype).to(A.device)
    there, back = A(field).flatten(), A.adjoint(data).flatten()
    left = torch.vdot(data.flatten().to(there.dtype), there)
    right = torch.vdot(back, field.flatten().to(back.dtype))
    size = float(there.norm() * data.norm())
    return abs(complex(left) - complex(right)) / size if size else abs(complex(right))
