"""The documentation is true: its snippets run, its links lead somewhere, its names exist.

This is the strict build of plain Markdown: what `mkdocs build --strict` would refuse, and more.
"""

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ntkit
from ntkit.kernels.infinite.meanings import meanings
from ntkit.tasks import jobs

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^ *```.*$", re.MULTILINE)
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
TOCTREE = re.compile(r"^```\{toctree\}\n((?:.+\n|\n)*?)```$", re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
NAME = re.compile(r"\bntkit((?:\.[A-Za-z]\w*)+)")


def pages(*, run: bool = False) -> list:
    """Every page, or those to run: the code of translations is that of the English (`test_translations`)."""
    chosen = [page for page in PAGES if not (run and page.is_relative_to(ROOT / "docs" / "ko"))]
    return [pytest.param(page, id=str(page.relative_to(ROOT))) for page in chosen]


def anchor(heading: str) -> str:
    """The identifier that Markdown viewers give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def links(page: Path) -> list[str]:
    return LINK.findall(CODE.sub("", page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", pages(run=True))
def test_snippets_run(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meanings, "_entries", dict(meanings._entries))  # a page may register some
    monkeypatch.setattr(jobs, "JOBS", dict(jobs.JOBS))
    text = FENCE.sub("", page.read_text(encoding="utf-8"))  # a fence would count as output
    snippets = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    runner = doctest.DocTestRunner(verbose=False)
    report: list[str] = []
    runner.run(snippets, out=report.append)
    assert runner.failures == 0, "".join(report)


@pytest.mark.parametrize("page", pages())
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        target, _, fragment = link.partition("#")
        file = (page.parent / target) if target else page
        assert file.exists(), f"{page.name}: no {target}"
        if fragment:
            headings = HEADING.findall(CODE.sub("", file.read_text(encoding="utf-8")))
            assert fragment in map(anchor, headings), f"{page.name}: no heading for {link}"


@pytest.mark.parametrize("page", pages())
def test_names_exist(page: Path) -> None:
    for path in NAME.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        found: object = ntkit
        for name in path.removeprefix(".").split("."):
            assert hasattr(found, name), f"{page.name}: no `ntkit{path}`"
            found = getattr(found, name)


def test_every_page_is_in_a_table_of_contents() -> None:
    docs = ROOT / "docs"
    listed = {
        found.resolve()
        for page in docs.rglob("*.md")
        for block in TOCTREE.findall(page.read_text(encoding="utf-8"))
        for entry in block.split()
        for found in page.parent.glob(f"{entry}.md")
    }
    assert set(docs.rglob("*.md")) - {docs / "index.md"} <= listed


def test_the_table_of_layers_is_that_of_the_registries() -> None:
    """In a process of its own: others may have registered theirs in this one."""
    code = "import ntkit; print(ntkit.kernels.catalogue())"
    table = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert table.stdout in (ROOT / "docs" / "infinite.md").read_text(encoding="utf-8"), code
