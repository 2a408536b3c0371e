"""Every public name of neural-tangents has its row, and every name that a row offers exists."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn

import ntkit

PAGE = Path(__file__).parents[2] / "docs" / "from_neural_tangents.md"
NAMES = Path(__file__).parent / "data" / "neural_tangents_names.txt"
ROOTS = {"ntkit": ntkit, "nn": nn, "torch": torch}
ROW = re.compile(r"^\| `([\w.]+)` \| (.*?) \|", re.MULTILINE)
pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="needs the source's documentation")


def rows() -> dict[str, str]:
    found = ROW.findall(PAGE.read_text(encoding="utf-8"))
    table = dict(found)
    assert len(table) == len(found), "a name has two rows"
    return table


def test_every_name_has_its_row() -> None:
    assert set(rows()) == set(NAMES.read_text(encoding="utf-8").split())


def test_what_rows_offer_exists() -> None:
    for name, ours in rows().items():
        if ours.startswith("not here, because "):
            continue
        offers = re.findall(r"`([\w.]+)`", ours)
        assert offers, f"the row of {name} offers nothing"
        for offer in offers:
            first, *rest = offer.split(".")
            found: object = ROOTS[first]
            for part in rest:
                assert hasattr(found, part), f"the row of {name}: no `{offer}`"
                found = getattr(found, part)
