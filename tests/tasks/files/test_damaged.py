"""Damaged files of every kind are read, or refused in one line that names the file."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("png")

from tests.tasks.files.examples import WRITE, read


def damaged(content: bytes, draw: np.random.Generator) -> bytes:
    """Cut off, bits flipped, bytes replaced, put in or taken out; headers more often than the rest."""
    found = bytearray(content)
    if draw.integers(3) == 0:
        return bytes(found[: int(draw.integers(1, len(found)))])
    for _ in range(int(draw.integers(1, 5))):
        end = min(len(found), 400) if draw.integers(2) else len(found)
        at, way = int(draw.integers(end)), draw.integers(4)
        if way == 0:
            found[at] ^= 1 << int(draw.integers(8))
        elif way == 1:
            found[at] = int(draw.integers(256))
        elif way == 2:
            found[at:at] = draw.bytes(int(draw.integers(1, 20)))
        else:
            del found[at : at + int(draw.integers(1, 20))]
    return bytes(found) or b"\0"


def refusal(path: Path) -> str:
    """What a file is refused with; empty if it is read."""
    try:
        read(path)
    except (ValueError, OSError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", WRITE)
def test_whole_files_are_read(name: str, tmp_path: Path) -> None:
    package, write = WRITE[name]
    pytest.importorskip(package)
    write(tmp_path / name)
    assert refusal(tmp_path / name) == ""


@pytest.mark.filterwarnings("ignore:string or file could not be read")  # older NumPy, of an .obj
@pytest.mark.parametrize("name", WRITE)
def test_damage_is_refused_in_one_line(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    package, write = WRITE[name]
    pytest.importorskip(package)
    path = tmp_path / name
    write(path)
    whole = path.read_bytes()
    for seed in range(12):
        path.write_bytes(damaged(whole, np.random.default_rng(seed)))
        said = refusal(path)
        assert "\n" not in said, (seed, said)
        assert not said or "`" in said, (seed, said)
    said = capfd.readouterr()
    assert said.out + said.err == ""
