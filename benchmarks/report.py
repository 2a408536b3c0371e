"""A benchmark's rows, and the Markdown and JSON written of them."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Row:
    """One figure: what it is, what was measured, and what was promised of it, if anything.

    Attributes:
        what: The figure in words.
        measured: Its value.
        unit: Its unit; empty for a ratio or an error.
        at_most: Upper end of what was promised.
        at_least: Lower end.
    """

    what: str
    measured: float
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None

    @property
    def target(self) -> str:
        """The promise in words, "" where there is none."""
        if self.at_most is not None and self.at_least is not None:
            return f"{self.at_least:g} to {self.at_most:g}{self._unit}"
        if self.at_most is not None:
            return f"<= {self.at_most:g}{self._unit}"
        return "" if self.at_least is None else f">= {self.at_least:g}{self._unit}"

    @property
    def is_met(self) -> bool | None:
        """Whether the measurement keeps the promise; None where there is none."""
        if not self.target:
            return None
        above = self.at_least is None or self.measured >= self.at_least
        return above and (self.at_most is None or self.measured <= self.at_most)

    @property
    def _unit(self) -> str:
        return f" {self.unit}" if self.unit else ""


def write(name: str, about: str, rows: Sequence[Row], seconds: float) -> str:
    """Write `results/NAME.md` and `.json`, and return the table."""
    setting = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": _machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "ntkit": version("ntkit"),
        "seconds": round(seconds, 1),
    }
    lines = [f"# {name}", "", about.strip(), "", "| what | measured | target | met |"]
    lines += ["|---|---|---|---|"]
    words = {True: "yes", False: "**no**", None: ""}
    for row in rows:
        measured = f"{row.measured:.4g} {row.unit}".strip()
        lines.append(f"| {row.what} | {measured} | {row.target} | {words[row.is_met]} |")
    lines += ["", ", ".join(f"{key} {value}" for key, value in setting.items()) + ".", ""]
    RESULTS.mkdir(exist_ok=True)
    rows_json = [{**asdict(row), "is_met": row.is_met} for row in rows]
    record = {"name": name, "setting": setting, "rows": rows_json}
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    table = "\n".join(lines)
    (RESULTS / f"{name}.md").write_text(table, encoding="utf-8")
    return table


def _machine() -> str:
    """The processor's name as Linux knows it, else what Python says."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
