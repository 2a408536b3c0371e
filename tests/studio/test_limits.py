"""The view of limits: maps and seeds are the library's, and what is exported is true."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("PIL")
pytest.importorskip("safetensors")

from PIL import Image as Pillow

from ntkit.experiments.weights import Architecture, read_network
from ntkit.studio.asks import Reply
from ntkit.studio.desk import Desk
from ntkit.studio.signals import received
from ntkit.studio.views import asks_of
from ntkit.tasks import error_map, psnr, spread
from tests.cases import smooth_picture
from tests.studio.desks import desk_of_picture, last_reply

VALUES = {"goal": "generalise", "steps": 20}


@pytest.fixture(scope="module")
def desk() -> Desk:
    found = desk_of_picture(16, 20)
    last_reply(found, "limits", "recommended", VALUES)
    last_reply(found, "limits", "train", {**VALUES, "seeds": 2})
    return found


def last(desk: Desk, ask: str, **values: Any) -> Reply:
    return last_reply(desk, "limits", ask, {**VALUES, **values})


def test_errors_are_those_that_are_said(desk: Desk) -> None:
    rows = last(desk, "look", which=0).content["rows"]
    assert [row["which"] for row in rows] == [-1, 0, 1]
    for row in rows:
        reply = last(desk, "look", which=row["which"])
        for kind, name in (("seen", "train"), ("unseen", "held_out")):
            found = psnr(float(np.square(reply.arrays[kind]).mean()))
            # A picture of 16 x 20 is judged whole; the kernel's own numbers are of no encoding's kernel on some samples.
            assert found == pytest.approx(row[name], abs=0.05)
        assert reply.arrays["seen"].shape == (8, 10)


def test_the_spread_is_of_the_seeds(desk: Desk) -> None:
    known: Any = desk.drawer("limits").get(("generalise", 20))
    fields = [known.seeds[k].field for k in (0, 1)]
    reply = last(desk, "look", which=1)
    np.testing.assert_allclose(reply.arrays["spread"], spread(fields).float(), rtol=1e-6)
    errors = error_map(desk.signal.task, fields[1])
    assert reply.content["verdict"] == errors.verdict


def test_what_is_known_is_not_trained_again(desk: Desk) -> None:
    replies = list(asks_of("limits")["train"].answer(desk, {**VALUES, "seeds": 2}))
    assert len(replies) == 1
    assert [row["step"] for row in replies[0].content["rows"]] == [20, 20, 20]


def test_weights_are_those_of_the_seed(desk: Desk, tmp_path: Path) -> None:
    reply = last(desk, "export", what="weights")
    path = tmp_path / "weights.safetensors"
    path.write_bytes(reply.arrays["file"].tobytes())
    network = read_network(path, Architecture("identity", None, 2, 3, 1, 1, 1))
    known: Any = desk.drawer("limits").get(("generalise", 20))
    torch.testing.assert_close(desk.signal.task.shown(network), known.seeds[0].field)
    assert reply.content["name"] == "picture-seed-0.safetensors"


def test_the_report_stands_alone(desk: Desk) -> None:
    reply = last(desk, "export", what="report")
    page = reply.arrays["file"].tobytes().decode()
    assert "seed 1" in page
    assert "data:image/png;base64," in page
    for outer in ("http:", "https:", "<script", 'src="/'):
        assert outer not in page


def test_a_script_in_a_name_is_text_in_the_report() -> None:
    out = desk_of_picture(16, 20)
    evil = "<img src=x onerror=alert(1)>.png"
    out.put(replace(out.signal, name=evil))
    last(out, "recommended")
    page = last(out, "export", what="report").arrays["file"].tobytes().decode()
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


@pytest.mark.parametrize(
    ("ask", "values", "message"),
    [
        ("look", {"steps": 21, "which": 0}, "not computed yet"),
        ("look", {"which": 9}, "must be from"),
        ("train", {"seeds": 50}, "must be from"),
        ("export", {"what": "../passwd"}, "must be one of"),
    ],
)
def test_values_that_make_no_sense_are_refused(
    desk: Desk, ask: str, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        last(desk, ask, **values)


def test_weights_that_are_not_there_are_not_made_up() -> None:
    out = desk_of_picture(16, 20)
    last(out, "recommended")
    with pytest.raises(ValueError, match="Train one first"):
        last(out, "export", what="weights")


@pytest.mark.slow
@pytest.mark.parametrize("is_trained", [False, True])
def test_the_program_is_true(tmp_path: Path, is_trained: bool) -> None:
    pixels = (smooth_picture(24, 31) * 255).round().byte().numpy()
    path = tmp_path / "photo.png"
    Pillow.fromarray(pixels).save(path)
    desk = Desk()
    desk.put(received(path.read_bytes(), path.name))
    last(desk, "recommended")
    if is_trained:
        rows = last(desk, "train", seeds=1).content["rows"]
        weights = last(desk, "export", what="weights")
        (tmp_path / weights.content["name"]).write_bytes(weights.arrays["file"].tobytes())
    program = last(desk, "export", what="code").arrays["file"].tobytes().decode()
    printed = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    if is_trained:
        wanted = f"{rows[1]['train']:.2f} dB trained on, {rows[1]['held_out']:.2f} dB held out\n"
        assert printed == wanted
    else:
        assert "dB" in printed
