"""A signal tuned by another process, so that none takes the others with it."""

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO

from ntkit.experiments.run_before import is_done
from ntkit.experiments.spec import TuneSpec

__all__ = ["TuneProcess"]

_LOOK = 0.2
"""Seconds between looks at whether to stop."""

_LINE = 600
"""Characters of a reason that are kept."""


@dataclass(frozen=True)
class TuneProcess:
    """Tunes the signal of a spec in a process of its own, and returns why that failed, None if it did not.

    Attributes:
        command: The command line, for the report.
        stops: Whether to stop now, asked where the signal is tuned; None where nobody can say so.
    """

    command: str = ""
    stops: Callable[[], bool] | None = None

    def __call__(self, spec: TuneSpec) -> str | None:
        """Why it failed; None where it is done, now or before."""
        if self._is_to_stop:
            return None
        try:
            if is_done(spec):
                return None
        except (ValueError, OSError) as error:
            return str(error)
        with TemporaryFile() as said:  # a pipe that nobody empties would hold it up
            code = self._ended(spec, said)
            said.seek(0)
            words = said.read().decode("utf-8", "backslashreplace").strip().splitlines()
        if code == 0 or self._is_to_stop:
            return None
        if code < 0:
            return f"Its process was killed by signal {-code}: memory may be short."
        return (words or ["Its process ended without a word."])[-1][:_LINE]

    @property
    def _is_to_stop(self) -> bool:
        return self.stops is not None and self.stops()

    def _ended(self, spec: TuneSpec, said: IO[bytes]) -> int:
        """The exit code of the process, once it has ended."""
        with subprocess.Popen(
            [sys.executable, "-m", "ntkit.experiments.one_signal"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
        ) as process:
            assert process.stdin is not None
            asked = json.dumps({"spec": spec.to_dict(), "command": self.command})
            with suppress(BrokenPipeError):  # it has died already
                process.stdin.write(f"{asked}\n".encode())
                process.stdin.flush()
            while not self._is_to_stop:
                with suppress(subprocess.TimeoutExpired):
                    return process.wait(None if self.stops is None else _LOOK)
            process.stdin.close()  # so that it stops at its next step
            return process.wait()
