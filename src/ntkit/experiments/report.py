"""One self-contained page about a run, to show to a colleague."""

import base64
from importlib.metadata import version
from math import inf, isnan
from typing import Any

from ntkit._core.whole_files import shown, write_bytes
from ntkit.experiments.page_templates import page_templates
from ntkit.experiments.reconstruct_result import ReconstructRun
from ntkit.experiments.reconstruct_words import words_of
from ntkit.experiments.results import AbstractRun, FitRun, TuneRun
from ntkit.experiments.run_folder import FILM, PICTURES, REPORT
from ntkit.tasks import JOBS, Signal, psnr
from ntkit.tuning.choice import name_of

__all__ = ["write_report"]


def write_report(run: AbstractRun) -> None:
    """Write `report.html` into the run folder, pictures included."""
    environment = page_templates()
    environment.filters["db"] = _decibels
    environment.filters["steps"] = name_of
    environment.filters["size"] = _size
    pictures = {
        path.stem: "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
        for path in (run.folder / f"{name}.png" for name in PICTURES)
        if path.is_file()
    }
    film = run.folder / FILM
    if film.is_file():
        turning = base64.b64encode(film.read_bytes()).decode()
        pictures[film.stem] = f"data:image/gif;base64,{turning}"
    job = JOBS.get(run.domain.kind)
    context: dict[str, Any] = {
        "run": run,
        "pictures": pictures,
        "version": version("ntkit"),
        "data": shown(run.spec.data.name),
        "folder": shown(run.folder),
        "started": run.started[:16].replace("T", " ") + " UTC" if run.started else "",
        "sample": job.sample if job else "sample",
        "kind": run.domain.kind,
        "counts": job is None or job.stands_for_samples,
        "what": _subject(run, job.sample if job else "sample"),
        "metric": run.metric,
        "on_grid": job is not None and issubclass(job, Signal),
        "suffix": job.suffixes[0] if job else ".npy",
    }
    if isinstance(run, TuneRun):
        error = run.initial_error
        context |= {
            "result": run.result,
            "summary": run.summary(),
            "initial_db": "" if error is None else f"{psnr(error):.1f}",
        }
    elif isinstance(run, FitRun):
        context |= {"n_parameters": run.n_parameters}
    elif isinstance(run, ReconstructRun):
        context |= {"words": words_of(run)}
    page = environment.get_template(f"{run.spec.job}.html.jinja").render(**context)
    write_bytes(run.folder / REPORT, page.encode("utf-8", "backslashreplace"))


def _subject(run: AbstractRun, sample: str) -> str:
    """How much there is of what the network is of."""
    size = run.size_in_words
    return f"Views of {size} pixels" if run.domain.scene else f"{size} {sample}s"


def _decibels(value: float) -> str:
    if isnan(value):
        return "-"
    return "perfect" if value == inf or value > 100 else f"{value:.1f}"


def _size(n_bytes: float) -> str:
    """Bytes in words."""
    for unit in ("bytes", "kB", "MB"):
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} GB"
