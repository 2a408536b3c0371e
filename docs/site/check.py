"""What is asked of every built page: nothing is loaded from elsewhere, and every picture has a text."""

import re
from collections.abc import Iterator
from pathlib import Path

OUTSIDE = re.compile(
    r'<(?:script|img|source|iframe|link)\b[^>]*\b(?:src|href)="(?:https?:)?//[^"]*"'
)
MUTE = re.compile(r'<img\b(?![^>]*\balt="[^"]*\w)[^>]*>')


def complaints(site: Path) -> Iterator[str]:
    """What is wrong, a line each.

    Args:
        site: The folder of the built pages.
    """
    for page in sorted(site.rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        for tag in OUTSIDE.findall(text):
            yield f"{page.relative_to(site)}: loads from elsewhere: {tag}"
        for tag in MUTE.findall(text):
            yield f"{page.relative_to(site)}: a picture without a text: {tag}"
