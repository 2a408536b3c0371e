"""How a notebook shows an object: a name, a small table of what is known of it, a curve."""

from collections.abc import Iterable, Sequence
from html import escape
from math import isfinite

__all__ = ["curve", "html_card"]

_WIDTH, _HEIGHT = 240, 48
"""Pixels of a curve."""

_FRAME = (  # the page's own colours, so that it is read on light and dark alike
    "display:inline-block;max-width:56em;padding:.5em .8em;border:1px solid rgba(128,128,128,.5);border-radius:6px;"
    "color:inherit;background:transparent;line-height:1.45"
)
_LEFT, _RIGHT = (
    f"text-align:left;vertical-align:top;background:transparent;color:inherit;border:none;{more}"
    for more in (
        "padding:.1em 1em .1em 0;opacity:.7;white-space:nowrap",
        "padding:.1em 0;overflow-wrap:anywhere",
    )
)


def html_card(title: str, rows: Iterable[tuple[str, object]], picture: str = "") -> str:
    """HTML with `title` above a table of names and values; all text is escaped.

    Args:
        title: What the object is, in a few words.
        rows: Names and values, as `str` writes them; a row of None or of an empty text is left out.
        picture: HTML below the table, as `curve` writes it.

    Example:
        >>> "&lt;b&gt;" in html_card("kernel", [("name", "<b>"), ("device", None)])
        True
    """
    told = [(name, str(value)) for name, value in rows if value is not None and str(value)]
    table = "".join(
        f'<tr style="background:transparent"><td style="{_LEFT}">{escape(name)}</td>'
        f'<td style="{_RIGHT}">{escape(value)}</td></tr>'
        for name, value in told
    )
    return (
        f'<div style="{_FRAME}"><strong>{escape(title)}</strong>'
        f'<table style="border:none;border-collapse:collapse;margin:.3em 0 0;font-size:inherit">{table}</table>'
        f"{picture}</div>"
    )


def curve(values: Sequence[float], label: str) -> str:
    """A line through values in their order, in the colour of the text; nothing where fewer than two are finite.

    Args:
        values: Evenly spaced, all of which are drawn: some dozens do.
        label: What is drawn, for those who do not see it too.

    Example:
        >>> curve([2.0, 1.0, 0.5], "falling").startswith("<svg")
        True
    """
    last = len(values) - 1
    known = [(i, value) for i, value in enumerate(values) if isfinite(value)]
    if len(known) < 2:
        return ""
    low, high = min(v for _, v in known), max(v for _, v in known)
    up = (_HEIGHT - 8) / (high - low or 1.0)
    points = " ".join(
        f"{i * _WIDTH / last:.1f},{_HEIGHT - 4 - (v - low) * up:.1f}" for i, v in known
    )
    return (
        f'<svg role="img" aria-label="{escape(label)}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'style="display:block;margin-top:.4em"><title>{escape(label)}</title>'
        f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="1.5"/></svg>'
        f'<div style="font-size:85%;opacity:.7">{escape(label)}</div>'
    )
