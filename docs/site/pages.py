"""The Markdown of the repository as pages of the site, its links with it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"(\]\()([^)\s:#]+)((?:#[^)\s]*)?\))")


def places() -> dict[Path, str]:
    """Where each file of the repository stands in the site."""
    docs, results = ROOT / "docs", ROOT / "benchmarks" / "results"
    found = {path: str(path.relative_to(docs)) for path in docs.rglob("*.md")}
    found |= {path: str(path.relative_to(docs)) for path in (docs / "images").iterdir()}
    found |= {path: f"benchmarks/{path.name}" for path in results.glob("*.md")}
    scripts = (ROOT / "examples" / "gallery").glob("*.py")
    found |= {path: f"gallery/{path.stem}.md" for path in scripts}
    found |= {
        ROOT / "benchmarks" / "README.md": "benchmarks/index.md",
        ROOT / "CONTRIBUTING.md": "contributing.md",
        ROOT / "CHANGELOG.md": "changes.md",
    }
    return found


def relinked(path: Path, where: dict[Path, str]) -> str:
    """The text of a page, its links leading to where the files stand in the site."""
    here = Path(where[path]).parent

    def link(match: re.Match[str]) -> str:
        target = (path.parent / match[2]).resolve()
        if target not in where:
            return match[0]
        return match[1] + _relative(where[target], here) + match[3]

    return LINK.sub(link, path.read_text(encoding="utf-8"))


def _relative(target: str, folder: Path) -> str:
    return str(Path(*[".."] * len(folder.parts), target)) if folder.parts else target
