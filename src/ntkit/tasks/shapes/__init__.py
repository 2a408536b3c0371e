"""What the job of a shape is made of: solids, points and labels, surfaces, distances.

libigl and scikit-image are extras: a module that needs one is imported when it is first asked for, by `needed`.
"""

from typing import TYPE_CHECKING, Any

from ntkit.tasks.files.access import needed

if TYPE_CHECKING:
    from ntkit.tasks.shapes.apart import chamfer
    from ntkit.tasks.shapes.marching import surface
    from ntkit.tasks.shapes.pools import NOISE, pool
    from ntkit.tasks.shapes.solids import AbstractSolid, solid_of
    from ntkit.tasks.shapes.soup import indexed
    from ntkit.tasks.shapes.voxel_grid import voxels

_WHERE = {
    "NOISE": "pools",
    "AbstractSolid": "solids",
    "chamfer": "apart",
    "indexed": "soup",
    "pool": "pools",
    "solid_of": "solids",
    "surface": "marching",
    "voxels": "voxel_grid",
}

__all__ = ["NOISE", "AbstractSolid", "chamfer", "indexed", "pool", "solid_of", "surface", "voxels"]


def __getattr__(name: str) -> Any:
    """A part, whose file is imported when it is asked for.

    Raises:
        AttributeError: Any other name.
    """
    if name not in _WHERE:
        raise AttributeError(f"module 'ntkit.tasks.shapes' has no attribute {name!r}")
    return getattr(needed(f"ntkit.tasks.shapes.{_WHERE[name]}"), name)
