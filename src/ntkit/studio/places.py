"""Whatever the page can ask: the views of the workbench by their names, the steps of the story as `story.NAME`."""

from collections.abc import Mapping

from ntkit.studio import story, views
from ntkit.studio.asks import Ask

__all__ = ["PLACES", "asks_of", "needs_signal"]

_STORY = "story."

PLACES = (*views.NAMES, *(_STORY + step for step in story.ORDER))
"""Names that a request may carry."""


def needs_signal(place: str) -> bool:
    """Whether it says something of the user's signal; the story has examples of its own."""
    return not place.startswith(_STORY)


def asks_of(place: str) -> Mapping[str, Ask]:
    """What a view or a step can be asked, by name."""
    if needs_signal(place):
        return views.asks_of(place)
    return story.asks_of(place.removeprefix(_STORY))
