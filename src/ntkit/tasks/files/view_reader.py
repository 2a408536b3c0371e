"""Reading the views of a scene, from a folder or an archive."""

from pathlib import Path

from ntkit._core.whole_files import shown
from ntkit.tasks.files.access import needed, reading, require_file
from ntkit.tasks.files.sampling import check_factor
from ntkit.tasks.files.views import Views

__all__ = ["read_views"]

_NEEDED = "a folder with transforms.json or transforms_train.json, or an .npz archive"


def read_views(path: Path, *, downscale: int = 1, premultiplied: bool | None = None) -> Views:
    """The views of a folder in Blender's or nerfstudio's format, or of an `.npz` archive.

    Args:
        path: A folder with `transforms_train.json` or `transforms.json`, the latter itself, or an archive with
            `images` [v, h, w, 3 or 4], `poses` [v, 4, 4] and `focal`, and where it has them `near`, `far`, `n_train`
            (the views after so many judge) and `premultiplied`.
        downscale: Whole factor to shrink pictures by, averaging boxes.
        premultiplied: Whether colours are times alpha already; by default pictures of a folder are not, and an
            archive says it, or its numbers do.

    What cannot be used is refused in one line: a `ValueError`, or a `FileNotFoundError`.

    Raises:
        ValueError: The file is of another kind.
    """
    check_factor(downscale)
    if not path.is_dir():
        require_file(path, _NEEDED)
        if path.suffix.lower() not in {".npz", ".json"}:
            raise ValueError(f"`{shown(path)}` holds no views of a scene. Pass {_NEEDED}.")
    with reading(path):
        if path.suffix.lower() == ".npz":
            reader = needed("ntkit.tasks.files.view_archive").read_archive
        else:
            reader = needed("ntkit.tasks.files.view_folders").read_folder
        return reader(path, downscale=downscale, premultiplied=premultiplied)
