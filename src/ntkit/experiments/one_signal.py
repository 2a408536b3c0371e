"""One signal of many, tuned in a process of its own: `python -m ntkit.experiments.one_signal`.

The spec comes on standard input, which then stays open: where it ends, the process that asked has gone or wants no
more, and the run stops as by Ctrl-C, from where it can go on.
"""

import json
import os
import signal
import sys
import threading
import time

from ntkit._core.errors import NumericalError
from ntkit.experiments.interruption import Interruption
from ntkit.experiments.progress import Telling
from ntkit.experiments.results import TuneRun
from ntkit.experiments.run_before import has_begun
from ntkit.experiments.spec import TuneSpec
from ntkit.experiments.tune_run import resume_tune, run_tune

__all__ = ["main"]

_PATIENCE = 60.0
"""Seconds to wait for a folder: the process of a killed parent stops at its next step, and then lets go of it."""

_MISTAKES = (ValueError, TypeError, OSError, NumericalError, ImportError, MemoryError)


def main() -> int:
    """The exit code: 0, or 1 with the reason as the last line on standard error."""
    asked = json.loads(sys.stdin.readline())
    spec = TuneSpec.from_dict(asked["spec"])
    with Interruption().handled() as interruption:
        threading.Thread(target=_stop_with_parent, daemon=True).start()
        telling = Telling(show_progress=False, interruption=interruption)
        try:
            _run(spec, asked["command"], telling)
        except _MISTAKES as error:
            sys.stderr.write(" ".join(str(error).split()) or type(error).__name__)
            return 1
        except KeyboardInterrupt:
            return 1
    return 0


def _run(spec: TuneSpec, command: str, telling: Telling) -> TuneRun:
    """The run of a folder gone on with, or a new one.

    Raises:
        FileExistsError: Another process has had the folder for a minute.
    """
    assert spec.out is not None
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            if has_begun(spec):
                return resume_tune(spec.out, telling=telling)
            return run_tune(spec, force=True, command=command, telling=telling)
        except FileExistsError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def _stop_with_parent() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
