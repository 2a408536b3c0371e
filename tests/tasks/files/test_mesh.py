"""Meshes and clouds of every format: what is read, what is mended, what is refused."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("trimesh")

from ntkit.tasks.files import Mesh, kind_of, read_shape, write_mesh
from ntkit.tasks.files.mesh import mesh_of
from tests.tasks.solids import box, cloud, sphere

FORMATS = [".ply", ".obj", ".stl", ".glb", ".off"]


def trimesh():
    return pytest.importorskip("trimesh")


def corners(mesh: Mesh) -> np.ndarray:
    """The triangles in an order of their own, each from its least corner on."""
    found = mesh.vertices[mesh.faces]
    first = np.lexsort(found.transpose(2, 0, 1)[::-1], axis=-1)[:, :1]
    turn = (first + np.arange(3)) % 3
    found = np.take_along_axis(found, turn[..., None], 1)
    return found[np.lexsort(found.reshape(-1, 9).T[::-1])]


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_comes_back(tmp_path: Path, suffix: str) -> None:
    trimesh()
    vertices, faces = sphere(2)
    vertices = vertices * 7 + 100
    path = tmp_path / f"ball{suffix}"
    assert write_mesh(path, vertices, faces) == []
    assert kind_of(path) == "shape"
    found = read_shape(path)
    assert not found.is_cloud
    assert found.file_bytes == path.stat().st_size
    assert found.notes == ()
    assert (len(found.vertices), len(found.faces)) == (len(vertices), len(faces))
    wanted = corners(mesh_of(vertices, faces, name="ball"))
    np.testing.assert_allclose(corners(found), wanted, atol=1e-5 * 107)
    path.rename(tmp_path / "data")  # by its first bytes, where it has some
    if suffix in {".ply", ".glb"}:
        assert kind_of(tmp_path / "data") == "shape"
        assert len(read_shape(tmp_path / "data").faces) == len(faces)


def test_a_folder_is_read_as_the_one_mesh_in_it(tmp_path: Path) -> None:
    trimesh()
    (tmp_path / "ball").mkdir()
    with pytest.raises(ValueError, match=r"holds no mesh \(.ply, .obj, .stl, .glb, .off\)"):
        read_shape(tmp_path / "ball")
    write_mesh(tmp_path / "ball" / "ball.obj", *sphere(1))
    found = read_shape(tmp_path / "ball")
    assert len(found.faces) == 32
    assert found.file_bytes == (tmp_path / "ball" / "ball.obj").stat().st_size
    write_mesh(tmp_path / "ball" / "other.ply", *sphere(1))
    with pytest.raises(ValueError, match=r"2 meshes or clouds .*: pass one of them"):
        read_shape(tmp_path / "ball")


def test_archives_of_meshes_and_clouds(tmp_path: Path) -> None:
    vertices, faces = box((1.0, 2.0, 3.0))
    np.savez(tmp_path / "a.npz", vertices=vertices, faces=faces)
    assert kind_of(tmp_path / "a.npz") == "shape"
    np.testing.assert_array_equal(
        corners(read_shape(tmp_path / "a.npz")), corners(mesh_of(vertices, faces, name="box"))
    )
    points, normals = cloud(200)
    np.savez(tmp_path / "b.npz", points=points, normals=3 * normals)
    assert kind_of(tmp_path / "b.npz") == "shape"
    found = read_shape(tmp_path / "b.npz")
    assert found.is_cloud and found.normals is not None
    np.testing.assert_allclose(found.normals, normals, rtol=1e-12)
    np.savez(tmp_path / "c.npz", vertices=vertices, edges=faces)
    with pytest.raises(
        ValueError, match=r"c\.npz` holds edges, vertices, and `vertices` and `faces`"
    ):
        read_shape(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", vertices=vertices * 1j, faces=faces)
    with pytest.raises(ValueError, match="it holds complex128 and int64, and real numbers"):
        read_shape(tmp_path / "d.npz")


def ascii_ply(points: np.ndarray, normals: np.ndarray | None) -> str:
    names = "xyz" if normals is None else ("x", "y", "z", "nx", "ny", "nz")
    rows = points if normals is None else np.concatenate([points, normals], 1)
    head = ["ply", "format ascii 1.0", f"element vertex {len(points)}"]
    head += [f"property float {name}" for name in names] + ["end_header"]
    return "\n".join([*head, *(" ".join(map(repr, row)) for row in rows.tolist())]) + "\n"


def test_a_ply_of_points_keeps_its_normals(tmp_path: Path) -> None:
    trimesh()
    points, normals = cloud(100)
    normals[:3] = 0
    (tmp_path / "a.ply").write_text(ascii_ply(points, 2 * normals))
    found = read_shape(tmp_path / "a.ply")
    assert found.notes == ("3 of 100 points have no normal, and were left out",)
    np.testing.assert_allclose(found.vertices, points[3:], atol=1e-6)
    assert found.normals is not None
    np.testing.assert_allclose(found.normals, normals[3:], atol=1e-6)
    (tmp_path / "b.ply").write_text(ascii_ply(points, None))
    with pytest.raises(
        ValueError, match=r"b\.ply` has no faces, and its 100 points have no normals"
    ):
        read_shape(tmp_path / "b.ply")


def test_scenes_are_put_together_in_their_places(tmp_path: Path) -> None:
    """Two boxes, one moved and mirrored: its faces still look outward."""
    tri = trimesh()
    one = tri.Trimesh(*box((1.0, 1.0, 1.0)), process=False)
    scene = tri.Scene()
    scene.add_geometry(one, geom_name="one")
    moved = np.diag([-1.0, 2.0, 1.0, 1.0])
    moved[0, 3] = 5.0
    scene.add_geometry(one.copy(), transform=moved)
    (tmp_path / "two.glb").write_bytes(scene.export(file_type="glb"))
    found = read_shape(tmp_path / "two.glb")
    assert found.notes == ("2 meshes were put together",)
    a, b, c = found.vertices[found.faces].transpose(1, 0, 2)
    assert np.einsum("fi,fi->", a, np.cross(b, c)) / 6 == pytest.approx(1 + 2)
    np.testing.assert_allclose(np.ptp(found.vertices, axis=0), [5, 2, 1])


def test_what_is_mended_is_said(tmp_path: Path) -> None:
    del tmp_path
    vertices, faces = box((1.0, 1.0, 1.0))
    doubled = np.concatenate([vertices, vertices, [[9.0, 9.0, 9.0]]])  # the last in no face
    faces = np.concatenate([faces[:6], faces[6:] + 8, [[0, 8, 1], [2, 2, 3]]])
    found = mesh_of(doubled, faces, name="box")
    assert found.notes == ("2 of 14 faces have no area, and were left out",)
    assert found.vertices.shape == (8, 3)
    assert len(found.faces) == 12


GOOD, FACES = box((1.0, 1.0, 1.0))


@pytest.mark.parametrize(
    ("vertices", "faces", "normals", "said"),
    [
        (GOOD[:, :2], FACES, None, r"`it` has vertices \(8, 2\)"),
        (np.zeros((0, 3)), FACES, None, r"`it` has vertices \(0, 3\)"),
        (np.where(np.arange(8)[:, None] == 5, np.nan, GOOD), FACES, None, "vertices that are no finite numbers below 1e30, the first is 5"),
        (GOOD, FACES + 1, None, "`it` has faces of vertices 1 to 8, and there are 8"),
        (GOOD, FACES - 1, None, "`it` has faces of vertices -1 to 6"),
        (GOOD, FACES * 1.0, None, r"`it` has faces \(12, 3\) of float64"),
        (GOOD, FACES[:, :2], None, r"`it` has faces \(12, 2\) of int64"),
        (GOOD, FACES * 0, None, "no face with an area"),
        (GOOD * [1, 1, 0], FACES, None, "it is flat, and has no inside"),
        (GOOD * 1e308, FACES, None, "7 vertices that are no finite"),
        (GOOD, FACES[:0], None, "its 8 points have no normals: nothing says what is inside"),
        (GOOD, None, GOOD[:4], r"has normals \(4, 3\) of points \(8, 3\)"),
        (GOOD, None, GOOD + 1, "has 8 points with normals; at least 32"),
        (cloud(50)[0] * [1, 0, 1], None, cloud(50)[1], "it is flat"),
    ],
)  # fmt: skip
def test_what_is_no_surface(vertices, faces, normals, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        mesh_of(vertices, faces, normals, name="it")


def glb(content: dict) -> bytes:
    """A GLB of a JSON alone."""
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<4sIIII", b"glTF", 2, 20 + len(text), len(text), 0x4E4F534A) + text


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.stl", b"solid\nendsolid\n", "`.*a.stl`.* has no faces"),
        ("a.stl", bytes(80) + struct.pack("<I", 9), "a.stl` .*"),
        ("a.ply", b"ply\nformat ascii 1.0\nend_header\n", "no faces"),
        ("a.ply", b"ply\nformat binary_little_endian 1.0\nelement vertex 100000000000\nproperty float x\n"
         b"property float y\nproperty float z\nend_header\n" + bytes(12), "unexpected length"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "a.obj` is damaged"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\n", "no faces, and its 3 points have no normals"),
        ("a.obj", b"v 0 0 0\nv nan 0 0\nv 0 1 0\nf 1 2 3\n", "1 vertices that are no finite"),
        ("a.off", b"OFF\n3 1 0\n0 0 0\n", "a.off` cannot be used"),
        ("a.off", b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 7\n", "a face (index outside the range|names vertex 7)"),
        ("a.ply", b"ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
         b"element face 1\nproperty list uchar int vertex_indices\nend_header\n0 0 0\n1 0 0\n0 1 0\n3 0 1 7\n",
         "a face names vertex 7, and there are 3"),
        ("a.glb", b"glTF\2\0\0\0\x0c\0\0\0", "a.glb` cannot be used"),
        ("a.glb", glb({"asset": {"version": "2.0"}}), "a.glb` .*"),
        ("a.glb", b"hello", "a.glb` .*"),
        ("a.ply", b"", "is empty"),
        ("a.png", b"hello", "no mesh that is known by its name"),
    ],
)  # fmt: skip
def test_what_is_no_mesh(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    trimesh()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=said) as caught:
        read_shape(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_scene_of_many_copies_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few bytes may place a mesh a million times."""
    tri = trimesh()
    one = tri.Trimesh(*box((1.0, 1.0, 1.0)), process=False)
    scene = tri.Scene()
    for k in range(3):
        moved = np.eye(4)
        moved[0, 3] = 2.0 * k
        scene.add_geometry(one, geom_name="one", transform=moved)
    path = tmp_path / "a.glb"
    path.write_bytes(scene.export(file_type="glb"))
    assert read_shape(path).notes == ("3 meshes were put together",)
    monkeypatch.setattr("ntkit.tasks.files.meshes._MOST_FACES", 30)
    with pytest.raises(ValueError, match="it has 36 faces, more than 30"):
        read_shape(path)
    monkeypatch.setattr("ntkit.tasks.files.meshes._MOST_INSTANCES", 2)
    with pytest.raises(ValueError, match="it places meshes 3 times, more than 2"):
        read_shape(path)


