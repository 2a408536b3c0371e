"""Errors in what a call means, which a third party may have written, say which call of the forward it was."""

__all__ = ["note_call"]


def note_call(error: Exception, line: str) -> None:
    """Add a note with the line to an error that does not say it already; its type and words stay.

    Args:
        error: As it was caught, to be raised again.
        line: The call and its line in the user's forward.

    Example:
        >>> error = IndexError("pop from empty list")
        >>> note_call(error, "`net.1` (File ...)")
        >>> error.__notes__
        ['In what infinite width makes of `net.1` (File ...).']
    """
    said = (str(error), *getattr(error, "__notes__", ()))
    if not any(line in words for words in said):
        error.add_note(f"In what infinite width makes of {line}.")
