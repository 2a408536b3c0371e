"""What a JSON beside the data says of them, for options that were not given."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from ntkit._core.whole_files import read_json, shown
from ntkit.experiments.reconstruct_spec import ReconstructSpec

__all__ = ["beside", "filled_in"]

_Spec = TypeVar("_Spec", bound=ReconstructSpec)

_FILES = ("mask", "coils", "truth")
_KEY = "measured"


def beside(data: Path) -> Path:
    """Where the JSON of some data would be."""
    return data.with_suffix(".json")


def filled_in(spec: _Spec) -> tuple[_Spec, list[str]]:
    """The spec with what the JSON beside its data says and it does not, and the names of these options.

    Raises:
        ValueError: The JSON is damaged, or of measurements of another kind.
    """
    if not spec.data.is_file():
        return spec, []  # its reader says so
    path = beside(spec.data)
    said = read_json(path) if path.is_file() and path != spec.data else {}
    found = said.get(_KEY)
    if not isinstance(found, dict):
        return spec, []  # somebody else's
    if said.get("of") != spec.of:
        raise ValueError(
            f"`{shown(path)}` says that its data are for `ntkit reconstruct {said.get('of')}`; remove it if they are not."
        )
    known = type(spec).from_dict({"data": str(spec.data), **_texts(found, path.parent)})
    usual = {f.name: f.default for f in fields(spec)}
    more: dict[str, Any] = {
        name: getattr(known, name)
        for name, value in usual.items()
        if name in found and getattr(spec, name) == value != getattr(known, name)
    }
    return replace(spec, **more), list(more)


def _texts(found: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Numbers of angles as they would be typed, and files where they are."""
    texts = dict(found)
    if isinstance(texts.get("angles"), list):
        texts["angles"] = [str(angle) for angle in texts["angles"]]
    for name in _FILES:
        if isinstance(texts.get(name), str):
            texts[name] = str(folder / texts[name])
    return texts
