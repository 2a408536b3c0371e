"""A spec survives its file, whatever its data are."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tyro")

from ntkit.experiments.spec import FitSpec, TuneSpec


@pytest.mark.parametrize("of", [TuneSpec, FitSpec])
@pytest.mark.parametrize("kind", [None, "image", "points"])
def test_the_kind_of_the_data_survives(of: Any, kind: Any) -> None:
    spec = of(data=Path("a.npy"), kind=kind)
    assert of.from_dict(json.loads(json.dumps(spec.to_dict()))).kind == kind


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="`kind` in the spec must be"):
        TuneSpec.from_dict({"data": "a.npy", "kind": "smell"})
