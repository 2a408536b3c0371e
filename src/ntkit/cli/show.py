"""What the command line prints of a run."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from math import inf, isnan
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ntkit._core.whole_files import shown
from ntkit.experiments.reconstruct_result import ReconstructRun
from ntkit.experiments.results import AbstractRun, FitRun, TuneRun, metric_of
from ntkit.experiments.run_folder import RunFolder
from ntkit.experiments.runs import RunEntry
from ntkit.tasks import AbstractMetric, psnr
from ntkit.tuning import FamilyRow
from ntkit.tuning.choice import name_of

__all__ = [
    "print_json",
    "show_fit",
    "show_json",
    "show_proof",
    "show_recommendation",
    "show_reconstruction",
    "show_runs",
]

_WIDE = 76
"""Columns of a terminal from which two numbers stand side by side in a cell, and not one above the other."""


def show_recommendation(run: TuneRun) -> None:
    """The table of predictions, the recommendation, and the line to paste."""
    console = Console(highlight=False)
    result = run.result
    if result.table:
        _show_table(console, run)
    _show_families(console, run)
    for note in run.notes:
        console.print(f"  note: {escape(note)}", style="dim")
    _show_how(console, run)
    metric, generalises = run.metric, result.goal == "generalise"
    goal = "held-out" if generalises else "training"
    value = result.predicted.held_out if generalises else result.predicted.train
    console.print(
        f"\n[bold]Recommended: {result.choice.label}[/bold] - {metric.written(value)} predicted on {goal} "
        f"samples, chosen in {result.seconds:.1f} s."
    )
    if result.flat_range:
        low, high = result.flat_range
        console.print(
            f"{'As good' if result.by_models else 'Within 0.3 dB of the best'}: bandwidths {low:g} to {high:g}."
            if low < high
            else f"Of the bandwidths that were tried, no other is {'as good' if result.by_models else 'within 0.3 dB of it'}."
        )
    console.print(f"\n    {result.code}\n", style="cyan", soft_wrap=True)


def _show_table(console: Console, run: TuneRun) -> None:
    """What the kernel, or scale models, predict of each encoding."""
    result, metric, between = run.result, run.metric, _between(console)
    whose = " by scale models" if result.by_models else ""
    table = Table(
        title=f"Predicted{whose}: {metric.label}, held-out / training samples\n{result.budget}",
        caption="-: a perfect fit, or nothing to fit",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("encoding", no_wrap=True)
    for steps in result.steps:
        table.add_column(name_of(steps), justify="right", overflow="fold", min_width=5)
    for row in result.table:
        chosen = row.candidate == result.choice
        cells = [
            f"{metric.number(p.held_out)}{between}{_short(p.train, metric)}"
            for p in row.predictions
        ]
        table.add_row(row.candidate.label, *cells, style="bold green" if chosen else None)
    table.add_section()
    if result.baseline:
        level = f"{metric.number(result.baseline.held_out)}{between}   -"
        table.add_row(result.baseline.name, *[level] * len(result.steps), style="dim")
    console.print(table)


def _between(console: Console) -> str:
    """What stands between two numbers of a cell."""
    return " / " if console.width >= _WIDE else "\n"


def _show_families(console: Console, run: TuneRun) -> None:
    """What each family of networks reaches, by scale models, and how sure that is."""
    result, metric = run.result, run.metric
    if len(result.families) < 2:
        return
    ran = {row.run_off.steps for row in result.families if row.run_off}
    table = Table(
        title=f"Families of networks of as many parameters, by scale models: {metric.label}",
        caption=f"compared in equal {result.equal}" + ("; run-off: real trainings" if ran else ""),
        box=box.SIMPLE_HEAD,
    )
    table.add_column("network", no_wrap=True)
    names = ("equal\nsteps", "equal\ntime", "ms\na step", "behind")
    run_off = "run-off" if len(ran) > 1 else f"run-off,\n{name_of(min(ran, default=0))}"
    for name in (*names, run_off) if ran else names:
        table.add_column(name, justify="right", overflow="fold", min_width=5)
    kind = "held_out" if result.goal == "generalise" else "train"
    for row in result.families:
        behind = f"{row.behind.gain:.{metric.digits}f} +- {row.behind.noise:.{metric.digits}f}"
        first = row is result.families[0]
        table.add_row(
            row.candidate.label,
            *(metric.number(getattr(p, kind)) for p in (row.predicted, row.in_time)),
            f"{1000 * row.seconds_a_step:.3g}",
            "-" if first else f"{behind}, a tie" if row.ties else behind,
            *([_run_off(row, kind, metric, tells_steps=len(ran) > 1)] if ran else ()),
            style="bold green" if first else None,
        )
    console.print(table)


def _run_off(row: FamilyRow, kind: str, metric: AbstractMetric, *, tells_steps: bool) -> str:
    """What a family reached in the run-off, and in how many steps where the other one had more or less."""
    if row.run_off is None:
        return "-"
    reached = getattr(row.run_off, kind)
    what = "diverged" if reached == -inf else metric.number(reached)
    return f"{what}, {name_of(row.run_off.steps)}" if tells_steps else what


def _show_how(console: Console, run: TuneRun) -> None:
    """The clock, the scale models of bandwidths, the engine."""
    result = run.result
    if result.clock:
        clock = result.clock
        console.print(
            f"  Adam's clock (a calibration, not theory): the network runs {clock.speed:.1f} times as "
            f"fast as its kernel's flow, {clock.fitted:.1f} times in {clock.pilot.steps} real "
            f"steps of {clock.pilot.batch_size} samples with {clock.encoding}; half-way through them "
            f"the prediction is {clock.error:+.1f} dB off."
            if clock.pilot
            else f"  Adam's clock: {clock.speed:.1f} times as fast as the kernel's flow, a "
            "default that was not calibrated for this signal.",
            style="dim",
        )
    if result.models:
        reached = sorted(result.models, key=lambda m: m.candidate.bandwidth or 0.0)
        console.print(
            f"  scale models, trained for {result.budget.steps:,} steps on pieces of the signal, reached "
            + ", ".join(
                f"{m.held_out if result.goal == 'generalise' else m.train:.1f} dB with "
                f"{m.candidate.bandwidth or 0:g}"
                for m in reached
            )
            + ": three quarters of the choice between these.",
            style="dim",
        )
    console.print(
        f"  engine: {result.engine}; {run.threads} thread{'s' if run.threads > 1 else ''}",
        style="dim",
    )


def show_proof(run: TuneRun) -> None:
    """Predicted beside measured, and where the run folder is."""
    console = Console(highlight=False)
    rows = run.summary()
    if rows:
        metric, between = run.metric, _between(console).replace("/ ", "")
        table = Table(title=f"Measured and predicted: {metric.label}", box=box.SIMPLE_HEAD)
        table.add_column("network", no_wrap=True)
        for name in (
            "steps",
            "held-out:\nmeasured\n(predicted)",
            "training:\nmeasured\n(predicted)",
        ):
            table.add_column(name, justify="right", overflow="fold", min_width=5)
        for row in rows:
            held_out = train = ""
            if row["train_predicted"] is not None:
                off = metric.difference(row["held_out_error"])
                held_out = f"{between}({metric.number(row['held_out_predicted'])}, {off})"
                train = f"{between}({metric.number(row['train_predicted'])})"
            if isnan(row["held_out_measured"]):
                held_out = held_out.replace(", -", "")
            table.add_row(
                row["name"] + ("" if row["finished"] else "*"),
                f"{row['steps']:,}",
                metric.number(row["held_out_measured"]) + held_out,
                metric.number(row["train_measured"]) + train,
            )
        if run.result.baseline:
            level = run.result.baseline
            table.add_row(level.name, "-", metric.number(level.held_out), "-", style="dim")
        console.print(table)
        _show_scores(console, rows[0]["scores"])
        if run.initial_error is not None and not run.spec.symmetrise:
            console.print(
                "  Of the error between the samples, what is left of the random initial function is "
                f"{psnr(run.initial_error):.1f} dB by itself (--symmetrise removes it).",
                style="dim",
            )
    if run.partial:
        console.print(
            f"[bold yellow]* Interrupted. `ntkit tune --resume {_name(run.folder)}` goes on.[/]"
        )
    console.print(f"Report: {_name(run.folder / 'report.html')}", soft_wrap=True)


def show_fit(run: FitRun) -> None:
    """What the training reached, how large the network is, and where the run folder is."""
    console = Console(highlight=False)
    proof = run.proof
    if proof.evaluations:
        written = run.metric.written
        reached = f"[bold]{written(proof.train_quality)}[/bold] on the samples trained on"
        if not isnan(proof.held_out_quality):
            reached += f", [bold]{written(proof.held_out_quality)}[/bold] on those held out"
        if run.baseline:
            reached += f" ({run.baseline.name}: {written(run.baseline.held_out)})"
        console.print(f"{run.candidate.label}, {run.why}: {reached}, in {proof.seconds:.0f} s.")
        _show_scores(console, proof.scores)
    size = run.n_parameters * 2 / 1e3
    file = f", the file {run.domain.file_bytes / 1e3:,.0f} kB" if run.domain.file_bytes else ""
    console.print(f"  The network takes {size:,.0f} kB in 16 bits{file}.", style="dim")
    if run.partial:
        console.print(
            f"[bold yellow]Interrupted. `ntkit fit --resume {_name(run.folder)}` goes on.[/]"
        )
    console.print(f"Report: {_name(run.folder / 'report.html')}", soft_wrap=True)


def show_reconstruction(run: ReconstructRun) -> None:
    """What was found and chosen, how far it is from the truth if that is known, and where the run folder is."""
    console = Console(highlight=False)
    for note in run.notes:
        console.print(f"  note: {escape(note)}", style="dim")
    console.print(f"  {escape(run.why)}", style="dim")
    console.print(f"  What is left of the data: {escape(run.leftover_in_words)}", style="dim")
    if run.scores:
        table = Table(box=box.SIMPLE_HEAD)
        table.add_column("against the truth", no_wrap=True)
        for name in ("PSNR (dB)", "SSIM"):
            table.add_column(name, justify="right")
        for name, row in run.scores.items():
            cells = [f"{row['psnr']:.2f}", f"{row['ssim']:.3f}" if "ssim" in row else "-"]
            table.add_row(
                escape(name), *cells, style="bold green" if name == "reconstruction" else None
            )
        console.print(table)
    console.print(
        f"[bold]{escape(run.size_in_words)} pixels from {run.n_data:,} data: {escape(run.choice_in_words)}[/bold], in "
        f"{run.seconds:.1f} s."
    )
    if run.covered is not None:
        console.print(f"The 90 % error bars hold {100 * run.covered:.0f} % of the true pixels.")
    console.print(f"Report: {_name(run.folder / 'report.html')}", soft_wrap=True)


def _show_scores(console: Console, scores: dict[str, float]) -> None:
    for name, value in scores.items():
        console.print(f"  {escape(name)}: {value:.3g}", style="dim")


def show_json(run: AbstractRun) -> None:
    """The run's `result.json` and its folder, as one object."""
    print_json({"folder": shown(run.folder), **RunFolder(run.folder).result})


def show_runs(entries: Sequence[RunEntry], folder: Path, *, json: bool) -> None:
    """One line a run."""
    if json:
        print_json([asdict(e) for e in entries])
        return
    console = Console(highlight=False)
    if not entries:
        console.print(f"No runs in `{_name(folder)}`.")
        return
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("run", overflow="fold")
    for name in ("started", "input", "state", "recommended"):
        table.add_column(name)
    table.add_column("held out", justify="right")
    table.add_column("size,\nMB", justify="right")
    for e in entries:
        measured = "-" if e.held_out is None else metric_of(e.kind).written(e.held_out)
        day = e.started[:16].replace("T", " ")
        table.add_row(_name(e.folder), day, _name(e.input), e.state, e.choice or "-", measured,
                      f"{e.size / 1e6:.1f}")  # fmt: skip
    console.print(table)


def print_json(content: object) -> None:
    """One line of JSON."""
    print(json.dumps(content))


def _name(path: Path | str) -> str:
    """A file's name in a text of rich, which would take its brackets for markup."""
    return escape(shown(path))


def _short(value: float, metric: AbstractMetric) -> str:
    return "   -" if value > metric.perfect else metric.number(value)
