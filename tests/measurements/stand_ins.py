"""Physics as deepinv has them: `A` and `A_adjoint` of batches `[b, c, ...]`."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Weighted:
    """Each pixel times a weight `[1, c, ...]`, as `Inpainting` and `Demosaicing`."""

    weight: Tensor

    def A(self, x: Tensor) -> Tensor:
        return x * self.weight.to(x)

    A_adjoint = A


@dataclass
class Mixed:
    """A matrix times the pixels of one channel, without an axis of channels, as `CompressedSensing`."""

    matrix: Tensor
    shape: tuple[int, ...] = (3, 4)

    def A(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.matrix.to(x).T

    def A_adjoint(self, y: Tensor) -> Tensor:
        return (y @ self.matrix.to(y)).reshape(-1, 1, *self.shape)


@dataclass
class Scan:
    """The centred Fourier transform of real and imaginary part, times a mask, as `MRI`; of coils, as `MultiCoilMRI`."""

    mask: Tensor
    coils: Tensor | None = None

    def A(self, x: Tensor) -> Tensor:
        field = torch.view_as_complex(x.movedim(1, -1).contiguous())
        if self.coils is not None:
            field = field[:, None] * self.coils.to(field)
        y = torch.fft.ifftshift(field, (-2, -1))
        y = torch.fft.fftshift(torch.fft.fft2(y, norm="ortho"), (-2, -1))
        return torch.view_as_real(y * self.mask).movedim(-1, 1)

    def A_adjoint(self, y: Tensor) -> Tensor:
        k = torch.view_as_complex(y.movedim(1, -1).contiguous()) * self.mask
        x = torch.fft.ifft2(torch.fft.ifftshift(k, (-2, -1)), norm="ortho")
        x = torch.fft.fftshift(x, (-2, -1))
        if self.coils is not None:
            x = (self.coils.to(x).conj() * x).sum(1)
        return torch.view_as_real(x).movedim(-1, 1)
