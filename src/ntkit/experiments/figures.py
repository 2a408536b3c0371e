"""The pictures of a tuning run."""

from collections.abc import Sequence
from math import inf, isfinite
from pathlib import Path
from statistics import fmean

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ntkit.experiments.proof import Proof
from ntkit.figures.style import BLUE, GREEN, GREY, ORANGE, STYLE
from ntkit.kernels import ntk
from ntkit.spectra import kernel_spectrum, power_spectrum
from ntkit.tasks.signals import Signal, psnr
from ntkit.tuning import TuneResult, build_network
from ntkit.tuning.choice import name_of

__all__ = ["bandwidth_figure", "images_figure", "learning_figure", "save", "spectrum_figure"]


_MOST_OBLONG = 2.5
"""Pictures with sides further apart than this are drawn squeezed: 40 x 3,000 would be 31,000 pixels high."""


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG."""
    figure.savefig(path, dpi=130, bbox_inches="tight", facecolor="white")


def bandwidth_figure(result: TuneResult, proofs: Sequence[Proof]) -> Figure:
    """Predicted PSNR against bandwidth, one curve a budget, with what was measured."""
    rows = [r for r in result.table if r.candidate.name == "gaussian"]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.5, 4.2), layout="constrained")
        axes = list(figure.subplots(1, 2))
        shades = mpl.colormaps["viridis"](np.linspace(0.05, 0.8, len(result.steps)))
        for axis, attribute, title in (
            (axes[0], "held_out", "Between the training samples (held out)"),
            (axes[1], "train", "On the training samples"),
        ):
            for shade, steps in zip(shades, result.steps, strict=True):
                if steps == inf and attribute == "train":
                    continue  # a perfect fit at every bandwidth
                values = [getattr(r.at(steps), attribute) for r in rows]
                label = name_of(steps)
                wide = 2.6 if steps == result.budget.steps else 1.4
                axis.plot([r.candidate.bandwidth for r in rows], values, "o-", ms=3.5, color=shade,
                          lw=wide, label=label)  # fmt: skip
            if result.models:
                bandwidths, levels = _model_points(result, attribute)
                axis.plot(bandwidths, levels, "D", ms=7, mfc="none", mew=1.4, color=BLUE,
                          label="scale models, at this level", zorder=4)  # fmt: skip
            for proof in proofs:
                if proof.candidate.bandwidth is not None and proof.candidate.name == "gaussian":
                    measured = proof.held_out_psnr if attribute == "held_out" else proof.train_psnr
                    axis.plot(proof.candidate.bandwidth, measured, "*", ms=15, color=ORANGE,
                              label="measured", zorder=5)  # fmt: skip
            if attribute == "held_out":
                axis.axhline(result.bicubic, color=GREY, ls="--", lw=1.2, label="bicubic")
            axis.set(xscale="log", xlabel="bandwidth (cycles per unit of coordinate)", title=title)
            _plain_ticks(axis, [r.candidate.bandwidth or 1 for r in rows])
        axes[0].set_ylabel("PSNR (dB)")
        if result.flat_range:
            target = axes[0] if result.goal == "generalise" else axes[1]
            target.axvspan(*_widened(result.flat_range), color=BLUE, alpha=0.10, lw=0)
        _finite_limits(axes)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, fontsize=9, loc="outside lower center", ncols=len(labels))
        return figure


def _model_points(result: TuneResult, attribute: str) -> tuple[list[float], list[float]]:
    """What scale models reached, shifted to the mean of the predictions for the same bandwidths."""
    rows = {r.candidate: getattr(r.at(result.budget.steps), attribute) for r in result.table}
    reached = {m.candidate: getattr(m, attribute) for m in result.models}
    reached = {c: r for c, r in reached.items() if isfinite(r) and isfinite(rows[c])}
    shift = fmean([rows[c] - r for c, r in reached.items()] or [0.0])
    return [c.bandwidth or 1.0 for c in reached], [r + shift for r in reached.values()]


def spectrum_figure(result: TuneResult, signal: Signal) -> Figure:
    """How fast kernels learn each frequency, over how much of the signal lies there."""
    frequency, power = power_spectrum(signal.values)
    shown = [r.candidate for r in result.table if r.candidate.name == "gaussian"]
    shown = [c for c in {shown[0], shown[-1]} if c != result.choice] if shown else []
    kept = [result.choice, *sorted(shown, key=lambda c: c.bandwidth or 0)]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.6, 4.0), layout="constrained")
        left = figure.subplots()
        left.fill_between(frequency[1:], power[1:], power[1:].min(), color=GREY, alpha=0.25, lw=0)
        left.set(xscale="log", yscale="log", xlabel="frequency (cycles per unit of coordinate)")
        left.set_ylabel("power of the signal (levels squared)", color=GREY)
        right = left.twinx()
        for candidate, color in zip(kept, (ORANGE, BLUE, GREEN), strict=False):
            if candidate.name == "identity":
                continue
            network = build_network(result, candidate, len(signal.shape), 1)
            k, eigenvalue = kernel_spectrum(ntk(network, variances="default"), signal.shape)
            floor = float(eigenvalue.max()) * 1e-9
            wide = 2.4 if candidate == result.choice else 1.3
            right.plot(
                k[1:], eigenvalue[1:].clamp_min(floor), color=color, lw=wide, label=candidate.label
            )
        right.set_yscale("log")
        right.set_ylabel(
            "rate at which a frequency is learned\n(eigenvalue of the kernel, 1 / time)"
        )
        right.spines["right"].set_visible(True)
        right.grid(visible=False)
        nyquist = min(signal.shape) / 4
        left.axvline(nyquist, color=GREY, ls=":", lw=1.2)
        left.text(nyquist * 0.96, 0.03, "Nyquist of the\ntraining samples", ha="right", fontsize=8,
                  color=GREY, transform=left.get_xaxis_transform())  # fmt: skip
        if right.get_lines():
            right.legend(fontsize=9, loc="upper right")
        else:  # no encoding alone: its rate is none of a frequency
            right.set_axis_off()
        return figure


def learning_figure(result: TuneResult, proofs: Sequence[Proof]) -> Figure:
    """Predicted learning curves, and the measured ones."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.5, 3.9), layout="constrained")
        axes = list(figure.subplots(1, 2, sharey=True))
        labels = {str(r.candidate): r.candidate.label for r in result.table}
        for axis, attribute, title in (
            (axes[0], "held_out", "Held-out samples"),
            (axes[1], "train", "Training samples"),
        ):
            for name, curve in result.curves.items():
                color = ORANGE if name == str(result.choice) else BLUE
                points = [(p.steps, getattr(p, attribute)) for p in curve]
                axis.plot(
                    *zip(*points, strict=True),
                    color=color,
                    ls="--",
                    lw=1.5,
                    label=f"{labels.get(name, name)}, predicted",
                )
            for proof in proofs:
                color = ORANGE if proof.candidate == result.choice else BLUE
                points = [(c.step, psnr(getattr(c, attribute))) for c in proof.evaluations]
                if points:
                    axis.plot(
                        *zip(*points, strict=True),
                        "o-",
                        ms=4,
                        color=color,
                        label=f"{proof.candidate.label}, measured",
                    )
            if attribute == "held_out":
                axis.axhline(result.bicubic, color=GREY, ls=":", lw=1.2, label="bicubic")
            axis.set(xscale="log", xlabel="training (steps)", title=title)
        axes[0].set_ylabel("PSNR (dB)")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, fontsize=9, loc="outside lower center", ncols=len(labels))
        return figure


