"""A page for each script of the gallery: what it shows, the picture that it makes, and its text."""

import ast
from importlib.util import module_from_spec, spec_from_file_location
from io import BytesIO
from pathlib import Path
from types import ModuleType

import matplotlib as mpl

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "examples" / "gallery").glob("*.py"))


LIBRARY = ROOT / "src" / "ntkit"


def pages(drawn: Path) -> dict[str, str | bytes]:
    """Pages and pictures by their place. A script is run unless its picture is younger than it and the library.

    Args:
        drawn: The folder where pictures of an earlier build are.
    """
    mpl.use("Agg")
    changed = max(path.stat().st_mtime for path in LIBRARY.rglob("*.py"))
    made: dict[str, str | bytes] = {}
    for path in SCRIPTS:
        old = drawn / f"{path.stem}.png"
        is_young = old.exists() and old.stat().st_mtime > max(changed, path.stat().st_mtime)
        made[f"gallery/{path.stem}.png"] = old.read_bytes() if is_young else _picture(_module(path))
        made[f"gallery/{path.stem}.md"] = _page(path)
    return made


def thumbnails(contents: str) -> str:
    """All pictures in rows of three, in the order of a table of contents, each a link to its page."""
    made = []
    for path in sorted(SCRIPTS, key=lambda path: contents.index(f"gallery/{path.stem}.md")):
        title, *_, picture = _doc(path).split("\n\n")
        alt = f"{title.rstrip('.')}. {_words(picture)}"
        made.append(f'[![{alt}](gallery/{path.stem}.png){{width="32%"}}](gallery/{path.stem}.md)')
    return "\n" + "\n".join(made) + "\n"


def _doc(path: Path) -> str:
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert doc is not None
    return doc


def _words(picture: str) -> str:
    """The last paragraph of a docstring: the picture in words."""
    return picture.removeprefix("Picture: ").replace("\n", " ")


def _module(path: Path) -> ModuleType:
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _picture(script: ModuleType) -> bytes:
    file = BytesIO()
    figure = script.draw()
    figure.savefig(file, dpi=120, metadata={"Software": None})
    return file.getvalue()


def _page(path: Path) -> str:
    """Its docstring, whose first line is the title and whose last paragraph is the picture in words."""
    text = path.read_text(encoding="utf-8")
    title, *paragraphs, picture = _doc(path).split("\n\n")
    code = text[text.index('"""', 3) + 3 :].lstrip()
    file = path.relative_to(ROOT)
    return "\n\n".join([
        f"# {title.rstrip('.')}",
        *paragraphs,
        f"![{_words(picture)}]({path.stem}.png)",
        f"`{file}`, whole:",
        f"```python\n{code.rstrip()}\n```",
        "[All of the gallery](../gallery.md)\n",
    ])
