"""Convolutions in the NTK parametrisation, their transposes, and locally connected layers."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from math import prod, sqrt
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ntkit._core.checks import per_axis, positive_int, random_source, whole
from ntkit.networks.scales import Scale, plain, set_scales

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "LocalConv1d",
    "LocalConv2d",
    "LocalConv3d",
]

Size = int | Sequence[int]
PaddingMode = Literal["zeros", "circular", "reflect", "replicate"]


class _AbstractConvolution(nn.Module):
    """What the layers of this file share: `w_std / sqrt(fan_in) W * x + b_std b`, unit Gaussian draws.

    Takes the arguments of its `torch.nn` namesake (without `groups`).

    Args:
        in_channels: Channels that come in, axis 1.
        out_channels: Channels that go out.
        kernel_size: Taps along each axis.
        stride: Samples between windows.
        padding: Samples added at each side; "same" or "valid" where torch takes them.
        dilation: Samples between taps.
        bias: Whether there is a bias.
        padding_mode: What the padding holds.
        w_std: Standard deviation that the weights act with; `fan_in` is channels times taps. As in
            `ntkit.networks.Linear` a number, or a tensor that asks for gradients.
        b_std: Standard deviation that the bias acts with, the same.
        generator: Source of the draw; torch's default one if left out.
    """

    n_axes: int
    w_std: Scale
    b_std: Scale

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        *,
        w_std: Scale = 1.0,
        b_std: Scale = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.in_channels: int = positive_int("in_channels", in_channels)
        self.out_channels: int = positive_int("out_channels", out_channels)
        self.kernel_size: tuple[int, ...] = _each("kernel_size", kernel_size, self.n_axes)
        self.stride: tuple[int, ...] = _each("stride", stride, self.n_axes)
        self.dilation: tuple[int, ...] = _each("dilation", dilation, self.n_axes)
        if isinstance(padding, str):
            if padding not in {"same", "valid"}:
                raise ValueError(f'`padding={padding!r}` must be a size, "same" or "valid".')
            if padding == "same" and set(self.stride) != {1}:
                raise ValueError('`padding="same"` needs `stride=1`; give the sizes instead.')
            self.padding: tuple[int, ...] | str = padding
        else:
            self.padding = _each("padding", padding, self.n_axes, least=0)
        if padding_mode not in {"zeros", "circular", "reflect", "replicate"}:
            raise ValueError(
                f'`padding_mode={padding_mode!r}` must be "zeros", "circular", "reflect" or "replicate".'
            )
        self.padding_mode: PaddingMode = padding_mode
        random_source(generator)
        set_scales(self, w_std, b_std)
        self.weight: nn.Parameter = nn.Parameter(
            torch.randn(self._weight_shape(), generator=generator)
        )
        shape = self._bias_shape()
        self.bias: nn.Parameter | None = (
            nn.Parameter(torch.randn(shape, generator=generator)) if bias else None
        )

    @abstractmethod
    def _weight_shape(self) -> tuple[int, ...]: ...

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.out_channels,)

    def _scale(self) -> Scale:
        return self.w_std / sqrt(self.in_channels * prod(self.kernel_size))

    def extra_repr(self) -> str:
        """Sizes and scales, for `repr`."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}, padding={self.padding}, bias={self.bias is not None}, "
            f"w_std={plain(self.w_std):g}, b_std={plain(self.b_std):g}"
        )