def images_figure(
    signal: Signal, result: TuneResult, proofs: Sequence[Proof], outputs: Sequence[torch.Tensor]
) -> Figure:
    """Target, no encoding, recommended, and the error of the recommended, side by side."""
    panels = [("target", signal.values)]
    pairs = zip(proofs, outputs, strict=True)
    for proof, values in sorted(pairs, key=lambda pair: pair[0].candidate == result.choice):
        label = f"{proof.candidate.label}\nheld out {proof.held_out_psnr:.1f} dB"
        panels.append((label, values.double()))
    if proofs:
        error = (panels[-1][1] - signal.values).abs().mean(-1)
        panels.append((
            f"error of {result.choice.label}\n(white: 0, black: 0.2 and more)",
            1 - 5 * error[..., None],
        ))
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        if len(signal.shape) == 1:
            return _lines_figure(signal, panels)
        tall = signal.shape[-2] / signal.shape[-1]
        shown = min(max(tall, 1 / _MOST_OBLONG), _MOST_OBLONG)
        figure = Figure(figsize=(3.3 * len(panels), 3.3 * shown + 0.7), layout="constrained")
        for axis, (title, values) in zip(
            np.atleast_1d(figure.subplots(1, len(panels))), panels, strict=True
        ):
            axis.imshow(
                _picture(values),
                cmap="gray",
                vmin=0,
                vmax=1,
                interpolation="nearest",
                aspect="equal" if shown == tall else 1 / tall * shown,
            )
            axis.set_title(title, fontsize=10)
            axis.axis("off")
        return figure


def _lines_figure(signal: Signal, panels: list[tuple[str, torch.Tensor]]) -> Figure:
    figure = Figure(figsize=(9.5, 3.6), layout="constrained")
    axis = figure.subplots()
    x = signal.grid.axes()[0]
    for (title, values), color in zip(panels[:3], ("black", BLUE, ORANGE), strict=False):
        axis.plot(x, values[:, 0], color=color, lw=1.2, label=title.replace("\n", ", "))
    axis.set(xlabel="coordinate (units)", ylabel="level (0 to 1)")
    axis.legend(fontsize=8)
    return figure


def _picture(values: torch.Tensor) -> np.ndarray:
    """`[h, w, o]` for `imshow`; the middle slice of a volume."""
    while values.ndim > 3:
        values = values[len(values) // 2]
    array = values.clamp(0, 1).numpy()
    return array if array.shape[-1] in {3, 4} else array[..., 0]


def _plain_ticks(axis: Axes, ticks: Sequence[float]) -> None:
    axis.set_xticks(ticks, [f"{t:g}" for t in ticks], fontsize=8)
    axis.minorticks_off()


def _widened(span: tuple[float, float]) -> tuple[float, float]:
    """A little room to either side, so that a range of one bandwidth shows."""
    return span[0] / 1.12, span[1] * 1.12


def _finite_limits(axes: Sequence[Axes]) -> None:
    """No axis reaches beyond 60 dB: what lies there is not visible in any photo."""
    for axis in axes:
        values = np.concatenate([
            np.asarray(line.get_ydata(), float).ravel() for line in axis.lines
        ])
        values = values[[isfinite(v) for v in values]]
        if len(values) and values.max() > 60:
            axis.set_ylim(values.min() - 1, 60)
