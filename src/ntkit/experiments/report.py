"""One self-contained page about a tuning run, to show to a colleague."""

import base64
from importlib.metadata import version
from math import inf
from typing import Any

import jinja2

from ntkit._core.whole_files import shown, write_bytes
from ntkit.experiments.results import RunResult, summary
from ntkit.experiments.run_folder import PICTURES, REPORT
from ntkit.tasks import psnr
from ntkit.tuning.choice import name_of

__all__ = ["write_report"]


def write_report(run: RunResult) -> None:
    """Write `report.html` into the run folder, pictures included."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ntkit.experiments", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["db"] = lambda v: "perfect" if v == inf or v > 100 else f"{v:.1f}"
    environment.filters["steps"] = name_of
    pictures = {
        path.stem: "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
        for path in (run.folder / f"{name}.png" for name in PICTURES)
        if path.is_file()
    }
    error = run.initial_error
    context: dict[str, Any] = {
        "run": run,
        "result": run.result,
        "pictures": pictures,
        "summary": summary(run),
        "version": version("ntkit"),
        "photo": shown(run.spec.photo.name),
        "folder": shown(run.folder),
        "started": run.started[:16].replace("T", " ") + " UTC" if run.started else "",
        "initial_db": "" if error is None else f"{psnr(error):.1f}",
    }
    page = environment.get_template("report.html.jinja").render(**context)
    write_bytes(run.folder / REPORT, page.encode("utf-8", "backslashreplace"))
