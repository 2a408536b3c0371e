"""Spectrum: how fast a kernel learns each frequency, and how much of a signal lies there."""

from ntkit.spectra.radial import kernel_spectrum, power_spectrum

__all__ = ["kernel_spectrum", "power_spectrum"]
