"""A translated page says what the English one says: the same headings, code, formulas, links and names.

The snippets of `docs/ko` are byte for byte those of the English pages, which `test_docs.py` runs. So they need
not be run again.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
KOREAN = DOCS / "ko"
pytestmark = pytest.mark.skipif(not KOREAN.is_dir(), reason="needs the source's documentation")
HANGUL = re.compile(r"[\uac00-\ud7a3]")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
PLAIN = re.compile(
    r"(?:해요|이에요|예요|거예요|세요|한다|이다|된다|있다|없다)\.(?:\s|$)", re.MULTILINE
)


@dataclass
class Section:
    """What stands between two headings: its level, what must be equal, and the prose that is not."""

    level: int
    title: str
    blocks: list[str] = field(default_factory=list)
    prose: str = ""

    @property
    def inline(self) -> set[str]:
        """The formulas and names in the prose; word order differs, and how often one is named."""
        return {" ".join(code.split()) for code in re.findall(r"`([^`]+)`", self.prose)}


def sections(text: str) -> list[Section]:
    """The sections of a page. A directive (`{name}`) counts by its name, as its text is translated; a toctree not at all."""
    found = [Section(0, "")]
    lines = iter(text.splitlines())
    may_indent = True  # after an empty line, and on from there, four spaces make a formula
    for line in lines:
        if line.startswith("```"):
            body = [line]
            for inner in lines:
                body.append(inner)
                if inner.startswith("```"):
                    break
            if not line.startswith("```{toctree}"):
                found[-1].blocks.append(line if line.startswith("```{") else "\n".join(body))
        elif heading := re.match(r"(#+) (.+)", line):
            found.append(Section(len(heading[1]), heading[2]))
        elif line.startswith("    ") and may_indent:
            found[-1].blocks.append(line)
        else:
            found[-1].prose += line + "\n"
        may_indent = not line or (may_indent and line.startswith("    "))
    return found


def english_of(page: Path) -> Path:
    return DOCS / page.relative_to(KOREAN) if page.is_relative_to(KOREAN) else page


def targets(page: Path) -> Counter[str]:
    """The files that a page links to, each as its English version, without links between the languages."""
    prose = "".join(section.prose for section in sections(page.read_text(encoding="utf-8")))
    found: Counter[str] = Counter()
    for link in LINK.findall(prose):
        file = link.partition("#")[0]
        if "://" not in link and file:
            path = (page.parent / file).resolve()
            if path.is_relative_to(KOREAN) and not page.is_relative_to(KOREAN):
                continue
            if path == english_of(page) != page:
                continue
            file = str(DOCS / path.relative_to(KOREAN) if path.is_relative_to(KOREAN) else path)
        found[file] += 1
    return found


def korean_pages() -> list:
    pages = sorted(KOREAN.rglob("*.md"))
    return [pytest.param(page, id=str(page.relative_to(DOCS))) for page in pages]


def pair(page: Path) -> tuple[list[Section], list[Section]]:
    english = english_of(page)
    return sections(english.read_text(encoding="utf-8")), sections(page.read_text(encoding="utf-8"))


def test_the_pages_to_begin_with_are_there() -> None:
    for name in ("index", "ten_minutes", "theory", "howto/photo", "howto/ct", "howto/mri"):
        assert (KOREAN / f"{name}.md").is_file()


@pytest.mark.parametrize("page", korean_pages())
def test_every_heading_has_its_counterpart(page: Path) -> None:
    english, korean = pair(page)
    assert [one.level for one in korean] == [one.level for one in english]
    for one, other in zip(english, korean, strict=True):
        assert re.findall(r"^\d+\.", other.title) == re.findall(r"^\d+\.", one.title)


@pytest.mark.parametrize("page", korean_pages())
def test_code_and_formulas_are_equal(page: Path) -> None:
    for one, other in zip(*pair(page), strict=True):
        where = (
            f"under '{one.title}': what changes in a page changes in docs/ko/{page.name} as well"
        )
        assert other.blocks == one.blocks, where
        assert other.inline == one.inline, where


@pytest.mark.parametrize("page", korean_pages())
def test_links_lead_to_the_same_pages(page: Path) -> None:
    assert targets(page) == targets(english_of(page))


@pytest.mark.parametrize("page", korean_pages())
def test_a_korean_page_leads_to_korean_pages(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        file = (page.parent / link.partition("#")[0]).resolve()
        if (
            file.is_relative_to(DOCS)
            and not file.is_relative_to(KOREAN)
            and file != english_of(page)
        ):
            own = KOREAN / file.relative_to(DOCS)
            assert file.suffix != ".md" or not own.exists(), (
                f"{link}: there is {own.name} in Korean"
            )


@pytest.mark.parametrize("page", korean_pages())
def test_the_prose_is_korean_in_one_style(page: Path) -> None:
    """Each paragraph, and sentences end in -ㅂ니다 throughout."""
    for section in sections(page.read_text(encoding="utf-8")):
        assert not section.title or HANGUL.search(section.title) or section.title == "ntkit"
        for paragraph in section.prose.split("\n\n"):
            words = re.sub(r"`[^`]*`|!?\[|\]\([^)]*\)", "", paragraph)
            assert not re.search(r"[A-Za-z]{3}", words) or HANGUL.search(words), paragraph
        assert not PLAIN.search(section.prose), PLAIN.search(section.prose)


def test_a_page_is_read_as_its_parts() -> None:
    one, two = (
        "# A\n\nBy `x` and `y\nz`:\n\n    y = x\n",
        "```python\n>>> 1\n1\n\n```\n\n## 2. B\n\nSo.\n",
    )
    top, first, second = sections(one + "\n" + two)
    assert [(part.level, part.title) for part in (top, first, second)] == [
        (0, ""),
        (1, "A"),
        (2, "2. B"),
    ]
    assert first.blocks == ["    y = x", "```python\n>>> 1\n1\n\n```"]
    assert first.inline == {"x", "y z"}
    assert not second.blocks and second.prose == "\nSo.\n"
