"""`DeepinvReconstructor` on deepinv's own physics: adjoints, quality beside deepinv's own, its test loop.

In an environment of its own, with deepinv and scikit-image beside ntkit: `python -m benchmarks.deepinv_check`. A slice
of a head at 64 x 64 (`NTKIT_DEEPINV_SIZE`), values of order one, noise 0.01. The least squares are `physics.A_dagger`;
total variation is deepinv's FISTA with `TVPrior`, 100 iterations, without bounds, the best of five weights *against the
truth*, which nobody has; ours sees the measurements alone, and is not below zero for tomography. Measurements are
simulated by the physics that reconstructs: what is compared is methods.
"""

import os
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.report import Row, write

try:
    torch.ops.torchvision.nms  # noqa: B018
except (
    AttributeError,
    RuntimeError,
):  # a torchvision built for another torch: deepinv needs its names alone
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

import deepinv  # pyright: ignore[reportMissingImports]
from deepinv import physics as kinds  # pyright: ignore[reportMissingImports]

from benchmarks.reconstruction_items import picture
from ntkit.estimators import DeepinvReconstructor
from ntkit.measurements import adjoint_mismatch, physics_parts

SIZE = int(os.environ.get("NTKIT_DEEPINV_SIZE", "64"))
WEIGHTS = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
PSNR = deepinv.loss.metric.PSNR(max_pixel=None)


def lines(keep: float, centre: int, seed: int, size: int = SIZE) -> Tensor:
    """A mask `[size, size]` of columns of k-space, those in the middle and some others."""
    mask = torch.rand(size, generator=torch.Generator().manual_seed(seed)) < keep
    mask[size // 2 - centre : size // 2 + centre] = True
    return mask.float().expand(size, size)


def coils(count: int) -> Tensor:
    """Smooth weights `[1, count, SIZE, SIZE]` of coils about the picture."""
    place = torch.linspace(-1, 1, SIZE)
    y, x = torch.meshgrid(place, place, indexing="ij")
    angle = 2 * torch.pi * torch.arange(count)[:, None, None] / count
    far = (y - 1.2 * angle.sin()) ** 2 + (x - 1.2 * angle.cos()) ** 2
    maps = torch.polar(torch.exp(-far / 1.5), angle + 0.5 * x)
    return (maps / maps.abs().square().sum(0).sqrt())[None]


def cases() -> dict[str, tuple[Callable[[], kinds.LinearPhysics], int]]:
    """Physics by name, and how many channels they take."""
    one, rng = (1, SIZE, SIZE), torch.Generator().manual_seed(0)
    return {
        "Tomography, 30 angles": (lambda: kinds.Tomography(30, SIZE, normalize=True), 1),
        "MRI, 4-fold": (lambda: kinds.MRI(mask=lines(0.15, SIZE // 16, 0)), 2),
        "MultiCoilMRI, 4 coils, 4-fold": (
            lambda: kinds.MultiCoilMRI(mask=lines(0.15, SIZE // 16, 0)[None], coil_maps=coils(4)),
            2,
        ),
        "Inpainting, half": (lambda: kinds.Inpainting(one, mask=0.5, rng=rng), 1),
        "Downsampling, factor 2": (
            lambda: kinds.Downsampling(img_size=one, filter="gaussian", factor=2),
            1,
        ),
    }


def by_total_variation(y: Tensor, physics: kinds.LinearPhysics, x: Tensor) -> float:
    """PSNR of deepinv's total variation at the best of the weights."""
    norm = float(physics.compute_sqnorm(torch.randn_like(x), verbose=False))
    found = []
    for weight in WEIGHTS:
        model = deepinv.optim.FISTA(
            prior=deepinv.optim.TVPrior(n_it_max=20),
            data_fidelity=deepinv.optim.L2(),
            stepsize=0.99 / norm,
            lambda_reg=weight,
            max_iter=100,
            early_stop=True,
        )
        with torch.no_grad():
            found.append(float(PSNR(model(y, physics), x)))
    return max(found)


def rows_of(name: str) -> list[Row]:
    make, channels = cases()[name]
    physics = make()
    physics.noise_model = kinds.GaussianNoise(0.01, rng=torch.Generator().manual_seed(1))
    x = picture("head0", SIZE).float()[None, None]
    if channels == 2:
        x = torch.cat([x, 0.2 * x], 1)
    y = physics(x)
    mismatch = max(adjoint_mismatch(A) for A in physics_parts(physics, y))
    began = time.perf_counter()
    found = DeepinvReconstructor()(y, physics)
    seconds = time.perf_counter() - began
    ours, least = float(PSNR(found, x)), float(PSNR(physics.A_dagger(y), x))
    total_variation = by_total_variation(y, physics, x)
    return [
        Row(f"{name}: mismatch of the adjoint", mismatch, at_most=1e-6),
        Row(f"{name}: ours", ours, "dB", at_least=least),
        Row(f"{name}: least squares (`A_dagger`)", least, "dB"),
        Row(f"{name}: total variation, best weight against the truth", total_variation, "dB"),
        Row(f"{name}: time of ours", seconds, "s"),
    ]


def rows_of_test_loop() -> list[Row]:
    """`deepinv.test` on a batch of two whose items have masks of their own, against each item by itself."""
    x = torch.cat([picture(name, 32).float()[None, None] for name in ("head0", "head2")])
    x = torch.cat([x, 0.2 * x], 1)
    masks = torch.stack([lines(0.3, 4, seed, 32).expand(2, 32, 32) for seed in (0, 1)])
    physics = kinds.MRI(mask=masks)
    y = physics(x)
    model = DeepinvReconstructor()
    whole = model(y, physics)
    alone = torch.cat([
        model(y[k : k + 1], kinds.MRI(mask=masks[k : k + 1])) for k in range(len(x))
    ])
    data = deepinv.datasets.TensorDataset(x=x, y=y)
    found = deepinv.test(
        model,
        torch.utils.data.DataLoader(data, batch_size=2),
        physics,
        metrics=PSNR,
        compare_no_learning=True,
        verbose=False,
        show_progress_bar=False,
    )
    ours = float(PSNR(whole, x).mean())
    return [
        Row(
            "a mask each: batch against single items",
            float((whole - alone).abs().max()),
            at_most=1e-5,
        ),
        Row("`deepinv.test` against ours", abs(found["PSNR"] - ours), "dB", at_most=1e-3),
        Row("`deepinv.test`, zero filling", found["PSNR no learning"], "dB", at_most=ours),
    ]


def main() -> int:
    warnings.filterwarnings("ignore", module="deepinv")
    torch.set_num_threads(1)
    began, rows = time.perf_counter(), []
    about = f"{__doc__}\n\ndeepinv {deepinv.__version__}, {SIZE} x {SIZE}."
    for make in (rows_of_test_loop, *(partial(rows_of, name) for name in cases())):
        rows += make()
        print(*rows[-5:], sep="\n", flush=True)
        table = write("deepinv_check", about, rows, time.perf_counter() - began)
    print(table)
    return int(any(row.is_met is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
