"""One dimension, theory against practice: predicted and real losses of networks of width 1,024.

The setting of figure 3 of the Fourier-features paper (Tancik et al. 2020): 32 samples of a 1/f signal of
range 1, features `a_j = j^-p`, three hidden ReLU layers of 1,024, NTK parametrisation, the start
subtracted; full-batch SGD in float64 at `lr = 0.5 / lambda_max`, 10,000 steps, looked at 33 times, or
until the loss is below 1e-6 of its start (`theory_curves`). The prediction is `(1 - lr s)^k` on each mode
of `ntkit.spectrum`, from the kernel before training; nothing is fitted and the steps are exact.

"Of the start" is the largest difference of the losses over the loss at the start. "Relative" is the
largest difference over the predicted loss, as long as that is above 1 % of its start: below, an error
of one part in a hundred in a rate is one of a tenth in the loss and more. Both are asked to be within
10 %, of the kernel of infinite width. Two things part the curves. The kernel of a network of width 1,024
is some 7 % off its limit, which adds up in the exponent: the rows of the network's own kernel at the
start (`empirical_ntk`) are without that. And the kernel changes in training, the more the larger the
signal and the smaller the eigenvalues that have to move it: the rows of smaller signals tell. With both
gone, in the lazy regime that the theory is about (the own kernel, a signal of range 1e-4), the relative
difference is asked to be within 10 % over all of the curve.
"""

import json

import torch
from torch import Tensor

import ntkit
from benchmarks.report import Row
from benchmarks.theory_curves import FOLDER, SCALES, STEPS, WIDTH
from examples.fourier_features_1d import OVERSAMPLING, POWERS, TRAIN, network, one_over_f


def predicted(kernel: ntkit.kernels.AbstractKernel, y: Tensor, lr: float) -> Tensor:
    """The loss after each of `STEPS` steps of gradient descent."""
    spectrum = ntkit.spectrum(kernel, TRAIN.points())
    left = (1 - lr * spectrum.eigenvalues) ** torch.tensor(STEPS)[:, None]
    return 0.5 * left**2 @ spectrum.power(y)


def differences(real: Tensor, theory: Tensor, down_to: float) -> tuple[float, float]:
    """Of the start, and relative down to a share of it."""
    theory = theory[: len(real)]
    gap = (real - theory).abs()
    large = theory > down_to * theory[0]
    return float(gap.max() / theory[0]), float((gap / theory)[large].max())


def measure() -> list[Row]:
    rows = []
    y = one_over_f(torch.Generator().manual_seed(0))[::OVERSAMPLING]
    for k, name in enumerate(POWERS):
        net = network(POWERS[name], WIDTH, torch.Generator().manual_seed(0)).double()
        kernels = {"infinite width": ntkit.ntk(net), "its own kernel": ntkit.empirical_ntk(net)}
        for scale in SCALES:
            curve = json.loads((FOLDER / f"{k}_{scale:g}.json").read_text(encoding="utf-8"))
            assert (curve["name"], curve["scale"]) == (name, scale)
            real = torch.tensor(curve["train"], dtype=torch.float64)
            for which, kernel in kernels.items():
                is_lazy = which == "its own kernel" and scale == min(SCALES)
                theory = predicted(kernel, scale * y, curve["lr"])
                of_start, relative = differences(real, theory, 0.0 if is_lazy else 0.01)
                asked = 0.1 if is_lazy or (scale == 1 and which == "infinite width") else None
                what = f"{name}, {which}" + ("" if scale == 1 else f", signal times {scale:g}")
                rows += [
                    Row(f"{what}: of the start", of_start, at_most=asked),
                    Row(
                        f"{what}: relative{', all of it' if is_lazy else ''}",
                        relative,
                        at_most=asked,
                    ),
                ]
    return rows
