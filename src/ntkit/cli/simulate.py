"""`ntkit simulate`: measurements of a picture, for trying out."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from ntkit._core.whole_files import shown
from ntkit.experiments.simulation import simulate_ct, simulate_mri

__all__ = ["ct", "mri"]


def _told(kind: str, simulate: Callable[..., list[Path]]) -> Callable[..., int]:
    """The command of a simulation: its own options, and a word on what was written and what to do with it."""

    @wraps(simulate)
    def command(*given: Any, **options: Any) -> int:
        files = simulate(*given, **options)
        for path in files:
            print(shown(path))
        print(f"Now: ntkit reconstruct {kind} {shown(files[0])}")
        return 0

    return command


ct: Callable[..., int] = _told("ct", simulate_ct)
mri: Callable[..., int] = _told("mri", simulate_mri)
