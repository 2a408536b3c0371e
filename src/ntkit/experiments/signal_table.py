"""The table of a data set: one row a signal, as objects, CSV and a page."""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from statistics import median, quantiles

from ntkit._core.whole_files import shown, write_bytes
from ntkit.experiments.page_templates import page_templates
from ntkit.experiments.signal_row import SignalRow

__all__ = ["TABLE", "SignalTable", "write_table"]

TABLE = "table"
"""Name of the two files, but for .csv and .html."""


@dataclass(frozen=True)
class SignalTable:
    """What tuning each signal of a folder found.

    Attributes:
        folder: Where the runs and the table are.
        rows: One a signal, in the order of their names.
        interrupted: Whether it was just stopped.

    Example:
        >>> row = SignalRow(name="a.png", state="done", encoding="gaussian", bandwidth=8.0)
        >>> SignalTable(Path("runs/tune-each-photos"), (row,)).summary
        ('1 of 1 done', 'gaussian: 1, bandwidth 8')
    """

    folder: Path
    rows: tuple[SignalRow, ...]
    interrupted: bool = False

    @property
    def is_well(self) -> bool:
        """Whether there is a recommendation for every signal."""
        return all(row.is_well for row in self.rows)

    @property
    def summary(self) -> tuple[str, ...]:
        """Lines about the whole: how many are in which state, and what was recommended how often."""
        states = Counter(row.state for row in self.rows)
        others = [f"{count} {state}" for state, count in states.items() if state != "done"]
        lines = [", ".join([f"{states['done']} of {len(self.rows)} done", *others])]
        done = [row for row in self.rows if row.is_well]
        for name, count in Counter(row.encoding for row in done).most_common():
            widths = [r.bandwidth for r in done if r.encoding == name and r.bandwidth is not None]
            lines.append(f"{name}: {count}{_spread(widths)}")
        return tuple(lines)


def write_table(table: SignalTable) -> None:
    """Write `table.csv` and `table.html` into the folder, whole."""
    text = StringIO()
    names = [f.name for f in fields(SignalRow)]
    writer = csv.DictWriter(text, [*names, "metric"], lineterminator="\n")
    writer.writeheader()
    for row in table.rows:
        writer.writerow({**asdict(row), "metric": row.metric.label if row.kind else ""})
    write_bytes(table.folder / f"{TABLE}.csv", text.getvalue().encode("utf-8", "backslashreplace"))
    template = page_templates().get_template("each.html.jinja")
    page = template.render(
        table=table,
        folder=shown(table.folder),
        name=shown(table.folder.name),
        version=version("ntkit"),
    )
    write_bytes(table.folder / f"{TABLE}.html", page.encode("utf-8", "backslashreplace"))


def _spread(values: Sequence[float]) -> str:
    """The median of bandwidths, and where the middle half of them lies."""
    if not values:
        return ""
    if len(set(values)) == 1:
        return f", bandwidth {values[0]:.3g}"
    low, _, high = quantiles(values, n=4, method="inclusive")
    return f", bandwidth {median(values):.3g} (half of them from {low:.3g} to {high:.3g})"
