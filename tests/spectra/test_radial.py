"""Spectra: exact for periodic kernels, Rayleigh quotients otherwise, Parseval for signals."""

import pytest
import torch

import ntkit
from ntkit.spectra import kernel_spectrum, power_spectrum
from tests.cases import randn


def test_periodic_kernel_gives_its_eigenvalues() -> None:
    net = ntkit.networks.mlp(ntkit.encodings.Basic(1), 1, width=32, depth=2)
    kernel = ntkit.ntk(net)
    frequency, value = kernel_spectrum(kernel, (32,))
    exact = torch.linalg.eigvalsh(kernel(ntkit.Grid(32).points())).flip(0) / 32
    both = torch.cat([value[:1], value[1:16].repeat_interleave(2), value[16:]])
    torch.testing.assert_close(both.sort(descending=True).values, exact, rtol=1e-10, atol=1e-12)
    assert frequency.tolist() == list(range(17))


def test_other_kernels_give_rayleigh_quotients() -> None:
    draw = torch.Generator().manual_seed(0)
    encoding = ntkit.encodings.Gaussian(1, 16, 3.0, draw)
    kernel = ntkit.ntk(ntkit.networks.mlp(encoding, 1, width=32, depth=2, generator=draw))
    _, value = kernel_spectrum(kernel, (24,))
    x = ntkit.Grid(24).points()
    modes = torch.exp(2j * torch.pi * x * torch.arange(13)) / 24**0.5
    quotients = (modes.conj() * (kernel(x).to(modes.dtype) @ modes)).sum(0).real / 24
    torch.testing.assert_close(value, quotients, rtol=1e-9, atol=1e-12)
    assert bool((value > 0).all())


def test_a_wave_stands_at_its_frequency() -> None:
    y, x = ntkit.Grid((32, 48)).points().reshape(32, 48, 2).unbind(-1)
    frequency, power = power_spectrum(torch.sin(2 * torch.pi * (3 * y + 4 * x))[..., None])
    assert int(frequency[power.argmax()]) == 5


def test_white_noise_is_flat_and_keeps_its_power() -> None:
    draw = torch.Generator().manual_seed(0)
    _, power = power_spectrum(torch.randn(128, 128, 1, generator=draw, dtype=torch.float64))
    shells = power[2:60]
    assert abs(float(shells.mean()) * 128**2 - 1) < 0.05
    assert float(shells.std() / shells.mean()) < 0.3


@pytest.mark.parametrize("shape", [(9,), (8,), (7, 10), (6, 9), (4, 5, 6), (5, 2)])
def test_power_is_the_mean_over_shells_of_the_whole_transform(shape: tuple[int, ...]) -> None:
    values = randn(*shape, 2)
    windowed = values - values.flatten(0, -2).mean(0)
    for axis, n in enumerate(shape):
        window = torch.hann_window(n, dtype=torch.float64) * (8 / 3) ** 0.5
        windowed = windowed * window.reshape([
            -1 if k == axis else 1 for k in range(len(shape) + 1)
        ])
    n_samples = windowed[..., 0].numel()
    whole = (torch.fft.fftn(windowed, dim=[*range(len(shape))]).abs() / n_samples).square().sum(-1)
    shells: dict[int, list[float]] = {}
    for index in torch.cartesian_prod(*map(torch.arange, shape)).reshape(-1, len(shape)).tolist():
        signed = [i - n if 2 * i >= n else i for i, n in zip(index, shape, strict=True)]
        shells.setdefault(round(sum(k**2 for k in signed) ** 0.5), []).append(
            float(whole[tuple(index)])
        )
    for frequency, power in zip(*power_spectrum(values), strict=True):
        wanted = shells.get(int(frequency), [0.0])
        assert float(power) == pytest.approx(sum(wanted) / len(wanted), rel=1e-10, abs=1e-15)