class _AbstractShared(_AbstractConvolution):
    def _weight_shape(self) -> tuple[int, ...]:
        return (self.out_channels, self.in_channels, *self.kernel_size)

    def _convolve(self, function: Callable[..., Tensor], x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.b_std * self.bias
        padding = self.padding
        if self.padding_mode != "zeros" and padding != "valid":
            sides = _sides(padding, self.kernel_size, self.dilation)
            x = functional.pad(x, sides, mode=self.padding_mode)
            padding = 0
        return function(self._scale() * x, self.weight, bias, self.stride, padding, self.dilation)


class Conv1d(_AbstractShared):
    """`torch.nn.Conv1d` in the NTK parametrisation: `w_std / sqrt(fan_in) W * x + b_std b`.

    Example:
        >>> Conv1d(3, 8, 3, padding="same")(torch.zeros(1, 3, 5)).shape
        torch.Size([1, 8, 5])
    """

    n_axes = 1

    def forward(self, x: Tensor) -> Tensor:
        """`[n, channels, length]` to the same."""
        return self._convolve(functional.conv1d, x)


class Conv2d(_AbstractShared):
    """`torch.nn.Conv2d` in the NTK parametrisation: `w_std / sqrt(fan_in) W * x + b_std b`.

    Example:
        >>> Conv2d(3, 8, 3, padding=1, w_std=2**0.5)(torch.zeros(1, 3, 5, 5)).shape
        torch.Size([1, 8, 5, 5])
    """

    n_axes = 2

    def forward(self, x: Tensor) -> Tensor:
        """`[n, channels, height, width]` to the same."""
        return self._convolve(functional.conv2d, x)


class Conv3d(_AbstractShared):
    """`torch.nn.Conv3d` in the NTK parametrisation: `w_std / sqrt(fan_in) W * x + b_std b`.

    Example:
        >>> Conv3d(3, 8, 3)(torch.zeros(1, 3, 5, 5, 5)).shape
        torch.Size([1, 8, 3, 3, 3])
    """

    n_axes = 3

    def forward(self, x: Tensor) -> Tensor:
        """`[n, channels, depth, height, width]` to the same."""
        return self._convolve(functional.conv3d, x)


class _AbstractTransposed(_AbstractConvolution):
    """Spreads each input over its window; `fan_in` is counted as channels times taps."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        bias: bool = True,
        dilation: Size = 1,
        *,
        w_std: Scale = 1.0,
        b_std: Scale = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            bias,
            w_std=w_std,
            b_std=b_std,
            generator=generator,
        )
        self.output_padding: tuple[int, ...] = _each(
            "output_padding", output_padding, self.n_axes, least=0
        )

    def _weight_shape(self) -> tuple[int, ...]:
        return (self.in_channels, self.out_channels, *self.kernel_size)

    def _spread(self, function: Callable[..., Tensor], x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.b_std * self.bias
        return function(
            self._scale() * x,
            self.weight,
            bias,
            self.stride,
            self.padding,
            self.output_padding,
            1,
            self.dilation,
        )


class ConvTranspose1d(_AbstractTransposed):
    """`torch.nn.ConvTranspose1d` in the NTK parametrisation; `fan_in` is channels times taps.

    Example:
        >>> ConvTranspose1d(3, 8, 2, stride=2)(torch.zeros(1, 3, 5)).shape
        torch.Size([1, 8, 10])
    """

    n_axes = 1

    def forward(self, x: Tensor) -> Tensor:
        """`[n, channels, length]` to the same."""
        return self._spread(functional.conv_transpose1d, x)


class ConvTranspose2d(_AbstractTransposed):
    """`torch.nn.ConvTranspose2d` in the NTK parametrisation; `fan_in` is channels times taps.

    Example:
        >>> ConvTranspose2d(3, 8, 2, stride=2)(torch.zeros(1, 3, 5, 5)).shape
        torch.Size([1, 8, 10, 10])
    """

    n_axes = 2

    def forward(self, x: Tensor) -> Tensor:
        """`[n, channels, height, width]` to the same."""
        return self._spread(functional.conv_transpose2d, x)


class ConvTranspose3d(_AbstractTransposed):
    """`torch.nn.ConvTranspose3d` in the NTK parametrisation; `fan_in` is channels times taps.

    Example:
        >>> ConvTranspose3d(3, 8, 2, stride=2)(torch.zeros(1, 3, 2, 2, 2)).shape
        torch.Size([1, 8, 4, 4, 4])
    """

    n_axes = 3

    def forward(self, x: Tensor) -> Tensor:
        """`[n, channels, depth, height, width]` to the same."""
        return self._spread(functional.conv_transpose3d, x)


class _AbstractLocal(_AbstractConvolution):
    """A convolution whose windows have weights and biases of their own at each position.

    Its size must be known beforehand.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        in_size: Size,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        bias: bool = True,
        *,
        w_std: Scale = 1.0,
        b_std: Scale = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        self._in_size = _each("in_size", in_size, self.n_axes)
        kernels, strides = (
            _each("kernel_size", kernel_size, self.n_axes),
            _each("stride", stride, self.n_axes),
        )
        pads = _each("padding", padding, self.n_axes, least=0)
        self._out_size = tuple(
            (size + 2 * pad - kernel) // step + 1
            for size, pad, kernel, step in zip(self._in_size, pads, kernels, strides, strict=True)
        )
        super().__init__(
            in_channels,
            out_channels,
            kernels,
            strides,
            pads,
            bias=bias,
            w_std=w_std,
            b_std=b_std,
            generator=generator,
        )

    def _weight_shape(self) -> tuple[int, ...]:
        places = prod(self._out_size)
        return (places, self.out_channels, self.in_channels * prod(self.kernel_size))

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.out_channels, *self._out_size)

    def _windows(self, x: Tensor) -> Tensor:
        """`[n, channels, *in_size]` to `[n, out_channels, *out_size]`.

        Raises:
            ValueError: The positions are not those that the weights were made for.
        """
        if tuple(x.shape[2:]) != self._in_size:
            raise ValueError(f"`x` has positions {tuple(x.shape[2:])}, made for {self._in_size}.")
        assert not isinstance(self.padding, str)
        x = functional.pad(x, _sides(self.padding, self.kernel_size, self.dilation))
        for axis in range(self.n_axes):
            x = x.unfold(axis + 2, self.kernel_size[axis], self.stride[axis])
        # [n, c, *out, *taps] -> [n, places, c * taps]
        axes = range(2, 2 + self.n_axes)
        taps = range(2 + self.n_axes, 2 + 2 * self.n_axes)
        n = x.shape[0]  # `len(x)` would fix the number of images in an exported program
        windows = x.permute(0, *axes, 1, *taps).reshape(n, prod(self._out_size), -1)
        image = torch.einsum("npk,pok->nop", self._scale() * windows, self.weight)
        image = image.reshape(n, self.out_channels, *self._out_size)
        return image if self.bias is None else image + self.b_std * self.bias


