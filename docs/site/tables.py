"""The benchmarks as pages, from the JSON that each wrote: what was measured, promised, where and when."""

import json
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"

CURVES = {
    "kernel_regression": (r"n = ([\d,]+): (time|memory)", "points"),
    "lazy_training": (r"(movement|kernel change), width (\d+)", "width"),
    "real_descent": (r"relative difference at width (\d+)", "width"),
    "grid_growth": (r"product, (\d+)\^2 samples", "pixels along a side"),
    "infinite_speed": (r"(.+): times faster than the peer()", ""),
}
"""Benchmarks with a plot: the rows that it shows, and the horizontal axis."""


def pages() -> dict[str, str | bytes]:
    """Pages and plots by their place, and the index that names them all."""
    mpl.use("Agg")
    made: dict[str, str | bytes] = {}
    for path in sorted(RESULTS.glob("*.json")):
        report = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(report.get("rows"), list):
            made[f"benchmarks/{path.stem}.md"] = _page(path, report)
            if path.stem in CURVES:
                made[f"benchmarks/{path.stem}.png"] = _plot(path.stem, report["rows"])
    return made


def contents() -> str:
    """The table of contents that ends the index."""
    names = sorted(path.stem for path in RESULTS.glob("*.md"))
    return "\n```{toctree}\n:hidden:\n\n" + "\n".join(names) + "\n```\n"


def _page(path: Path, report: dict[str, Any]) -> str:
    """What the benchmark says of itself stands in its Markdown, above the table."""
    told = path.with_suffix(".md").read_text(encoding="utf-8").partition("\n| what |")[0]
    lines = ["| what | measured | target | met |", "|---|---|---|---|", *map(_row, report["rows"])]
    setting = ", ".join(f"{key} {value}" for key, value in report["setting"].items())
    plot = [f"![{_alt(path.stem)}]({path.stem}.png)"] if path.stem in CURVES else []
    return "\n\n".join([told.strip(), *plot, "\n".join(lines), f"*{setting}.*\n"])


def _row(row: dict[str, Any]) -> str:
    unit = f" {row['unit']}" if row["unit"] else ""
    bounds = [
        f"{sign} {row[key]:g}{unit}"
        for sign, key in (("≤", "at_most"), ("≥", "at_least"))
        if row[key] is not None
    ]
    met = {True: "yes", False: "**no**", None: ""}[row["is_met"] if bounds else None]
    what = row["what"].replace("|", "\\|")
    return f"| {what} | {_number(row['measured'])}{unit} | {', '.join(bounds)} | {met} |"


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def _alt(name: str) -> str:
    axis = CURVES[name][1]
    return (
        f"The figures of the table against {axis}"
        if axis
        else "How many times faster than the peer each case is"
    )


def _plot(name: str, rows: list[dict[str, Any]]) -> bytes:
    pattern, label = CURVES[name]
    found = [(match, row) for row in rows if (match := re.match(pattern, row["what"]))]
    figure = Figure(figsize=(6, 3.4), layout="constrained")
    axis = figure.add_subplot()
    if label:
        curves: dict[str, list[tuple[float, float]]] = {}
        for match, row in found:
            [at] = [float(g.replace(",", "")) for g in match.groups() if g[0].isdigit()]
            kind = " ".join(g for g in match.groups() if not g[0].isdigit())
            unit = f"{kind}, {row['unit']}".strip(" ,")
            curves.setdefault(unit, []).append((at, row["measured"]))
        for kind, points in curves.items():
            axis.plot(*zip(*points, strict=True), marker="o", label=kind or "measured")
        axis.set(xscale="log", yscale="log", xlabel=label)
        axis.legend(frameon=False)
    else:
        axis.barh([match[1] for match, _ in found], [row["measured"] for _, row in found])
        axis.set(xlabel="times faster")
        axis.invert_yaxis()
        axis.tick_params(axis="y", labelsize=7)
    file = BytesIO()
    figure.savefig(file, dpi=120, metadata={"Software": None})
    return file.getvalue()
