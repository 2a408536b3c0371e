"""Files as arrays: one reader and one writer a kind. Their libraries are extras, loaded where they are used."""

from typing import TYPE_CHECKING, Any

from ntkit.tasks.files.access import needed
from ntkit.tasks.files.content import Content, Levels, Mesh, Scattered
from ntkit.tasks.files.sampling import BYTES_PER_SAMPLE

if TYPE_CHECKING:
    from ntkit.tasks.files.array_writer import write_array
    from ntkit.tasks.files.audio import read_audio
    from ntkit.tasks.files.audio_writer import write_audio
    from ntkit.tasks.files.image import read_image
    from ntkit.tasks.files.image_writer import write_image, write_slices
    from ntkit.tasks.files.kind import KINDS, kind_of
    from ntkit.tasks.files.mask import read_mask
    from ntkit.tasks.files.mesh import mesh_of, read_shape
    from ntkit.tasks.files.mesh_writer import write_mesh
    from ntkit.tasks.files.points import read_points
    from ntkit.tasks.files.points_writer import write_points
    from ntkit.tasks.files.video import read_video
    from ntkit.tasks.files.video_writer import write_video
    from ntkit.tasks.files.view_reader import read_views
    from ntkit.tasks.files.views import Views
    from ntkit.tasks.files.volume import read_volume
    from ntkit.tasks.files.volume_writer import resampled_affine, write_volume

_WHERE = {
    "KINDS": "kind",
    "kind_of": "kind",
    "mesh_of": "mesh",
    "read_audio": "audio",
    "read_image": "image",
    "read_mask": "mask",
    "read_points": "points",
    "read_shape": "mesh",
    "Views": "views",
    "read_video": "video",
    "read_views": "view_reader",
    "read_volume": "volume",
    "resampled_affine": "volume_writer",
    "write_array": "array_writer",
    "write_audio": "audio_writer",
    "write_image": "image_writer",
    "write_mesh": "mesh_writer",
    "write_points": "points_writer",
    "write_slices": "image_writer",
    "write_video": "video_writer",
    "write_volume": "volume_writer",
}

__all__ = [
    "BYTES_PER_SAMPLE",
    "KINDS",
    "Content",
    "Levels",
    "Mesh",
    "Scattered",
    "Views",
    "kind_of",
    "mesh_of",
    "read_audio",
    "read_image",
    "read_mask",
    "read_points",
    "read_shape",
    "read_video",
    "read_views",
    "read_volume",
    "resampled_affine",
    "write_array",
    "write_audio",
    "write_image",
    "write_mesh",
    "write_points",
    "write_slices",
    "write_video",
    "write_volume",
]


def __getattr__(name: str) -> Any:
    """A reader or writer, whose file is imported when it is asked for.

    Raises:
        AttributeError: Any other name.
    """
    if name not in _WHERE:
        raise AttributeError(f"module 'ntkit.tasks.files' has no attribute {name!r}")
    return getattr(needed(f"ntkit.tasks.files.{_WHERE[name]}"), name)
