"""Training of the image job beside its matrix products alone: time of a step.

A 4 x 256 ReLU network on 256 Gaussian frequencies (512 features) fits every other pixel of a photo of 512 x 512,
float32, minibatches of 4,096, Adam. The products alone are those of a step, forward and backward, as a bare loop
over `torch.mm` into arrays that are there. Beside it, in one process and by turns of a few steps each:

- a plain loop as in a tutorial, which encodes each batch and leaves Adam at its defaults;
- the same with features computed once and Adam fused;
- `ntkit.tasks.Trainer`, without and with the running average of the weights, and with products in bfloat16.

A ratio is the median over the rounds of the times of two neighbours. By the clock it is what was promised; the
processor's own seconds are the same on an idle machine with one thread, and steadier on a busy one.

Below, two things apart: a step of Adam on moments that have shrunk to denormal numbers, as those of units that are
no longer reached do, which `Trainer` flushes to zero; and what bfloat16 costs in quality: the PSNR of what is held
out after 1,000 steps of Adam (averaged where that fits better) in both precisions, on data of four kinds.
"""

import time
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from typing import get_args

import torch
from torch import nn

from benchmarks.choice_items import SIZES as ITEM_SIZES
from benchmarks.choice_items import item
from benchmarks.report import Row
from benchmarks.signals import photo
from ntkit.encodings import Gaussian
from ntkit.networks import mlp
from ntkit.tasks import Budget, Signal, Trainer, psnr, train
from ntkit.tasks.budget import Precision

BATCH = 4096
SIZES = (512, 256, 256, 256, 256, 3)
STEPS = 4
"""Of each contestant in a turn."""

ROUNDS = 20
PLAIN, TRAINER, AVERAGED = "plain loop", "`Trainer`", "`Trainer`, averaging"
HALF = "`Trainer`, bfloat16"
PROMISED = 1.12
JUDGED = {"kodim05": 4.5, "piano": 260.0, "mri": 1.0, "alpine": 1.4}
"""Data of `choice_items`, with the bandwidth that was chosen there."""

Step = Callable[[], object]


class _Stop(Exception):
    pass


def network() -> nn.Sequential:
    g = torch.Generator().manual_seed(0)
    return mlp(Gaussian(2, 256, 10.0, g), 3, width=256, depth=4, generator=g)


def products() -> Step:
    """The matrix products of a step, as `nn.Linear` and its derivative lay them out."""
    g = torch.Generator().manual_seed(0)
    weights = [torch.randn(b, a, generator=g) / a**0.5 for a, b in pairwise(SIZES)]
    inputs = [torch.randn(BATCH, n, generator=g) for n in SIZES[:-1]]
    errors = [torch.randn(BATCH, n, generator=g) for n in SIZES[1:]]
    outputs = [torch.empty_like(e) for e in errors]
    passed_on = [torch.empty_like(x) for x in inputs]
    gradients = [torch.empty_like(w) for w in weights]

    def step() -> None:
        for x, w, out in zip(inputs, weights, outputs, strict=True):
            torch.mm(x, w.T, out=out)
        for k in reversed(range(len(weights))):
            torch.mm(errors[k].T, inputs[k], out=gradients[k])
            if k > 0:  # nothing is trained below the first layer
                torch.mm(errors[k], weights[k], out=passed_on[k])

    return step


def loop(signal: Signal, *, once: bool) -> Step:
    """A step of a hand-written loop."""
    net = network()
    body = net[1:] if once else net
    optimiser = torch.optim.Adam(body.parameters(), lr=1e-3, fused=True if once else None)
    points = signal.grid.points().float()
    inputs = net[0](points) if once else points
    values = signal.values.reshape(len(points), -1).float()
    held_out = signal.held_out.flatten()
    x, y = inputs[~held_out], values[~held_out]
    generator = torch.Generator().manual_seed(0)

    def step() -> None:
        batch = torch.randint(len(x), (BATCH,), generator=generator)
        optimiser.zero_grad()
        nn.functional.mse_loss(body(x[batch]), y[batch]).backward()
        optimiser.step()

    return step


