"""The `ntkit` command."""

import os
import platform
import shlex
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from io import StringIO, TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, Union

import torch
import tyro

from ntkit._core.errors import NumericalError
from ntkit._core.threads import free_cores
from ntkit._core.whole_files import read_json
from ntkit.cli.each import EachOptions, run_each, show_each
from ntkit.cli.export import export
from ntkit.cli.gram import gram
from ntkit.cli.render import render
from ntkit.cli.show import (
    show_fit,
    show_json,
    show_proof,
    show_recommendation,
    show_reconstruction,
    show_runs,
)
from ntkit.cli.simulate import ct, mri
from ntkit.cli.studio import studio
from ntkit.experiments.fit_run import resume_fit, run_fit
from ntkit.experiments.interruption import Interruption
from ntkit.experiments.progress import Telling
from ntkit.experiments.reconstruct_result import ReconstructRun
from ntkit.experiments.reconstruct_run import resume_reconstruct, run_reconstruct
from ntkit.experiments.reconstruct_spec import CtSpec, ImageSpec, MriSpec, ReconstructSpec
from ntkit.experiments.results import AbstractRun, FitRun, TuneRun
from ntkit.experiments.run_folder import RunFolder
from ntkit.experiments.run_from_json import read_spec, spec_of
from ntkit.experiments.runs import list_runs
from ntkit.experiments.spec import FitSpec, TuneSpec
from ntkit.experiments.tune_run import resume_tune, run_tune

__all__ = ["main"]

_USER_ERRORS = (ValueError, TypeError, OSError, NumericalError, ImportError)
_LISTS = {
    *("--bandwidths", "--encodings", "--families", "--columns", "--targets", "--size", "--crop"),
    *("--box", "--background", "--prior", "--bounds", "--angles"),
}

_WITH_SPEC = {"tune": 1, "fit": 1, "reconstruct": 2}
"""Commands that take a spec, and of how many words they are."""

Spec = TuneSpec | FitSpec | ReconstructSpec

_Command = Callable[..., int]

_ONE = EachOptions()
"""The data are one signal."""


@dataclass(frozen=True)
class RunOptions:
    """How a run is started and shown; none of it changes the result.

    Attributes:
        config: Take the options of an earlier run from its spec.json; those given as well win.
        resume: Go on with the run of this folder, which was stopped or killed, as it was asked for.
        force: Replace the run that is in the folder of --out.
        json: Print one JSON object, the run's result.json, instead of tables.
        quiet: Print the run folder alone.
    """

    config: Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="")] = None
    resume: Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="")] = None
    force: bool = False
    json: bool = False
    quiet: bool = False


def main() -> None:
    """Run the command line; a mistake of the user's ends in one line and exit code 2."""
    sys.stdout = sys.stdout or StringIO()  # closed by the caller: `>&-`
    sys.stderr = sys.stderr or StringIO()
    for stream in (sys.stdout, sys.stderr):  # a terminal that lacks a character shows another
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    arguments = _split_lists(sys.argv[1:])
    with Interruption().handled() as interruption:
        sys.exit(_guarded(lambda: _command(arguments, interruption), interruption))


def _command(arguments: Sequence[str], interruption: Interruption) -> int:
    if list(arguments) == ["--version"]:
        print(f"ntkit {version('ntkit')}")
        return 0
    default = _default(arguments)
    commands: dict[str, _Command | dict[str, _Command]] = {
        "tune": _of_spec(TuneSpec, "tune", _TUNE, default, interruption, each=True),
        "fit": _of_spec(FitSpec, "fit", _FIT, default, interruption),
        "reconstruct": {
            kind.of: _of_spec(kind, kind.of, kind.__doc__ or "", default, interruption)
            for kind in (CtSpec, MriSpec, ImageSpec)
        },
        "simulate": {"ct": ct, "mri": mri},
        "render": render,
        "export": export,
        "gram": gram,
        "studio": studio,
        "runs": runs,
        "info": info,
    }
    style = (tyro.conf.OmitArgPrefixes,)
    return tyro.cli(_one_of(commands), args=arguments, config=style, prog="ntkit")


