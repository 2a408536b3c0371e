"""The pictures of a tuning run: its numbers, as `ntkit.figures` draws them."""

from collections.abc import Sequence
from math import inf, isfinite
from statistics import fmean

import torch
from matplotlib.figure import Figure

from ntkit import figures
from ntkit.experiments.proof import Proof
from ntkit.figures import save
from ntkit.kernels import ntk
from ntkit.spectra import kernel_spectrum, power_spectrum
from ntkit.tasks.signals import Signal, psnr
from ntkit.tuning import TuneResult, build_network
from ntkit.tuning.choice import name_of

__all__ = ["bandwidth_figure", "images_figure", "learning_figure", "save", "spectrum_figure"]


def bandwidth_figure(result: TuneResult, proofs: Sequence[Proof]) -> Figure:
    """Predicted PSNR against bandwidth, one curve a budget, with what was measured."""
    rows = [r for r in result.table if r.candidate.name == "gaussian"]
    tried = [p for p in proofs if p.candidate.name == "gaussian"]
    wanted = "held_out" if result.goal == "generalise" else "train"
    panels = []
    for attribute, title in (
        ("held_out", "Between the training samples (held out)"),
        ("train", "On the training samples"),
    ):
        # A perfect fit at every bandwidth is no curve.
        steps = [s for s in result.steps if s < inf or attribute == "held_out"]
        measured = [getattr(p, f"{attribute}_psnr") for p in tried]
        panels.append(
            figures.BandwidthPanel(
                title,
                {name_of(s): [getattr(r.at(s), attribute) for r in rows] for s in steps},
                models=_model_points(result, attribute) if result.models else None,
                measured=([p.candidate.bandwidth or 1.0 for p in tried], measured)
                if tried
                else None,
                level=("bicubic", result.bicubic) if attribute == "held_out" else None,
                band=result.flat_range if attribute == wanted else None,
            )
        )
    bandwidths = [r.candidate.bandwidth or 1.0 for r in rows]
    return figures.bandwidth_figure(bandwidths, panels, emphasised=name_of(result.budget.steps))


def _model_points(result: TuneResult, attribute: str) -> tuple[list[float], list[float]]:
    """What scale models reached, shifted to the mean of the predictions for the same bandwidths."""
    rows = {r.candidate: getattr(r.at(result.budget.steps), attribute) for r in result.table}
    reached = {m.candidate: getattr(m, attribute) for m in result.models}
    reached = {c: r for c, r in reached.items() if isfinite(r) and isfinite(rows[c])}
    shift = fmean([rows[c] - r for c, r in reached.items()] or [0.0])
    return [c.bandwidth or 1.0 for c in reached], [r + shift for r in reached.values()]


def spectrum_figure(result: TuneResult, signal: Signal) -> Figure:
    """How fast kernels learn each frequency, over how much of the signal lies there."""
    shown = [r.candidate for r in result.table if r.candidate.name == "gaussian"]
    shown = [c for c in {shown[0], shown[-1]} if c != result.choice] if shown else []
    kept = [result.choice, *sorted(shown, key=lambda c: c.bandwidth or 0)]
    rates = {}
    for candidate in kept:
        if candidate.name != "identity":
            network = build_network(result, candidate, len(signal.shape), 1)
            rates[candidate.label] = kernel_spectrum(
                ntk(network, variances="default"), signal.shape
            )
    frequency, power = power_spectrum(signal.values)
    return figures.rates_figure(frequency, power, rates, nyquist=min(signal.shape) / 4)


def learning_figure(result: TuneResult, proofs: Sequence[Proof]) -> Figure:
    """Predicted learning curves, and the measured ones."""
    labels = {str(r.candidate): r.candidate.label for r in result.table}
    panels = [
        figures.LearningPanel(
            title,
            {
                labels.get(name, name): ([p.steps for p in c], [getattr(p, attribute) for p in c])
                for name, c in result.curves.items()
            },
            {
                p.candidate.label: (
                    [e.step for e in p.evaluations],
                    [psnr(getattr(e, attribute)) for e in p.evaluations],
                )
                for p in proofs
                if p.evaluations
            },
            level=("bicubic", result.bicubic) if attribute == "held_out" else None,
        )
        for attribute, title in (("held_out", "Held-out samples"), ("train", "Training samples"))
    ]
    return figures.learning_figure(panels, emphasised=result.choice.label)


def images_figure(
    signal: Signal, result: TuneResult, proofs: Sequence[Proof], outputs: Sequence[torch.Tensor]
) -> Figure:
    """Target, no encoding, recommended, and the error of the recommended, side by side."""
    panels = [("target", signal.values)]
    pairs = zip(proofs, outputs, strict=True)
    for proof, values in sorted(pairs, key=lambda pair: pair[0].candidate == result.choice):
        label = f"{proof.candidate.label}\nheld out {proof.held_out_psnr:.1f} dB"
        panels.append((label, values.double()))
    if len(signal.shape) == 1:
        curves = [(title.replace("\n", ", "), values[:, 0]) for title, values in panels[:3]]
        return figures.lines_figure(signal.grid.axes()[0], curves)
    if proofs:
        error = (panels[-1][1] - signal.values).abs().mean(-1)
        label = f"error of {result.choice.label}\n(white: 0, black: 0.2 and more)"
        panels.append((label, 1 - 5 * error[..., None]))
    return figures.pictures_figure(panels)
