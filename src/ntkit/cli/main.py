"""The `ntkit` command."""

import platform
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any

import torch
import tyro

from ntkit._core.errors import NumericalError
from ntkit._core.threads import free_cores
from ntkit.cli.show import show_proof, show_recommendation
from ntkit.experiments.run import run_tune
from ntkit.experiments.spec import TuneSpec

__all__ = ["main"]

_USER_ERRORS = (ValueError, TypeError, OSError, NumericalError)


def main() -> None:
    """Run the command line; a mistake of the user's ends in one line and exit code 2."""
    commands = {"tune": tune, "info": info}
    style = (tyro.conf.PositionalRequiredArgs, tyro.conf.OmitArgPrefixes)
    sys.exit(_guarded(lambda: tyro.extras.subcommand_cli_from_dict(commands, config=style)))


def tune(spec: Annotated[TuneSpec, tyro.conf.arg(name="")]) -> int:
    """Recommend an encoding and a bandwidth for a photo, and prove it by training."""
    run = run_tune(spec, on_progress=_stage, on_recommendation=show_recommendation)
    _stage("")
    show_proof(run)
    return 130 if run.partial else 0


def info() -> int:
    """Show versions and what this machine offers."""
    print(
        f"ntkit {version('ntkit')}, torch {torch.__version__}, Python {platform.python_version()}"
    )
    print(f"{free_cores()} free cores; CUDA {'yes' if torch.cuda.is_available() else 'no'}")
    return 0


def _guarded(command: Callable[[], Any]) -> int:
    try:
        return int(command() or 0)
    except _USER_ERRORS as error:
        _stage("")
        print(f"ntkit: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        _stage("")
        print("ntkit: interrupted before training began; nothing to keep.", file=sys.stderr)
        return 130


def _stage(text: str) -> None:
    """One line that is written over, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