def test_an_obj_names_no_other_file_that_is_opened(tmp_path: Path) -> None:
    """Its material library would be a path to anywhere."""
    trimesh()
    vertices, faces = box((1.0, 1.0, 1.0))
    lines = ["mtllib ../../secret.mtl", "usemtl a"]
    lines += [f"v {x} {y} {z}" for x, y, z in vertices]
    lines += [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in faces]
    (tmp_path / "a.obj").write_text("\n".join(lines))
    assert len(read_shape(tmp_path / "a.obj").faces) == 12


def test_what_cannot_be_written(tmp_path: Path) -> None:
    trimesh()
    with pytest.raises(
        ValueError, match=r"has an ending in which no mesh is written.*\.gif or \.mp4"
    ):
        write_mesh(tmp_path / "a.xyz", GOOD, FACES)
    with pytest.raises(ValueError, match="has no surface"):
        write_mesh(tmp_path / "a.ply", GOOD, FACES[:0])
    assert list(tmp_path.iterdir()) == []


def test_faces_of_more_corners_become_triangles(tmp_path: Path) -> None:
    trimesh()
    lines = [f"v {x} {y} {z}" for x, y, z in GOOD]
    # sides of the cube, each of four corners
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    lines += ["f " + " ".join(str(i + 1) for i in quad) for quad in quads]
    (tmp_path / "a.obj").write_text("\n".join(lines))
    found = read_shape(tmp_path / "a.obj")
    assert len(found.faces) == 12
    a, b, c = found.vertices[found.faces].transpose(1, 0, 2)
    assert np.einsum("fi,fi->", a, np.cross(b, c)) / 6 == pytest.approx(1)