class LocalConv1d(_AbstractLocal):
    """A locally connected layer on sequences, in the NTK parametrisation; biases at each place.

    Source: Novak et al. 2019 (arXiv:1810.05148), section 5.1.

    Example:
        >>> LocalConv1d(3, 8, 5, 3)(torch.zeros(1, 3, 5)).shape
        torch.Size([1, 8, 3])
    """

    n_axes = 1

    def forward(self, x: Tensor) -> Tensor:
        """`[n, channels, length]` to the same."""
        return self._windows(x)


class LocalConv2d(_AbstractLocal):
    """A locally connected layer on images, in the NTK parametrisation; biases at each place.

    Source: Novak et al. 2019 (arXiv:1810.05148), section 5.1.

    Example:
        >>> LocalConv2d(3, 8, (5, 6), 3)(torch.zeros(1, 3, 5, 6)).shape
        torch.Size([1, 8, 3, 4])
    """

    n_axes = 2

    def forward(self, x: Tensor) -> Tensor:
        """`[n, channels, height, width]` to the same."""
        return self._windows(x)


class LocalConv3d(_AbstractLocal):
    """A locally connected layer on volumes, in the NTK parametrisation; biases at each place.

    Source: Novak et al. 2019 (arXiv:1810.05148), section 5.1.

    Example:
        >>> LocalConv3d(3, 8, (2, 3, 4), 2)(torch.zeros(1, 3, 2, 3, 4)).shape
        torch.Size([1, 8, 1, 2, 3])
    """

    n_axes = 3

    def forward(self, x: Tensor) -> Tensor:
        """`[n, channels, depth, height, width]` to the same."""
        return self._windows(x)


def _each(name: str, value: Any, count: int, *, least: int = 1) -> tuple[int, ...]:
    """`value` for each axis, checked.

    Raises:
        ValueError: It has another length, or an entry is too small.
    """
    sizes = tuple(whole(name, size) for size in per_axis(value, count))
    if len(sizes) != count or min(sizes) < least:
        raise ValueError(f"`{name}={value!r}` must be {count} whole numbers of at least {least}.")
    return sizes


def _sides(padding: Any, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> list[int]:
    """The padding as `functional.pad` takes it: last axis first, both sides."""
    sides: list[int] = []
    for k in reversed(range(len(kernel))):
        if padding == "same":
            total = dilation[k] * (kernel[k] - 1)
            sides += [total // 2, total - total // 2]
        else:
            sides += [padding[k], padding[k]]
    return sides
