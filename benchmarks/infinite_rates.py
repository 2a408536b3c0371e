"""Kernels of finite networks against the infinite-width rules: how fast the difference falls.

For every layer type with a rule, and every way to join branches, a small network that uses it
(`tests/layer_networks.py`): the kernel of its own Jacobian (`torch.func`, float64, two points)
against `ntkit.ntk` of the very same object, in the standard and in the NTK parametrisation where it
has both. The distance is relative, in the Frobenius norm, in the mean over seeded initialisations: 48,
32, 24, 16 and 16 of them at widths 64, 128, 256, 512 and 1,024, which leaves the fitted exponent a
standard error of about 0.04. Each row names the distance at width 1,024. Read-outs have no bias: its
part, exactly 1 at every width, would hide the rate. Those with dropout are in training mode.
"""

import sys

from benchmarks.report import Row
from tests.layer_networks import COMPOSED, LAYERS, Example
from tests.rates import deviations_from_limit, fitted_exponent, sizes

SEEDS = {64: 48, 128: 32, 256: 24, 512: 16, 1024: 16}
"""Initialisations at each width."""


def networks() -> dict[str, Example]:
    """Every network with a rate, by the name of what it uses."""
    named = {
        f"{'nn' if kind.__module__.startswith('torch.') else 'networks'}.{kind.__name__}": example
        for kind, example in LAYERS.items()
        if not example.why_no_rate
    }
    return {**named, **COMPOSED}


def measure() -> list[Row]:
    rows = []
    for name, example in networks().items():
        for parametrisation in example.parametrisations:
            means = []
            for width, seeds in SEEDS.items():
                found = deviations_from_limit(
                    example, width, range(seeds), parametrisation, training="dropout" in name
                )
                means.append(sum(sizes(found)) / seeds)
            row = Row(
                f"{name}, {parametrisation} ({means[-1]:.3f})",
                fitted_exponent(list(SEEDS), means),
                at_least=-0.65,
                at_most=-0.35,
            )
            print(f"{row.measured:+.3f} {row.what}", file=sys.stderr, flush=True)
            rows.append(row)
    return rows
