"""The kind of data is told from the file, or the question is asked."""

from pathlib import Path

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("png")

from ntkit.tasks.files import kind_of  # noqa: E402
from tests.tasks.files.examples import WRITE, colours  # noqa: E402

KIND = {
    "a.png": "image", "a.jpg": "image", "a.webp": "image", "a.avif": "image", "a.tif": "image",
    "deep.tif": "image", "stack.tif": "volume", "a.gif": "video", "moving.png": "video",
    "a.wav": "audio", "a.flac": "audio", "a.ogg": "audio", "a.nii": "volume", "a.nii.gz": "volume",
    "a.dcm": "volume", "a.mp4": "video", "a.csv": "points", "a.npz": "points",
    "a.ply": "shape", "a.obj": "shape", "a.stl": "shape", "a.glb": "shape", "a.off": "shape",
}  # fmt: skip


@pytest.mark.parametrize("name", WRITE)
def test_every_kind(tmp_path: Path, name: str) -> None:
    package, write = WRITE[name]
    pytest.importorskip(package)
    write(tmp_path / name)
    assert kind_of(tmp_path / name) == KIND[name]
    if name in {"stack.tif", "a.gif", "moving.png"}:
        assert kind_of(tmp_path / name, frame=1) == "image"
    if name in {
        "a.png",
        "a.wav",
        "a.flac",
        "a.ogg",
        "a.gif",
        "a.dcm",
        "a.ply",
        "a.glb",
    }:  # by its bytes alone
        (tmp_path / name).rename(tmp_path / "data")
        assert kind_of(tmp_path / "data") == KIND[name]


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((40, 30), "image"),
        ((40, 30, 3), "image"),
        ((20, 40, 30), "volume"),
        ((20, 40, 30, 3), "video"),
    ],
)
def test_arrays_by_their_axes(tmp_path: Path, shape: tuple[int, ...], kind: str) -> None:
    for name in ("a.npy", "a.npz"):
        (np.save if name == "a.npy" else np.savez)(tmp_path / name, np.zeros(shape))
        assert kind_of(tmp_path / name) == kind
        if len(shape) == 3 and kind == "volume":
            assert kind_of(tmp_path / name, frame=2) == "image"


def test_a_line_is_a_sound(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(500))
    assert kind_of(tmp_path / "a.npy") == "audio"


@pytest.mark.parametrize(
    ("shape", "offer"),
    [
        ((500, 2), r"`--as audio` \(channels last\) or `--as points`"),
        ((9, 9, 9, 9), "`--as volume` with `--frame`, or `--as video`"),
    ],
)
def test_arrays_that_may_be_several_things(tmp_path: Path, shape: tuple, offer: str) -> None:
    np.save(tmp_path / "a.npy", np.zeros(shape))
    with pytest.raises(ValueError, match=f"say what it is. Pass {offer}"):
        kind_of(tmp_path / "a.npy")


def test_folders(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no pictures, DICOM slices, views or mesh"):
        kind_of(tmp_path)
    for k in range(3):
        Image.fromarray(colours(9, 9)).save(tmp_path / f"{k}.jpg")
    assert kind_of(tmp_path) == "video"
    (tmp_path / "a.dcm").write_bytes(b"\0" * 128 + b"DICM")
    with pytest.raises(ValueError, match="both DICOM slices and pictures"):
        kind_of(tmp_path)


def test_a_folder_with_one_mesh_is_a_shape(tmp_path: Path) -> None:
    """Beside its materials and textures; of two it does not say which is meant."""
    (tmp_path / "ball.obj").write_text("v 0 0 0\n")
    (tmp_path / "ball.mtl").write_text("newmtl skin\n")
    Image.fromarray(colours(9, 9)).save(tmp_path / "skin.png")
    assert kind_of(tmp_path) == "shape"
    (tmp_path / "more.ply").write_bytes(b"ply")
    with pytest.raises(ValueError, match=r"holds 2 meshes or clouds \(ball.obj, more.ply\)"):
        kind_of(tmp_path)


def test_what_is_nothing_that_is_known(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"does not exist. Pass an image, a sound"):
        kind_of(tmp_path / "none")
    (tmp_path / "a.bin").write_bytes(b"hello" * 99)
    with pytest.raises(ValueError, match=r"Pass `--as image\|audio\|volume\|video\|points"):
        kind_of(tmp_path / "a.bin")
    (tmp_path / "a.bin").write_bytes(b"")
    with pytest.raises(ValueError, match="is empty"):
        kind_of(tmp_path / "a.bin")
    np.savez(tmp_path / "a.npz", scan=np.zeros((9, 9, 9)), spacing=np.ones(3))
    with pytest.raises(ValueError, match=r"holds 2 arrays \(scan, spacing\): say what they are"):
        kind_of(tmp_path / "a.npz")
