"""What a report says of a reconstruction."""

from dataclasses import dataclass

import numpy as np

from ntkit._core.whole_files import shown
from ntkit.experiments.reconstruct_result import ReconstructRun

__all__ = ["Words", "words_of"]

_TITLES = {"ct": "The picture behind", "mri": "The picture behind", "image": "The whole of"}


_NOTHING = 1e-3
"""Of the largest value: what is smaller is said to be 0."""

_SLICES = {
    "ct": ", at the middle row of the detector",
    "mri": ", in the middle plane of k-space",
    "image": "",
}


@dataclass(frozen=True)
class Words:
    """Sentences.

    Attributes:
        title: Before the name of the data.
        headline: What was found, in short.
        found: More of it.
        chosen: What of it the measurements chose.
        pictures: Below the pictures.
        slice_of_data: Which part of the data a picture of them shows, where it is not the whole.
        bar: Of the error bars.
        code: How to go on in Python.
    """

    title: str
    headline: str
    found: str
    chosen: str
    pictures: str
    slice_of_data: str
    bar: str
    code: str


def words_of(run: ReconstructRun) -> Words:
    """The sentences of a run; its arrays are read."""
    deviation = run.deviation
    return Words(
        title=_TITLES[run.spec.of],
        headline=_headline(run, deviation),
        found=_found(run, deviation),
        chosen=_chosen(run),
        pictures=_pictures(run, deviation),
        slice_of_data=_SLICES[run.spec.of] if len(run.domain.shape) > 2 else "",
        bar=_bar(run, deviation),
        code=_code(run),
    )


def _headline(run: ReconstructRun, deviation: np.ndarray | None) -> str:
    unit = f" {run.unit}" if run.unit else ""
    if deviation is None:
        return f"A picture of {run.size_in_words} pixels"
    usual = float(np.median(deviation))
    return f"A picture of {run.size_in_words} pixels, each known to about ± {usual:.2g}{unit}"


def _found(run: ReconstructRun, deviation: np.ndarray | None) -> str:
    unit = f" {run.unit}" if run.unit else ""
    values = np.abs(run.field) if np.iscomplexobj(run.field) else run.field
    low, high = np.quantile(values, [0.001, 0.999])
    low = 0.0 if abs(low) < _NOTHING * abs(high) else low
    said = f"Values from {low:.3g} to {high:.3g}{unit}"
    if deviation is not None:
        said += f", known to ± {np.quantile(deviation, 0.99):.2g} where they are least certain"
    if run.scores:
        own, other = run.scores["reconstruction"]["psnr"], run.scores[run.baseline]["psnr"]
        return f"{said}. {own:.1f} dB against the truth; {run.baseline}: {other:.1f} dB."
    return f"{said}. What is left of the data is {100 * run.leftover.size:.2g} % of their size."


def _chosen(run: ReconstructRun) -> str:
    if run.spec.no_total_variation:
        return ", without total variation as asked; the rest was chosen from the measurements alone"
    if run.spec.total_variation is not None:
        return ", total variation as asked; the rest was chosen from the measurements alone"
    return ", chosen from the measurements alone"


def _pictures(run: ReconstructRun, deviation: np.ndarray | None) -> str:
    scale = "All pictures but the error bar and the error have one scale."
    size = " The modulus is shown." if run.spec.of == "mri" else ""
    if len(run.domain.shape) > 2:
        size += " Of a volume they show the middle slice along its first axis."
    bar = (
        " Where the error bar is large, look twice: less was measured of it."
        if deviation is not None
        else ""
    )
    return scale + size + bar


def _bar(run: ReconstructRun, deviation: np.ndarray | None) -> str:
    if deviation is None:
        return "No error bars were asked for (--no-error-bars)."
    return (
        "The error bars assume that the measurement is as stated and that noise is Gaussian and everywhere as large. They "
        "tell what is uncertain; they do not see a wrong geometry."
    )


def _code(run: ReconstructRun) -> str:
    folder = shown(run.folder)
    asked = [f"bounds={run.choice.bounds!r}"]
    if run.spec.no_total_variation or run.spec.total_variation is not None:
        asked.append(f"total_variation={run.choice.total_variation!r}")
    return "\n".join([
        "import ntkit",
        f"run = ntkit.load({folder!r})",
        "run.field, run.deviation        # NumPy arrays",
        "y, A = run.measured()           # the data, and the measurement that they are of",
        f"again = ntkit.reconstruct(y, A, {', '.join(asked)})",
        "again.at(points)                # anywhere, not only at the pixels",
    ])
