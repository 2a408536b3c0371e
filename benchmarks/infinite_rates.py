"""Kernels of finite networks against the infinite-width rules: how fast the difference falls.

For every layer type with a rule, and every way to join branches, a small network that uses it
(`tests/layer_networks.py`): the kernel of its own Jacobian (`torch.func`, float64, two points)
against `ntkit.ntk` of the very same object, in the standard and in the NTK parametrisation where it
has both. The distance is relative, in the Frobenius norm, in the mean over seeded initialisations: 48,
32, 24, 16 and 16 of them at widths 64, 128, 256, 512 and 1,024, which leaves the fitted exponent a
standard error of about 0.04 to 0.1. A row outside of the band is measured again with six times as many,
other ones; the first exponent stays in its name. Each row names the distance at width 1,024. Read-outs have no bias: its
part, exactly 1 at every width, would hide the rate. Those with dropout are in training mode.
"""

import sys

from benchmarks.report import Row
from tests.layer_networks import COMPOSED, LAYERS, Example, Parametrisation
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


AGAIN = 6
"""Times as many, where the exponent of the first ones is outside of the band."""

LOWEST, HIGHEST = -0.65, -0.35


def exponent(
    example: Example, parametrisation: Parametrisation, times: int, *, training: bool
) -> tuple[float, float]:
    """The fitted exponent, and the distance at the largest width."""
    means = []
    first = 0 if times == 1 else 1000
    for width, count in SEEDS.items():
        seeds = range(first, first + times * count)
        found = deviations_from_limit(example, width, seeds, parametrisation, training=training)
        means.append(sum(sizes(found)) / len(seeds))
    return fitted_exponent(list(SEEDS), means), means[-1]


def measure() -> list[Row]:
    rows = []
    for name, example in networks().items():
        training = "dropout" in name
        for parametrisation in example.parametrisations:
            found, distance = exponent(example, parametrisation, 1, training=training)
            what = f"{name}, {parametrisation} ({distance:.3f})"
            if not LOWEST <= found <= HIGHEST:
                what += f", {found:.3f} at first, again with {AGAIN} times the initialisations"
                found, _ = exponent(example, parametrisation, AGAIN, training=training)
            row = Row(what, found, at_least=LOWEST, at_most=HIGHEST)
            print(f"{row.measured:+.3f} {row.what}", file=sys.stderr, flush=True)
            rows.append(row)
    return rows
