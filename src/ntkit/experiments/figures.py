"""The pictures of a tuning run: its numbers, as `ntkit.figures` draws them."""

from collections.abc import Sequence
from dataclasses import replace
from math import inf, isfinite
from statistics import fmean

from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from ntkit import figures
from ntkit.experiments.real_training import Proof
from ntkit.experiments.results import FitRun
from ntkit.kernels import ntk
from ntkit.spectra import kernel_spectrum, power_spectrum
from ntkit.tasks import PSNR
from ntkit.tuning import TuneResult
from ntkit.tuning.candidates import MLP
from ntkit.tuning.choice import name_of

__all__ = [
    "bandwidth_figure",
    "fit_curve_figure",
    "learning_figure",
    "spectrum_figure",
    "title_of",
]


def title_of(proof: Proof) -> str:
    """What a trained field is called beside others."""
    end, words = proof.evaluations[-1], proof.metric.words
    reached = f"held out {words(end.held_out)}" if isfinite(end.held_out) else words(end.train)
    return f"{proof.candidate.label}\n{reached}"


def bandwidth_figure(result: TuneResult, proofs: Sequence[Proof]) -> Figure:
    """Predicted PSNR against bandwidth, one curve a budget, with what was measured."""
    rows = [r for r in result.table if r.candidate.name == "gaussian"]
    axes = result.choice.axes or rows[0].candidate.axes  # where axes differ: the chosen one's curve
    rows = [r for r in rows if r.candidate.axes == axes]
    tried = [p for p in proofs if p.candidate in [r.candidate for r in rows]]
    wanted = "held_out" if result.goal == "generalise" else "train"
    panels = []
    for attribute, title in (
        ("held_out", "Between the training samples (held out)"),
        ("train", "On the training samples"),
    ):
        # A perfect fit at every bandwidth is no curve.
        steps = [s for s in result.steps if s < inf or attribute == "held_out"]
        measured = [getattr(p, f"{attribute}_quality") for p in tried]
        panels.append(
            figures.BandwidthPanel(
                title,
                {name_of(s): [getattr(r.at(s), attribute) for r in rows] for s in steps},
                models=_model_points(result, attribute) if result.models else None,
                measured=([p.candidate.bandwidth or 1.0 for p in tried], measured)
                if tried
                else None,
                level=_baseline(result) if attribute == "held_out" else None,
                band=result.flat_range if attribute == wanted else None,
            )
        )
    bandwidths = [r.candidate.bandwidth or 1.0 for r in rows]
    return figures.bandwidth_figure(
        bandwidths, panels, emphasised=name_of(result.budget.steps), ylabel=_label(proofs)
    )


def _label(proofs: Sequence[Proof]) -> str:
    """Of an axis: in what trainings are judged, and of kernels alone PSNR."""
    return proofs[0].metric.label if proofs else PSNR().label


def _model_points(result: TuneResult, attribute: str) -> tuple[list[float], list[float]]:
    """What scale models reached, shifted to the mean of the predictions for the same bandwidths."""
    rows = {r.candidate: getattr(r.at(result.budget.steps), attribute) for r in result.table}
    reached = {m.candidate: getattr(m, attribute) for m in result.models}
    reached = {c: r for c, r in reached.items() if isfinite(r) and isfinite(rows[c])}
    shift = fmean([rows[c] - r for c, r in reached.items()] or [0.0])
    reached = {c: r for c, r in reached.items() if c.axes == result.choice.axes}
    return [c.bandwidth or 1.0 for c in reached], [r + shift for r in reached.values()]


def _baseline(result: TuneResult) -> tuple[str, float] | None:
    return (result.baseline.name, result.baseline.held_out) if result.baseline else None


def spectrum_figure(
    result: TuneResult, field: Float[Tensor, "..."], axis_counts: Sequence[float]
) -> Figure:
    """How fast kernels learn each frequency, over how much of the field lies there.

    Args:
        result: Which encodings.
        field: `[*n, o]`, on a grid.
        axis_counts: Training samples along each axis.
    """
    shown = [r.candidate for r in result.table if r.candidate.name == "gaussian"]
    shown = [c for c in {shown[0], shown[-1]} if c != result.choice] if shown else []
    kept = [result.choice, *sorted(shown, key=lambda c: c.bandwidth or 0)]
    kept = [c for c in kept if c.family == MLP]
    rates, shape = {}, tuple(field.shape[:-1])
    for candidate in kept:
        if candidate.name != "identity":
            network, _ = replace(result.plan, n_outputs=1).build(candidate)
            rates[candidate.label] = kernel_spectrum(ntk(network, variances="default"), shape)
    frequency, power = power_spectrum(field)
    nyquist = min(axis_counts) / 2
    return figures.rates_figure(frequency, power, rates, nyquist=nyquist)


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
                    [p.metric.quality(getattr(e, attribute)) for e in p.evaluations],
                )
                for p in proofs
                if p.evaluations
            },
            level=_baseline(result) if attribute == "held_out" else None,
        )
        for attribute, title in (("held_out", "Held-out samples"), ("train", "Training samples"))
    ]
    return figures.learning_figure(panels, emphasised=result.choice.label, ylabel=_label(proofs))


def fit_curve_figure(run: FitRun) -> Figure:
    """The learning curve of a fit, on the training samples and on the held-out ones if there are any."""
    done, quality = run.proof.evaluations, run.proof.metric.quality
    steps = [e.step for e in done]
    curves = {"training samples": (steps, [quality(e.train) for e in done])}
    held_out = [quality(e.held_out) for e in done]
    if any(map(isfinite, held_out)):
        curves["held-out samples"] = (steps, held_out)
    level = run.baseline and (run.baseline.name, run.baseline.held_out)
    panel = figures.LearningPanel(f"{run.candidate.label}", {}, curves, level=level)
    return figures.learning_figure([panel], emphasised="training samples", ylabel=run.metric.label)
