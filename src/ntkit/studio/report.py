"""A page about what the studio found, to show to a colleague."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from importlib.metadata import version
from math import isnan
from typing import Any

from torch import Tensor

from ntkit.studio.copied import command_of, python_of
from ntkit.studio.shown import Shown
from ntkit.tuning import Stage
from ntkit.tuning.choice import Goal

__all__ = ["report_of"]

_STYLE = """
body { font: 16px/1.55 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 2rem 1rem; color: #1b1f24; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { padding: .3rem .8rem; border-bottom: 1px solid #dfe3e8;
text-align: right; } th:first-child, td:first-child { text-align: left; } img { max-width: 100%; }
pre { background: #f0f3f6; padding: .8rem 1rem; overflow-x: auto; } .soft { color: #59626d; }
"""
_GOALS = {"generalise": "to paint what it was not shown", "fit": "to fit what it was shown"}


def report_of(
    shown: Shown,
    stage: Stage,
    goal: Goal,
    steps: int,
    rows: Sequence[Mapping[str, Any]],
    fields: Sequence[tuple[str, Tensor]],
) -> str:
    """A page that stands alone.

    Args:
        shown: What was looked at.
        stage: Where the recommendation is from.
        goal: What counted.
        steps: Of the budget.
        rows: What is predicted, and each seed: PSNR on what was trained on, and on what was held out.
        fields: By title; the error of the last is drawn too.
    """
    name = escape(shown.name)
    flat = stage.flat_range
    good = (
        f" Any bandwidth from {flat[0]:g} to {flat[1]:g} is as good, within 0.3 dB." if flat else ""
    )
    how = "the kernel and scale models" if stage.models else "the kernel alone"
    compared = [
        [row.candidate.label, _decibels(row.at(steps).train), _decibels(row.at(steps).held_out)]
        for row in stage.table
    ]
    found = [[_name(row), _decibels(row["train"]), _decibels(row["held_out"])] for row in rows]
    parts = [
        f"<h1>{name}: {escape(stage.choice.label)}</h1>",
        f"<p>The encoding to take for a network that is {_GOALS[goal]}, by {how}, for {steps:,} steps of Adam at a rate "
        f"of 0.001.{good}</p>",
        f'<img alt="The file, and fields of the network" src="data:image/png;base64,{_figure(shown, fields)}">',
        "<h2>The recommended network</h2>",
        _table(("", "trained on", "held out"), found),
        "<h2>What was compared</h2>",
        _table(("encoding", "trained on", "held out"), compared),
        f"<h2>The same</h2><pre>{escape(command_of(shown, goal, steps))}</pre>",
        f"<pre>{escape(python_of(shown, stage.choice, goal, steps))}</pre>",
        f'<p class="soft">ntkit {escape(version("ntkit"))}, studio. PSNR in dB; predictions are of the tangent kernel.</p>',
    ]
    head = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
    return f"{head}<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(tag: str, cells: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(c)}</{tag}>" for c in cells) + "</tr>"

    return f"<table>{line('th', head)}{''.join(line('td', row) for row in rows)}</table>"


def _figure(shown: Shown, fields: Sequence[tuple[str, Tensor]]) -> str:
    """The file and the fields, as PNG in base64."""
    even = tuple(slice(0, n - n % 2) for n in shown.whole.shape)
    panels = [("the file", shown.whole.values[even]), *((t, f[even]) for t, f in fields)]
    out = io.BytesIO()
    shown.whole.figure(panels).savefig(out, format="png", dpi=120, bbox_inches="tight")
    return base64.b64encode(out.getvalue()).decode()


def _name(row: Mapping[str, Any]) -> str:
    return "predicted" if row["which"] < 0 else f"seed {row['which']}, {row['step']} steps"


def _decibels(value: float) -> str:
    return "-" if isnan(value) else f"{value:.1f} dB"