def trained(signal: Signal, *, average: bool, precision: Precision = "float32") -> Step:
    """`STEPS` steps of `Trainer`, which is stopped after each turn and goes on in the next."""
    budget = Budget("adam", 1e-3, 10**6, BATCH, precision=precision)
    trainer = Trainer(network(), signal, budget, average=average)

    def halt(step: int, _: float) -> None:
        if step % STEPS == 0:
            raise _Stop

    def turn() -> None:
        try:
            trainer.run(evaluate_at=(), on_step=halt)
        except _Stop:
            return

    return turn


def repeated(step: Step) -> Step:
    def turn() -> None:
        for _ in range(STEPS):
            step()

    return turn


def timed(turns: dict[str, Step]) -> dict[str, list[tuple[float, float]]]:
    """Seconds of each turn, of the clock and of the processor, round by round."""
    for turn in turns.values():
        turn()
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in turns}
    for _ in range(ROUNDS):
        for name, turn in turns.items():
            start = time.perf_counter(), time.process_time()
            turn()
            end = time.perf_counter(), time.process_time()
            found[name].append((end[0] - start[0], end[1] - start[1]))
    return found


def stale_adam(*, flushed: bool) -> float:
    """Milliseconds of a step of Adam on moments of four of the smallest numbers; the median of ten."""
    weights = [nn.Parameter(torch.ones(b, a)) for a, b in pairwise(SIZES)]
    optimiser = torch.optim.Adam(weights, fused=True)
    for w in weights:
        w.grad = torch.zeros_like(w)
    optimiser.step()
    torch.set_flush_denormal(flushed)
    seconds = []
    for _ in range(10):
        for state in optimiser.state.values():
            state["exp_avg"].view(torch.int32).fill_(4)  # the bits of 5.6e-45
        start = time.process_time()
        optimiser.step()
        seconds.append(time.process_time() - start)
    torch.set_flush_denormal(False)
    return 1e3 * median(seconds)


def after_training(name: str, precision: Precision) -> float:
    """PSNR of what is held out, dB."""
    task, g = item(name, ITEM_SIZES["reduced"]), torch.Generator().manual_seed(0)
    encoding = Gaussian(task.in_dim, 256, JUDGED[name], g)
    net = mlp(encoding, task.n_outputs, width=256, depth=4, generator=g)
    budget = Budget("adam", 1e-3, 1000, BATCH, precision=precision)
    return psnr(train(net, task, budget, average=True)[-1].held_out)


def measure() -> list[Row]:
    signal = Signal(photo())
    turns = {
        "products": repeated(products()),
        PLAIN: repeated(loop(signal, once=False)),
        "features computed once": repeated(loop(signal, once=True)),
        TRAINER: trained(signal, average=False),
        AVERAGED: trained(signal, average=True),
        HALF: trained(signal, average=True, precision="bfloat16"),
    }
    found = timed(turns)
    bare = found["products"]
    rows = []
    for name, seconds in found.items():
        speed = STEPS * BATCH / median(s[0] for s in seconds)
        rows.append(Row(f"{name}: samples a second", speed))
    for name, seconds in found.items():
        if name == "products":
            continue
        for clock, where in enumerate(("by the clock", "of the processor")):
            ratio = median(s[clock] / b[clock] for s, b in zip(seconds, bare, strict=True))
            promised = PROMISED if name in {TRAINER, AVERAGED} else None
            rows.append(Row(f"{name}: times the products, {where}", ratio, "", promised))
    return [
        *rows,
        Row("a step of Adam on denormal moments", stale_adam(flushed=False), "ms"),
        Row("the same, flushed", stale_adam(flushed=True), "ms"),
        *(
            Row(f"{name}, held out, in {precision}", after_training(name, precision), "dB")
            for name in JUDGED
            for precision in get_args(Precision)
        ),
    ]
