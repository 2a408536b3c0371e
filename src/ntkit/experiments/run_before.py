"""Whether the run that is asked for stands in its folder already, whole or begun."""

from dataclasses import fields

from ntkit.experiments.data import digest
from ntkit.experiments.run_folder import RESULT, SPEC, RunFolder
from ntkit.experiments.run_from_json import read_spec
from ntkit.experiments.spec import TuneSpec

__all__ = ["has_begun", "is_done", "other_option"]

_FREE = {"out", "threads"}
"""Options that may differ when a run is gone on with."""


def other_option(spec: TuneSpec) -> str | None:
    """The first option by which the run in the folder of `spec` differs from it; None where there is no such run."""
    folder = _folder(spec)
    if not (folder.path / SPEC).is_file():
        return None
    there, here = read_spec(folder).to_dict(), spec.to_dict()
    names = ["job", *(f.name for f in fields(spec) if f.name not in _FREE)]
    return next((n for n in names if there.get(n) != here[n]), None)


def has_begun(spec: TuneSpec) -> bool:
    """Whether its folder holds a run of the same options and of the data as they are now."""
    folder = _folder(spec)
    if not all((folder.path / name).is_file() for name in (SPEC, RESULT)) or other_option(spec):
        return False
    return folder.result.get("input_sha256") == digest(spec.data)


def is_done(spec: TuneSpec) -> bool:
    """Whether such a run came to its end."""
    return has_begun(spec) and _folder(spec).result.get("partial") is False


def _folder(spec: TuneSpec) -> RunFolder:
    assert spec.out is not None
    return RunFolder(spec.out)
