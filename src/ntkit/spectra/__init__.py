"""Spectra: how fast a kernel learns each mode or frequency, and how much of a signal lies there."""

from ntkit.spectra.decompose import spectrum
from ntkit.spectra.density import Estimate, SpectralDensity, spectral_density
from ntkit.spectra.radial import kernel_spectrum, power_left, power_spectrum
from ntkit.spectra.spectrum import Spectrum
from ntkit.spectra.waves import amplitudes, waves

__all__ = [
    "Estimate",
    "SpectralDensity",
    "Spectrum",
    "amplitudes",
    "kernel_spectrum",
    "power_left",
    "power_spectrum",
    "spectral_density",
    "spectrum",
    "waves",
]
