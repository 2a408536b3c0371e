"""Builds the documentation into `build/docs`, without the network, and fails at the first thing that is not right.

python docs/site/build.py
"""

import sys
from pathlib import Path

from sphinx.cmd.build import build_main

sys.path.insert(0, str(Path(__file__).parent))

import check
import gallery
import pages
import reference
import tables

OUT = pages.ROOT / "build" / "docs"
SOURCE = pages.ROOT / "build" / "docs-source"
BENCHMARKS = pages.ROOT / "benchmarks" / "README.md"
GALLERY = pages.ROOT / "docs" / "gallery.md"


def lay_out() -> None:
    """Writes the source of all pages; what has not changed is left as it is, so that Sphinx skips it."""
    where = pages.places()
    made: dict[str, str | bytes] = {
        target: pages.relinked(path, where) if path.suffix == ".md" else path.read_bytes()
        for path, target in where.items()
        if path.suffix != ".py"
    }
    made["benchmarks/index.md"] = pages.relinked(BENCHMARKS, where) + tables.contents()
    contents = pages.relinked(GALLERY, where)
    made["gallery.md"] = contents + gallery.thumbnails(contents)
    made |= tables.pages() | reference.pages() | gallery.pages(SOURCE / "gallery")
    for path in SOURCE.rglob("*"):
        if path.is_file() and str(path.relative_to(SOURCE)) not in made:
            path.unlink()
    for target, content in made.items():
        path = SOURCE / target
        whole = content if isinstance(content, bytes) else content.encode()
        if not path.exists() or path.read_bytes() != whole or path.suffix == ".png":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(whole)


def main() -> int:
    """0, or 1 where something is not right."""
    lay_out()
    here = str(Path(__file__).parent)
    options = ["-q", "-W", "--keep-going", "-n", "-j", "auto", "-b", "html", "-c", here]
    code = build_main([*options, "-d", str(OUT.parent / "docs-trees"), str(SOURCE), str(OUT)])
    wrong = list(check.complaints(OUT))
    print(*wrong, f"{OUT / 'index.html'}", sep="\n")  # noqa: T201
    return int(bool(code or wrong))


if __name__ == "__main__":
    sys.exit(main())
