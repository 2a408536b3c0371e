"""What a release says of itself is one: its version, its date, and the oldest releases that it works with."""

import re
import tomllib
from pathlib import Path

import pytest

import ntkit

ROOT = Path(__file__).parents[1]
CHANGELOG = ROOT / "CHANGELOG.md"
RELEASE = re.compile(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})$", re.MULTILINE)
SUMMARY = 12
WITHOUT_LOWEST = {"docs", "dev", "bench", "deepinv"}
"""Extras that no user of the package needs, and one that is not in `all`."""
pytestmark = pytest.mark.skipif(not CHANGELOG.exists(), reason="needs the source")


def test_the_version_is_the_same_everywhere() -> None:
    newest, date = RELEASE.findall(CHANGELOG.read_text(encoding="utf-8"))[0]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert ntkit.__version__ == project["version"] == newest
    assert f"\nversion: {newest}\n" in citation
    assert f"\ndate-released: {date}\n" in citation


def test_what_comes_next_has_a_place_above_what_was_released() -> None:
    headings = re.findall(r"^## \[(.+?)\]", CHANGELOG.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert len(set(headings)) == len(headings)


def test_a_release_begins_with_what_it_means_for_a_stranger() -> None:
    text = CHANGELOG.read_text(encoding="utf-8")
    for release in RELEASE.finditer(text):
        first = text[release.end() :].partition("\n### ")[0].strip()
        assert 1 <= len(first.splitlines()) <= SUMMARY


def test_the_oldest_releases_are_those_that_the_metadata_allow() -> None:
    """`scipy>=1.11` beside `scipy==1.11.1`: the first of that line that there is."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    allowed = project["dependencies"] + [
        row for extra in extras.keys() - WITHOUT_LOWEST for row in extras[extra]
    ]
    bounds = dict(row.split(">=") for row in allowed if not row.startswith("ntkit["))
    lowest = (ROOT / "constraints-lowest.txt").read_text(encoding="utf-8")
    pins = dict(row.split("==") for row in lowest.splitlines() if not row.startswith("#"))
    assert bounds.keys() == pins.keys() - {"pyparsing", "pytest"}
    off = [name for name, bound in bounds.items() if not f"{pins[name]}.".startswith(f"{bound}.")]
    assert off == []
