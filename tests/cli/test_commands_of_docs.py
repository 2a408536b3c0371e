"""Every command in the documentation is one that the command line takes."""

import functools
import re
import shlex
from pathlib import Path

import pytest

pytest.importorskip("tyro")
pytest.importorskip("filelock")
pytest.importorskip("rich")
pytest.importorskip("safetensors")

from ntkit.cli import main
from ntkit.experiments.interruption import Interruption
from ntkit.experiments.reconstruct_spec import CtSpec, ImageSpec, MriSpec
from ntkit.experiments.spec import FitSpec, TuneSpec

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(
    r"`(ntkit (?:tune|fit|reconstruct|simulate|render|export|gram|runs|studio)[^`]*--[^`]*)`"
)


def commands() -> list[str]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        lines = [
            line.split("#")[0].strip()
            for block in BLOCK.findall(text)
            for line in block.split("\n")
        ]
        found += [line for line in lines if line.startswith("ntkit ")]
        found += [" ".join(line.split()) for line in INLINE.findall(text)]
    return sorted({line for line in found if "--tyro" not in line})


def test_there_are_commands_of_each_kind() -> None:
    assert {line.split()[1] for line in commands()} >= {
        "tune",
        "fit",
        "reconstruct",
        "simulate",
        "render",
        "export",
        "gram",
        "studio",
    }


@pytest.mark.parametrize("line", commands())
def test_commands_are_taken(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to what they would do: options and their values are read and checked."""
    words = shlex.split(line)[1:]
    taken = []

    def run(spec, how, each, default, interruption) -> int:
        spec.check()
        each.check()
        taken.append(spec)
        return 0

    def taking(command):
        @functools.wraps(command)
        def take(*args: object, **kwargs: object) -> int:
            taken.append(kwargs or args)
            return 0

        return take

    def default(arguments):
        kinds = {"fit": FitSpec, "tune": TuneSpec, "ct": CtSpec, "mri": MriSpec, "image": ImageSpec}
        kind = kinds.get(arguments[arguments[0] == "reconstruct"], TuneSpec)
        return kind(Path("x")) if {"--resume", "--config"} & set(arguments) else None

    monkeypatch.setattr(main, "_run", run)
    for name in ("render", "export", "gram", "ct", "mri", "studio"):
        monkeypatch.setattr(main, name, taking(getattr(main, name)))
    monkeypatch.setattr(main, "_default", default)
    if "DATA" in words or "RUN" in words or "..." in words:
        words = [w for w in words if w != "..."]
    assert main._command(main._split_lists(words), Interruption()) == 0
    assert taken or words == ["--version"]
