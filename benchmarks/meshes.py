"""The meshes of the benchmarks of shapes: those of Debian's package libcgal-demo.

`apt-get install libcgal-demo` brings them, in a `data.tar.gz` of the documentation folder; `NTKIT_MESHES` names
another such archive, or a folder of the files.
"""

import os
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from ntkit.tasks import Shape

NAMES = ("armadillo", "bunny00", "elephant")
_DOCS = ("/usr/share/doc/libcgal-demo", "/usr/share/doc/libcgal-dev")


def shape(name: str, n_points: int) -> Shape:
    """The task of a mesh.

    Raises:
        FileNotFoundError: It is not installed.
    """
    for place in (os.environ.get("NTKIT_MESHES", ""), *(f"{d}/data.tar.gz" for d in _DOCS)):
        path = Path(place)
        if place and path.is_dir() and (path / f"{name}.off").is_file():
            return Shape(path / f"{name}.off", n_points=n_points)
        if place and path.is_file():
            with tarfile.open(path) as archive, TemporaryDirectory() as folder:
                archive.extract(f"data/meshes/{name}.off", folder, filter="data")
                return Shape(Path(folder) / f"data/meshes/{name}.off", n_points=n_points)
    raise FileNotFoundError(
        f"{name}.off is not there: install libcgal-demo, or name its data.tar.gz in NTKIT_MESHES."
    )
