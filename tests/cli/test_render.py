"""`ntkit render`: what of a field is written, and what is refused."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("tyro")
pytest.importorskip("filelock")
pytest.importorskip("safetensors")
pytest.importorskip("PIL")

from ntkit.cli import render as command
from ntkit.encodings import Basic
from ntkit.experiments.data import open_task
from ntkit.experiments.spec import FitSpec
from ntkit.networks import mlp
from ntkit.tasks import Image, Points, RadianceField, Shape, Volume
from tests.cases import randn, seeded
from tests.spheres import views
from tests.tasks.solids import sphere

PICTURE = Image(randn(9, 12).sigmoid())
TABLE = Points(randn(40, 2), randn(40))


@pytest.fixture
def render(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The command on a run of a picture or of a table, into a folder."""

    def run(task: Image | Points, name: str = "out.npy", **options: object) -> np.ndarray:
        network = mlp(Basic(task.in_dim), task.n_outputs, width=8, depth=1, generator=seeded())
        found = SimpleNamespace(domain=task.domain, network=network)
        monkeypatch.setattr(command, "load", lambda _: found)
        path = tmp_path / name
        assert command.render(tmp_path, out=path, **options) == 0
        return (
            np.load(path) if name.endswith(".npy") else np.loadtxt(path, delimiter=",", skiprows=1)
        )

    return run


def test_a_part_is_that_part_of_the_whole(render) -> None:
    whole = render(PICTURE, "whole.npy")
    assert whole.shape[:2] == (9, 12)
    part = render(PICTURE, "part.npy", crop=(":4", "5:"))
    np.testing.assert_allclose(part, whole[:4, 5:], atol=1e-6)
    fine = render(PICTURE, "fine.npy", crop=(":4", "5:"), scale=2)
    np.testing.assert_allclose(fine[::2, ::2], part, atol=1e-6)


def test_a_part_of_a_table_is_in_its_units_and_open_ends_are_its_own(render) -> None:
    table = render(TABLE, "map.csv", size=(2, 2), crop=("-1:0.5", ":1"))
    low = TABLE.domain.low[1]
    corners = [[-1, low], [-1, 1], [0.5, low], [0.5, 1]]
    np.testing.assert_allclose(table[:, :2], corners, rtol=1e-6)


@pytest.mark.parametrize(
    ("task", "options", "match"),
    [
        (PICTURE, {"crop": ("4",)}, r"`--crop 4` must be from:to for each of 2 axes"),
        (PICTURE, {"crop": ("0:4",)}, r"`--crop 0:4` must be from:to for each of 2 axes"),
        (PICTURE, {"crop": ("a:4", "0:1")}, r"`--crop a:4 0:1` must be from:to"),
        (PICTURE, {"scale": 2.0, "size": (3, 3)}, "`--scale 2` must be above 0, and given without"),
        (PICTURE, {"scale": -1.0}, "`--scale -1` must be above 0"),
        (PICTURE, {"rate": 10.0}, "`--rate` is not for this run, which is of kind image"),
        (
            TABLE,
            {"scale": 2.0},
            "`--scale` is of data on a grid; of a table or a shape say `--size`",
        ),
    ],
)
def test_errors(render, task, options, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        render(task, **options)


@pytest.mark.parametrize(
    ("kind", "name", "match"),
    [
        (
            Image,
            "out.xyz",
            r"has an ending in which no image is written. Pass a name that ends in .png, ",
        ),
        (Shape, "out.png", r"no shape is written. Pass .* in .ply, .obj, .* or .webp"),
        (RadianceField, "out", "no field is written"),
        (Volume, "out.gz", "no volume is written"),
    ],
)
def test_a_name_of_no_format_is_refused_before_the_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: type, name: str, match: str
) -> None:
    found = SimpleNamespace(
        domain=SimpleNamespace(kind=kind.kind, is_scattered=False), network=None
    )
    monkeypatch.setattr(command, "load", lambda _: found)
    with pytest.raises(ValueError, match=match):
        command.render(tmp_path, out=tmp_path / name)
    Volume.check_name(tmp_path / "slices")  # a folder
    with pytest.raises(FileNotFoundError, match=r"is in a folder that is not there\. Make it"):
        kind.check_name(tmp_path / "none" / f"out{kind.suffixes[-1]}")


def test_a_film_of_one_picture_is_refused_before_the_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    domain = RadianceField(views(3, 8)).domain
    monkeypatch.setattr(command, "load", lambda _: SimpleNamespace(domain=domain, network=None))
    with pytest.raises(
        ValueError, match=r"`--frames 6` is of a film: pass a name that ends in .gif"
    ):
        command.render(tmp_path, out=tmp_path / "turn.png", frames=6)


def test_a_mesh_is_counted_in_triangles(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("trimesh")
    pytest.importorskip("skimage")
    pytest.importorskip("igl")
    task = Shape(sphere(1), n_points=100)
    network = mlp(Basic(3), 1, width=8, depth=1, generator=seeded())
    monkeypatch.setattr(
        command, "load", lambda _: SimpleNamespace(domain=task.domain, network=network)
    )
    command.render(tmp_path, out=tmp_path / "ball.ply", size=(8,))
    assert re.search(r"ball.ply: [0-9,]+ triangles\n", capsys.readouterr().out)


def test_a_file_that_is_there_is_kept(render, tmp_path: Path) -> None:
    (tmp_path / "out.npy").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match="is there already"):
        render(PICTURE)
    assert (tmp_path / "out.npy").read_bytes() == b"mine"
    assert render(PICTURE, force=True).shape[:2] == (9, 12)


def test_options_of_other_kinds_of_data_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "photo.npy"
    np.save(path, np.random.default_rng(0).random((9, 12)))
    with pytest.raises(
        ValueError, match="`--as films` must be one of audio, image, points, field, shape, video"
    ):
        open_task(FitSpec(path, kind="films"))
    with pytest.raises(ValueError, match=r"`--start` is not for image, .* use one of --mask"):
        open_task(FitSpec(path, start=1.0))
    assert open_task(FitSpec(path, factor=2)).domain.scale == 2
