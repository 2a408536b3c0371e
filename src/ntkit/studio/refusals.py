"""What the studio refuses, under codes that the page says in the reader's language."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

__all__ = ["CODES", "Code", "Refusal", "refused"]

Code = Literal[
    "lost", "mistake", "no_signal", "no_weights", "not_ready", "file", "part", "axes", "channels", "large", "narrow"
]  # fmt: skip

CODES: tuple[Code, ...] = get_args(Code)
"""Each has a text `error.CODE` in `web/src/texts`."""


class Refusal(ValueError):
    """A refusal that the page has words for.

    Args:
        code: Under which it has them.
        message: The same in English, for whoever has none.
        values: What is filled into the page's text.
    """

    def __init__(self, code: Code, message: str, **values: str | int) -> None:
        super().__init__(message)
        self.code = code
        self.values: dict[str, str | int] = values


def refused(error: BaseException) -> Mapping[str, Any]:
    """What the page is told of an error.

    Example:
        >>> refused(Refusal("large", "The picture is too large.", most=32))
        {'message': 'The picture is too large.', 'code': 'large', 'values': {'most': 32}}
        >>> refused(ValueError("`steps` must be a number."))
        {'message': '`steps` must be a number.'}
    """
    told = {"message": " ".join(str(error).split())[:600] or type(error).__name__}
    if isinstance(error, Refusal):
        return {**told, "code": error.code, "values": error.values}
    return told
