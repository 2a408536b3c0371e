"""The pictures of a run, into its folder."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ntkit import figures
from ntkit._core.whole_files import write_with
from ntkit.experiments import figures as drawn
from ntkit.experiments.results import AbstractRun, FitRun, TuneRun
from ntkit.experiments.run_folder import FILM
from ntkit.tasks import AbstractSamples, AbstractTask
from ntkit.tasks.files import write_video

__all__ = ["draw_fit", "draw_tune"]

_SECONDS_A_VIEW = 0.15
"""Between the views of a turn."""


def draw_tune(run: TuneRun, task: AbstractTask, outputs: Sequence[Tensor]) -> None:
    """Spectrum, bandwidths, learning curves, and the fields; what there is of them.

    Args:
        run: The run.
        task: Its data.
        outputs: What each network that was judged gives at all points.
    """
    judged = [proof for proof in run.proofs if proof.evaluations]
    field = task.on_grid() if isinstance(task, AbstractSamples) else None
    if field is not None:
        _save(run, drawn.spectrum_figure(run.result, field, task.axis_counts), "spectrum")
    if any(row.candidate.name == "gaussian" for row in run.result.table):
        _save(run, drawn.bandwidth_figure(run.result, judged), "bandwidth")
    _save(run, drawn.learning_figure(run.result, judged), "learning")
    if judged:
        pairs = [
            (drawn.title_of(proof), output) for proof, output in zip(judged, outputs, strict=True)
        ]
        _save(run, task.figure([("target", task.truth), *pairs[::-1]]), "images")
        _film(run, task, outputs[0])


def draw_fit(run: FitRun, task: AbstractTask, output: Tensor) -> None:
    """The fitted field, its learning curve, and how its encoding was chosen.

    Args:
        run: The run.
        task: Its data.
        output: What the network gives at all points.
    """
    if run.choice and any(row.candidate.name == "gaussian" for row in run.choice.table):
        _save(
            run,
            drawn.bandwidth_figure(run.choice, [run.proof] if run.proof.evaluations else []),
            "bandwidth",
        )
    if run.proof.evaluations:
        _save(run, drawn.fit_curve_figure(run), "learning")
    title = drawn.title_of(run.proof) if run.proof.evaluations else run.candidate.label
    _save(run, task.figure([("target", task.truth), (title, output)]), "images")
    _film(run, task, output)


def _film(run: AbstractRun, task: AbstractTask, output: Tensor) -> None:
    """Views that follow each other, the truth on the left and the fit on the right."""
    true, found = task.film(task.truth), task.film(output)
    if true is not None and found is not None and len(true) > 1:
        both = torch.cat([true, found], 2).clamp(0, 1).numpy()
        write_video(run.folder / FILM, both, step=_SECONDS_A_VIEW)


def _save(run: AbstractRun, figure: Figure, name: str) -> None:
    write_with(run.folder / f"{name}.png", lambda path: figures.save(figure, path))
