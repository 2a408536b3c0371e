"""Every rule in steps against `torch.optim.SGD` on the linearised network itself, in float64.

A network 3-64-64-2 with tanh is linearised by `ntkit.linearize` and trained on 12 samples for 1,000
full-batch steps on `1/2 * sum w (f - y)^2`, and with a ridge towards its start; the prediction comes
from the empirical kernel, with all its outputs. The figure is the largest difference of an output on
20 other points over the largest output, and of a parameter over the largest of its tensor. The
learning rates are a half of the limit of stability, and a quarter of it.
"""

from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.report import Row
from ntkit import GradientDescent, Momentum, Nesterov, empirical_ntk, linearize
from ntkit.dynamics.descent import AbstractDescent

STEPS = 1000
RULES = {
    "gradient descent": GradientDescent,
    "momentum 0.9": partial(Momentum, beta=0.9),
    "momentum 0.99": partial(Momentum, beta=0.99),
    "Nesterov 0.9": partial(Nesterov, beta=0.9),
    "Nesterov 0.99": partial(Nesterov, beta=0.99),
}


def trained(net: nn.Module, rule: AbstractDescent, x: Tensor, y: Tensor) -> nn.Module:
    linear = linearize(net)
    parameters = list(linear.parameters())
    start = [p.detach().clone() for p in parameters]
    optimiser = rule.optimiser()(parameters)
    weights = rule.sample_weights[:, None]
    for _ in range(STEPS):
        optimiser.zero_grad()
        (0.5 * weights * (linear(x) - y) ** 2).sum().backward()
        for p, p0 in zip(parameters, start, strict=True):
            p.grad.add_(p.detach() - p0, alpha=rule.ridge)
        optimiser.step()
    return linear


def relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


def measure() -> list[Row]:
    g = torch.Generator().manual_seed(0)
    layers = [nn.Linear(3, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2)]
    net = nn.Sequential(*layers).double()
    for p in net.parameters():
        p.data = torch.randn(p.shape, generator=g, dtype=p.dtype) / p.shape[-1] ** 0.5
    x, other, y = (
        torch.randn(*shape, generator=g, dtype=torch.float64)
        for shape in ((12, 3), (20, 3), (12, 2))
    )
    kernel = empirical_ntk(net, "full")
    weights = torch.rand(12, generator=g, dtype=torch.float64)
    rows = []
    for name, make in RULES.items():
        for extra, options in (
            ("", {}),
            (", a ridge and sample weights", {"ridge": 0.5, "sample_weights": weights}),
        ):
            limit = make(kernel, x, y, lr=1e-6, **options).stability_limit
            for share in (0.5, 0.25):
                if extra and share < 0.5:
                    continue
                rule = make(kernel, x, y, lr=share * limit, f0=net, **options)
                linear = trained(net, rule, x, y)
                error = relative(rule.predict(other, [STEPS])[0], linear(other).detach())
                predicted = rule.weights(STEPS)
                moved = max(
                    relative(predicted[k], p.detach()) for k, p in linear.named_parameters()
                )
                where = f"{name} at {share:g} of the limit{extra}"
                rows.append(Row(f"{where}: outputs", error, at_most=1e-9))
                rows.append(Row(f"{where}: parameters", moved, at_most=1e-9))
    return rows
