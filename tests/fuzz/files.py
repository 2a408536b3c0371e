"""Mutated images, arrays, specs and run folders, drawn by a seed, and what the command line makes of them."""

import io
import json
import shutil
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

for _package in ("PIL", "png", "matplotlib", "safetensors", "jinja2", "filelock", "tyro", "rich"):
    pytest.importorskip(_package)

from PIL import Image  # noqa: E402

from ntkit.cli.main import main  # noqa: E402

__all__ = ["KINDS", "Outcome", "damaged", "outcome"]

_SMALL = ["--budget", "2", "--width", "8", "--depth", "1", "--n-frequencies", "4", "--threads", "1"]
_SMALL += ["--bandwidths", "2", "--encodings", "gaussian", "--quiet"]


@dataclass(frozen=True)
class Outcome:
    """What a call of `ntkit` did.

    Attributes:
        code: Exit code.
        said: What it printed as an error.
        fault: What must not be: a traceback, several lines, half a file; empty if all is well.
    """

    code: int
    said: str
    fault: str


def outcome(seed: int, folder: Path) -> Outcome:
    """Make the file of a seed in an empty folder, and run `ntkit` on it."""
    draw = np.random.default_rng(seed)
    kind = KINDS[seed % len(KINDS)]
    arguments = kind(draw, folder)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    code, said, fault = _call(arguments)
    if not fault and code not in {0, 2}:
        fault = f"exit code {code}"
    if not fault and code == 2 and said.count("\n") != 1:
        fault = f"not one line: {said!r}"
    return Outcome(code, said.strip(), fault or _half_written(folder, before))


def _call(arguments: list[str]) -> tuple[int, str, str]:
    """Exit code, standard error, and the traceback's last line if there was one."""
    output, errors, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["ntkit", *arguments]
    try:
        with redirect_stdout(output), redirect_stderr(errors):
            main()
    except SystemExit as stopped:
        return int(stopped.code or 0), errors.getvalue(), ""
    except Exception as error:
        return 1, errors.getvalue(), f"{type(error).__name__}: {error}"
    finally:
        sys.argv = before
    return 0, errors.getvalue(), ""


def _half_written(folder: Path, before: dict[Path, bytes]) -> str:
    """What is wrong with the files that are new."""
    for path in folder.rglob("*"):
        if path.is_dir() or path in before:
            continue
        if ".part" in path.name:
            return f"left {path.name}"
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.name != ".lock" and path.stat().st_size == 0:
            return f"empty {path.name}"
    return ""


def _picture(draw: np.random.Generator) -> np.ndarray:
    shape = tuple(draw.integers(4, 24, 2))
    channels = int(draw.choice([0, 1, 3, 4]))
    values = draw.integers(0, 256, (*shape, channels) if channels else shape)
    return values.astype(draw.choice([np.uint8, np.uint16] if channels in {0, 1} else [np.uint8]))


def damaged(content: bytes, draw: np.random.Generator) -> bytes:
    """Bytes flipped, cut off, doubled, put in, or taken out."""
    found = bytearray(content)
    for _ in range(int(draw.integers(1, 6))):
        if not found:
            break
        at = int(draw.integers(len(found)))
        way = draw.integers(5)
        if way == 0:
            found[at] ^= 1 << int(draw.integers(8))
        elif way == 1:
            found[at] = int(draw.integers(256))
        elif way == 2:
            del found[at:]
        elif way == 3:
            found[at:at] = draw.bytes(int(draw.integers(1, 40)))
        else:
            del found[at : at + int(draw.integers(1, 40))]
    return bytes(found)


def _image(draw: np.random.Generator, folder: Path) -> list[str]:
    suffix = str(draw.choice(["png", "jpg", "gif", "tif", "bmp", "webp", "ppm"]))
    picture = Image.fromarray(np.squeeze(_picture(draw)))
    if suffix in {"jpg", "webp", "gif", "bmp", "ppm"} and picture.mode not in {"L", "RGB"}:
        picture = picture.convert("RGB")
    path = folder / f"a.{suffix}"
    picture.save(path)
    path.write_bytes(damaged(path.read_bytes(), draw))
    return ["tune", str(path), *_SMALL, "--out", str(folder / "run")]


def _array(draw: np.random.Generator, folder: Path) -> list[str]:
    values = draw.normal(size=tuple(draw.integers(0, 20, draw.integers(0, 5))))
    kinds = ["f2", "f4", "f8", ">f8", "i1", "u2", "i8", "c16", "?", "U3"]
    with np.errstate(all="ignore"):
        values = np.asarray(values * 10.0 ** int(draw.integers(-300, 300))).astype(
            draw.choice(kinds)
        )
    path = folder / str(draw.choice(["a.npy", "a.npz", "a.NPY"]))
    if path.suffix == ".npz":
        np.savez(path, *[values] * int(draw.integers(1, 3)))
    else:
        with path.open("wb") as file:
            np.save(file, values)
    if draw.integers(2):
        path.write_bytes(damaged(path.read_bytes(), draw))
    flags = [f for f in ("--channels", "--symmetrise") if draw.integers(4) == 0]
    flags += ["--frame", str(draw.integers(-1, 4))] if draw.integers(4) == 0 else []
    return ["tune", str(path), *_SMALL, "--out", str(folder / "run"), *flags]


def _spec(draw: np.random.Generator, folder: Path) -> list[str]:
    _line(folder)
    odd = [None, -1, 0, 1e9, 10**30, "x", "", [], [1, "a"], {}, True, "nan", 0.5, [1e400]]
    spec: dict[str, object] = {"photo": str(folder / "line.npy"), "budget": "2", "width": 8}
    spec |= {"depth": 1, "n_frequencies": 4, "bandwidths": [2.0], "encodings": ["gaussian"]}
    spec |= {"threads": 1, "goal": "fit", "seed": 3, "engine": "auto", "verify": False}
    for name in draw.choice([*spec, "sigma", "out", "format"], draw.integers(1, 3)):
        spec[str(name)] = odd[int(draw.integers(len(odd)))]
    content = json.dumps(spec).encode()
    path = folder / "spec.json"
    path.write_bytes(damaged(content, draw) if draw.integers(3) == 0 else content)
    return ["tune", "--config", str(path), "--out", str(folder / "run"), "--quiet"]


def _run(draw: np.random.Generator, folder: Path) -> list[str]:
    """A run folder with a damaged or missing file, gone on with or read."""
    _line(folder)
    run = folder / "run"
    _call(["tune", str(folder / "line.npy"), *_SMALL, "--out", str(run), "--no-verify"])
    result = run / "result.json"
    result.write_text(result.read_text().replace('"partial": false', '"partial": true'))
    path = run / str(draw.choice(["result.json", "spec.json"]))
    if draw.integers(5) == 0:
        path.unlink()
    else:
        path.write_bytes(damaged(path.read_bytes(), draw))
    if draw.integers(3) == 0 and path.exists():
        shutil.copy(path, run / "checkpoint.safetensors")
    return (
        ["runs", str(folder)]
        if draw.integers(3) == 0
        else ["tune", "--resume", str(run), "--quiet"]
    )


def _line(folder: Path) -> None:
    x = np.arange(32) / 32
    np.save(folder / "line.npy", 0.5 + 0.4 * np.sin(20 * x**2))


KINDS: list[Callable[[np.random.Generator, Path], list[str]]] = [_image, _array, _spec, _run]
"""What is mutated, in turn."""