def _one_of(commands: Mapping[str, _Command | dict[str, _Command]]) -> Any:
    """A type for tyro: one of some commands, which may have kinds."""
    kinds = [
        Annotated[
            Any,
            tyro.conf.subcommand(
                name=name,
                constructor=_one_of(command) if isinstance(command, dict) else command,
                description=_KINDS[name] if isinstance(command, dict) else None,
            ),
        ]
        for name, command in commands.items()
    ]
    return Union[tuple(kinds)]  # noqa: UP007 - of a list, which `|` does not take


_TUNE = "Recommend an encoding and a bandwidth for data, and prove it by training."
_FIT = "Train a coordinate network on data, and keep it."
_KINDS = {
    "reconstruct": "A picture with error bars from measurements: projections, k-space, or an incomplete picture.",
    "simulate": "Make measurements of a picture, for trying out `ntkit reconstruct`.",
}


def _of_spec(
    kind: type[Spec],
    name: str,
    doc: str,
    default: Spec | None,
    interruption: Interruption,
    *,
    each: bool = False,
) -> Callable[..., int]:
    """A command that takes a spec, with that of another run as its defaults if there is one; some take `--each`."""
    unnamed = tyro.conf.arg(name="")
    many = (
        Annotated[EachOptions, unnamed]
        if each
        else tyro.conf.Suppress[tyro.conf.Fixed[EachOptions]]
    )

    def fresh(
        spec: Annotated[kind, unnamed],  # pyright: ignore[reportInvalidTypeForm]
        how: Annotated[RunOptions, unnamed] = RunOptions(),
        each: many = _ONE,  # pyright: ignore[reportInvalidTypeForm]
    ) -> int:
        return _run(spec, how, each, default, interruption)

    def again(
        spec: Annotated[kind, unnamed] = default,  # pyright: ignore[reportInvalidTypeForm]
        how: Annotated[RunOptions, unnamed] = RunOptions(),
        each: many = _ONE,  # pyright: ignore[reportInvalidTypeForm]
    ) -> int:
        return _run(spec, how, each, default, interruption)

    command = again if isinstance(default, kind) else fresh
    command.__name__, command.__doc__ = name, doc
    return command


def _run(
    spec: Spec,
    how: RunOptions,
    each: EachOptions,
    default: Spec | None,
    interruption: Interruption,
) -> int:
    each.check()
    silent = how.quiet or how.json
    telling = Telling(
        on_progress=None if silent else _stage,
        on_notice=None if silent else _notice,
        on_recommendation=None if silent else _recommend,
        show_progress=not silent,
        interruption=interruption,
    )
    command = shlex.join(["ntkit", *sys.argv[1:]])
    if each.each:
        return _run_each(spec, how, each, command, telling)
    if how.resume is None:
        begin: Callable[..., AbstractRun] = _of(spec)[0]
        run = begin(spec, force=how.force, command=command, telling=telling)
    else:
        if how.config or how.force or spec != default:
            raise ValueError(
                "`--resume` goes on with a run as it was asked for; it takes no other options than "
                "`--json` and `--quiet`. To change one, start a new run with `--config`."
            )
        run = _of(spec)[1](how.resume, telling=telling)
    _stage("")
    _show(run, how)
    return 128 + (interruption.signal or 2) if run.interrupted else 0


def _run_each(
    spec: Spec, how: RunOptions, each: EachOptions, command: str, telling: Telling
) -> int:
    """Every signal of a folder; the exit code is 1 where one has no recommendation.

    Raises:
        ValueError: `--resume` was given.
    """
    if how.resume is not None:
        raise ValueError(
            "`--each` goes on by itself: give the same command again, without `--resume`."
        )
    assert isinstance(spec, TuneSpec)
    table = run_each(spec, each, force=how.force, command=command, telling=telling)
    _stage("")
    show_each(table, json=how.json, quiet=how.quiet)
    if table.interrupted:
        return 128 + (telling.interruption.signal or 2)
    return 0 if table.is_well else 1


