"""Writing a mesh: PLY, OBJ, STL, GLB or OFF by trimesh."""

from pathlib import Path

import numpy as np
import trimesh

from ntkit._core.whole_files import shown, write_bytes
from ntkit.tasks.files.wrong_ending import wrong_ending

__all__ = ["write_mesh"]

_FORMATS = (".ply", ".obj", ".stl", ".glb", ".off")


def write_mesh(path: Path, vertices: np.ndarray, faces: np.ndarray) -> list[str]:
    """Write triangles, whole, in the format of the name, in single precision.

    Args:
        path: Where to write: .ply, .obj, .stl, .glb or .off.
        vertices: `[v, 3]`, in the units of the file.
        faces: `[f, 3]`, anticlockwise as seen from outside.

    Raises:
        ValueError: The name is of no such format, or there is no face.
    """
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        raise ValueError(wrong_ending(path, (*_FORMATS, ".gif", ".mp4"), what="mesh"))
    if len(faces) == 0:
        raise ValueError(
            f"`{shown(path)}` is not written: the field is outside everywhere, or inside, and has no surface. Train "
            "longer, or look at the fit."
        )
    found = trimesh.Trimesh(vertices, faces, process=False)
    content = found.export(file_type=suffix[1:])
    write_bytes(path, content.encode() if isinstance(content, str) else bytes(content))
    return []
