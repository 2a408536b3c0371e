"""The pictures of a reconstruction, into its folder."""

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ntkit import figures
from ntkit._core.whole_files import write_with
from ntkit.experiments.problems import Problem
from ntkit.experiments.reconstruct_result import ReconstructRun
from ntkit.experiments.reconstruct_scores import modulus
from ntkit.reconstruction import whiteness

__all__ = ["draw_reconstruction"]

_AXES = {
    "ct": ("views", "detectors", "rows"),
    "mri": ("along kz", "along ky", "along kx"),
    "image": ("along columns", "along rows"),
}
"""Of a picture of the data; k-space of two axes has no kz."""


def draw_reconstruction(run: ReconstructRun, problem: Problem) -> None:
    """The pictures, how total variation and the kernel were chosen, and what is left of the data.

    Args:
        run: The run; its arrays are in its folder.
        problem: Its data.
    """
    _save(run, _pictures(run, problem), "images")
    if run.table:
        _save(run, _strengths(run), "choice")
    if len(run.priors) > 1:
        _save(run, _priors(run), "evidence")
    if run.leftover.size > run.leftover.NOTHING:
        _save(run, _residual(run, problem), "residual")


def _pictures(run: ReconstructRun, problem: Problem) -> Figure:
    """The reconstruction, its error bar, what it is compared with, and where the truth is known that and the error."""
    found = modulus(torch.from_numpy(run.field))
    truth = None if problem.truth is None else modulus(problem.truth)
    limits = _limits(found if truth is None else truth)
    unit = f"{run.unit}" if run.unit else "level"

    def panel(name: str, values: Tensor, title: str) -> figures.MapPanel:
        score = run.scores.get(name, {}).get("psnr")
        second = "" if score is None else f"\n{score:.1f} dB"
        return figures.MapPanel(title + second, values, limits, unit)

    panels = [panel("reconstruction", found, "reconstruction")]
    deviation = run.deviation
    if deviation is not None:
        bar = _one_channel(torch.from_numpy(deviation), problem)
        top = float(torch.quantile(bar.flatten().double(), 0.995)) or 1.0
        panels.append(
            figures.MapPanel("error bar\n(1 standard deviation)", bar, (0.0, top), unit, "magma")
        )
    for name, picture in run.alternatives.items():
        same = name == "total variation alone" and run.choice.weight == 0
        if name != "kernel alone" and not same:
            panels.append(panel(name, modulus(torch.from_numpy(picture)), name))
    if truth is not None:
        panels.append(figures.MapPanel("truth\n", truth, limits, unit))
        error = _one_channel(found - truth, problem)
        reach = float(torch.quantile(error.abs().flatten().double(), 0.995)) or 1.0
        panels.append(
            figures.MapPanel(
                "error\n(reconstruction - truth)", error, (-reach, reach), unit, "RdBu_r"
            )
        )
    return figures.maps_figure(panels)


def _limits(picture: Tensor) -> tuple[float, float]:
    """Black and white: all but the outermost thousandths of the values."""
    low, high = np.quantile(picture.double().numpy(), [0.001, 0.999])
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1.0)


def _one_channel(values: Tensor, problem: Problem) -> Tensor:
    """Of colours, the one that is largest in size."""
    if values.ndim == len(problem.A.field_shape):
        return values
    largest = values.abs().argmax(-1, keepdim=True)
    return values.gather(-1, largest)[..., 0]


def _strengths(run: ReconstructRun) -> Figure:
    """One curve a share of the kernel's weight; the star is what was chosen."""
    curves = {}
    for share in sorted({trial.share for trial in run.table}, reverse=True):
        rows = [trial for trial in run.table if trial.share == share]
        name = f"kernel, {share:g} of its weight" if share else "total variation alone"
        curves[name] = (
            np.array([t.total_variation for t in rows]),
            np.array([t.score for t in rows]),
        )
    strength, has_kernel = run.choice.total_variation, run.choice.prior is not None
    best = next(
        t for t in run.table if t.total_variation == strength and (t.share > 0) == has_kernel
    )
    return figures.strengths_figure(
        curves,
        chosen=(best.total_variation, best.score),
        ylabel="error of what was held out\n(mean of log(1 + (error / noise)²))",
    )


def _priors(run: ReconstructRun) -> Figure:
    names, scores = [row.name for row in run.priors], [row.log_evidence for row in run.priors]
    return figures.ranking_figure(
        names, scores, xlabel="behind the likeliest kernel (difference of log evidence)"
    )


def _residual(run: ReconstructRun, problem: Problem) -> Figure:
    residual = problem.spread(torch.from_numpy(run.residual))
    found = whiteness(residual)
    names = _AXES[run.spec.of]
    names = names[-residual.ndim :] if run.spec.of == "mri" else names[: residual.ndim]
    middle = [n // 2 for n in found.autocorrelation.shape]
    curves = {}
    for axis, name in enumerate(names):
        at: list[int | slice] = list(middle)
        at[axis] = slice(middle[axis], None)
        curves[name] = found.autocorrelation[tuple(at)]
    picture = residual.real if residual.is_complex() else residual
    if picture.ndim == 3:  # the middle row of a detector, or the middle plane of k-space
        axis = 0 if run.spec.of == "mri" else 2
        picture = picture.select(axis, picture.shape[axis] // 2)
        names = tuple(name for k, name in enumerate(names) if k != axis)
    return figures.whiteness_figure(
        picture, curves, chance=found.chance, xlabel=names[1], ylabel=names[0]
    )


def _save(run: ReconstructRun, figure: Figure, name: str) -> None:
    write_with(run.folder / f"{name}.png", lambda path: figures.save(figure, path))