def _of(spec: Spec) -> tuple[Callable[..., AbstractRun], Callable[..., AbstractRun]]:
    """What begins a run, and what goes on with one."""
    if isinstance(spec, TuneSpec):
        return run_tune, resume_tune
    if isinstance(spec, FitSpec):
        return run_fit, resume_fit
    return run_reconstruct, resume_reconstruct


def _recommend(run: AbstractRun) -> None:
    """What there is to see before a training begins."""
    if isinstance(run, TuneRun):
        show_recommendation(run)


def _show(run: AbstractRun, how: RunOptions) -> None:
    if how.json:
        show_json(run)
    elif how.quiet:
        print(run.folder)
    elif isinstance(run, TuneRun):
        show_proof(run)
    elif isinstance(run, FitRun):
        show_fit(run)
    elif isinstance(run, ReconstructRun):
        show_reconstruction(run)


def runs(folder: tyro.conf.Positional[Path] = Path("runs"), *, json: bool = False) -> int:
    """List the runs in a folder: what, when, the result, whether partial, and the size.

    Args:
        folder: Where the run folders are.
        json: Print a JSON list instead of a table.
    """
    show_runs(list_runs(folder), folder, json=json)
    return 0


def info() -> int:
    """Show versions and what this machine offers."""
    print(
        f"ntkit {version('ntkit')}, torch {torch.__version__}, Python {platform.python_version()}"
    )
    print(f"{free_cores()} free cores; CUDA {'yes' if torch.cuda.is_available() else 'no'}")
    return 0


def _default(arguments: Sequence[str]) -> Spec | None:
    """The spec that `--config` or `--resume` names, None without them.

    Raises:
        ValueError: It is one of another command.
    """
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    for flag in ("--config", "--resume"):
        parser.add_argument(flag, nargs="?", type=Path)
    named, rest = parser.parse_known_args(arguments)
    if named.resume is not None:
        found = read_spec(RunFolder(named.resume))
    elif named.config is not None:
        found = spec_of(read_json(named.config))
    else:
        return None
    assert isinstance(found, Spec)
    said = [] if not rest or rest[0] not in _WITH_SPEC else rest[: _WITH_SPEC[rest[0]]]
    if said and " ".join(said) != found.command:
        raise ValueError(
            f"That run is one of `ntkit {found.command}`: pass `ntkit {found.command}` instead."
        )
    return found if named.resume is not None else replace(found, out=None)


def _split_lists(arguments: Sequence[str]) -> list[str]:
    """`--bandwidths 5,10` as `--bandwidths 5 10`, for the options that take several values."""
    found: list[str] = []
    inside = False
    for argument in arguments:
        if argument.startswith("--"):
            flag, equals, values = argument.partition("=")
            inside = flag in _LISTS
            found += [flag, *values.split(",")] if inside and equals else [argument]
        else:
            found += [v for v in argument.split(",") if v] if inside else [argument]
    return found


def _guarded(command: Callable[[], int | None], interruption: Interruption) -> int:
    """The exit code of a command: mistakes are one line, and a reader that has gone is no mistake."""
    try:
        code = int(command() or 0)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        return 0
    except _USER_ERRORS as error:
        _stage("")
        message = " ".join(str(error).split()).encode("utf-8", "backslashreplace").decode()
        print(f"ntkit: {message}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        _stage("")
        print(
            "ntkit: interrupted. A run that had begun is in its folder; `ntkit runs` lists it, and "
            "`--resume FOLDER` of the same command goes on.",
            file=sys.stderr,
        )
        return 128 + (interruption.signal or 2)
    return code


def _notice(text: str) -> None:
    """A line that stays."""
    _stage("")
    print(f"ntkit: {text}", file=sys.stderr)


def _stage(text: str) -> None:
    """One line that is written over, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
