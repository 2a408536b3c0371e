"""The view of the answer: what `ntkit.tune` says, and lines to copy that say the same."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("PIL")

from PIL import Image as Pillow

from ntkit import tune
from ntkit.studio.asks import Reply
from ntkit.studio.desk import Desk
from ntkit.studio.signals import received
from ntkit.studio.views import asks_of
from tests.cases import smooth_picture
from tests.studio.desks import desk_of_picture, last_reply

VALUES = {"goal": "generalise", "steps": 60}


@pytest.fixture(scope="module")
def desk() -> Desk:
    return desk_of_picture()


def last(desk: Desk, ask: str, **values: Any) -> Reply:
    return last_reply(desk, "answer", ask, {**VALUES, **values})


@pytest.mark.parametrize("goal", ["generalise", pytest.param("fit", marks=pytest.mark.slow)])
def test_the_answer_is_that_of_tune(desk: Desk, goal: Any) -> None:
    said = last(desk, "recommend", goal=goal).content
    generator = torch.Generator().manual_seed(0)
    wanted = tune(desk.signal.task, goal=goal, families=("mlp",), steps=60, generator=generator)
    assert said["is_whole"]
    assert (said["choice"]["name"], said["choice"]["bandwidth"]) == (
        wanted.choice.name,
        wanted.bandwidth,
    )
    assert said["flat"] == wanted.flat_range
    kind = "held_out" if goal == "generalise" else "train"
    table = {(row.candidate.name, row.candidate.bandwidth): row for row in wanted.table}
    assert {row["name"] for row in said["compared"]} == {
        "identity",
        "basic",
        "positional",
        "gaussian",
    }
    for row in said["compared"]:
        other = table[row["name"], row["bandwidth"]]
        assert row["psnr"] == pytest.approx(getattr(other.at(60), kind), abs=1e-6)
    assert said["baseline"]["psnr"] == wanted.baseline.held_out  # pyright: ignore[reportOptionalMemberAccess]


def test_it_is_told_at_once_and_again_when_more_is_known(desk: Desk) -> None:
    replies = [
        r.content for r in asks_of("answer")["recommend"].answer(desk, {**VALUES, "steps": 61})
    ]
    assert [r["is_whole"] for r in replies] == [False] * (len(replies) - 1) + [True]
    assert {row["name"] for row in replies[0]["compared"]} == {"gaussian"}
    again = [
        r.content for r in asks_of("answer")["recommend"].answer(desk, {**VALUES, "steps": 61})
    ]
    assert again == [replies[-1]]


def test_pictures_are_those_of_the_rows(desk: Desk) -> None:
    said = last(desk, "recommend").content
    for row in said["compared"]:
        reply = last(desk, "picture", name=row["name"], bandwidth=row["bandwidth"])
        assert (reply.content["name"], reply.content["held_out"]) == (row["name"], row["psnr"])
        if row["name"] != "identity":
            pixels = torch.as_tensor(np.array(reply.arrays["picture"][..., :3])).double() / 255
            error = desk.signal.task.errors(pixels)[1]
            # Rounded to 8 bits and clipped to what a screen shows.
            assert -10 * np.log10(error) == pytest.approx(row["psnr"], abs=0.2)


@pytest.mark.parametrize(
    ("ask", "values", "message"),
    [
        ("recommend", {"goal": "please"}, "one of generalise, fit"),
        ("recommend", {"steps": 0}, "must be from"),
        ("picture", {"steps": 77, "name": "basic"}, "not computed yet"),
        ("picture", {"name": "hash"}, "must be one of"),
        ("picture", {"name": "gaussian", "bandwidth": 3.3}, "was not compared"),
        ("picture", {"name": "gaussian", "bandwidth": "3"}, "must be a number"),
    ],
)
def test_values_that_make_no_sense_are_refused(
    desk: Desk, ask: str, values: dict[str, Any], message: str
) -> None:
    last(desk, "recommend")
    with pytest.raises(ValueError, match=message):
        last(desk, ask, **values)


@pytest.mark.slow
def test_work_that_is_left_ends() -> None:
    desk = desk_of_picture(96, 112)
    replies = asks_of("answer")["recommend"].answer(desk, {**VALUES, "steps": 5000})
    while not next(replies).content["trained"]:
        pass
    replies.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert last(desk, "picture", steps=5000, name="identity").content["name"] == "identity"


FILES = {
    "a photo's.png": (30, 42, 3),
    "-odd.png": (31, 43, 4),
    "large.png": (70, 530, 3),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_lines_to_copy_are_true(tmp_path: Path, name: str) -> None:
    height, width, channels = FILES[name]
    pixels = (smooth_picture(height, width) * 255).round().byte().numpy()
    opaque = np.full((height, width, 1), 200, np.uint8)
    opaque[0] = 100
    pixels = np.concatenate([pixels, opaque], -1)[..., :channels]
    Pillow.fromarray(pixels).save(tmp_path / name)
    check_lines(tmp_path, name)


def check_lines(folder: Path, name: str) -> None:
    """The program prints what the view says, and the command too."""
    desk = Desk()
    desk.put(received((folder / name).read_bytes(), name))
    said = last(desk, "recommend", steps=20).content
    choice = f"{said['choice']['name']} {said['choice']['bandwidth']:g}"
    printed = subprocess.run(
        [sys.executable, "-c", said["python"]],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert printed[0].endswith("dB")
    assert printed[1] == f"{choice} {said['flat']}"
    lines = said["command"].splitlines()
    command = " && ".join(
        line.replace("ntkit tune", f"{sys.executable} -m ntkit tune").replace(
            "python -c", f"{sys.executable} -c"
        )
        for line in lines
    )
    run = subprocess.run(
        ["bash", "-c", f"{command} --no-verify"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert choice in run.stdout, run.stderr
