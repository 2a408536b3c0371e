"""The built page: read once, so that no path of a request reaches the file system."""

from dataclasses import dataclass
from pathlib import Path

from ntkit._core.whole_files import shown

__all__ = ["FOLDER", "PageFile", "read_page"]

FOLDER = Path(__file__).parent / "page"
"""Where `make studio` builds it, and where a released wheel holds it."""

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}


@dataclass(frozen=True)
class PageFile:
    """One file of the page.

    Attributes:
        content: Its bytes.
        media_type: What they are.
    """

    content: bytes
    media_type: str


def read_page(folder: Path = FOLDER) -> dict[str, PageFile]:
    """The files of the page by their paths in an address.

    Args:
        folder: Where it was built.

    Raises:
        FileNotFoundError: It was not built.
    """
    index = folder / "index.html"
    if not index.is_file():
        raise FileNotFoundError(
            f"The page of the studio is not built: there is no `{shown(index)}`. In a clone of ntkit run "
            "`make studio`, which builds it and opens it; a released wheel holds it."
        )
    found = {
        f"/{path.relative_to(folder).as_posix()}": PageFile(path.read_bytes(), _TYPES[path.suffix])
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in _TYPES
    }
    return {**found, "/": found["/index.html"]}
