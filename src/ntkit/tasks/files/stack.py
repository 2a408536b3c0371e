"""Reading the pages of a TIFF as a volume."""

from pathlib import Path

import numpy as np

from ntkit._core.whole_files import shown
from ntkit.tasks.files.access import reading
from ntkit.tasks.files.content import Content
from ntkit.tasks.files.pictures import count_pictures, decode_picture
from ntkit.tasks.files.sampling import check_memory, gridded

__all__ = ["read_stack"]


def read_stack(path: Path, *, downscale: int, bytes_per_sample: int) -> Content:
    """The pages `[page, h, w, c]` of a TIFF; how far apart they are it does not say.

    Args:
        path: The file.
        downscale: Whole factor to shrink by along all axes.
        bytes_per_sample: Working memory of a sample.

    Raises:
        ValueError: It has one page, or pages of different sizes, is damaged or too large.
    """
    notes: list[str] = []
    with reading(path):
        count, height, width = count_pictures(path)
        if count == 1:
            raise ValueError(
                f"`{shown(path)}` has one page: it is an image, and no volume. Pass `--as image`."
            )
        check_memory(
            path,
            samples=count * width * height,
            numbers=count * width * height,
            bytes_per_sample=bytes_per_sample,
            way_out="Pass `--downscale {}`.",
            axes=3,
            downscale=downscale,
        )

        def check(pixels: int, _: int) -> None:
            if pixels != width * height:
                raise ValueError(
                    f"`{shown(path)}` has pages of different sizes: name one with `--frame`."
                )

        pages = []
        for k in range(count):
            page, more = decode_picture(path, frame=k, check_size=check)
            pages.append(page)
            notes += [note for note in more if not note.startswith("picture") and note not in notes]
        if len({page.shape for page in pages}) > 1:
            raise ValueError(
                f"`{shown(path)}` has pages of different sizes: name one with `--frame`."
            )
        values = np.stack(pages)
        return gridded(
            path,
            values if values.ndim == 4 else values[..., None],
            notes=notes,
            spacing=None,
            units=("slice", "px", "px"),
            file_bytes=path.stat().st_size,
            downscale=downscale,
        )
