"""What a job is beside a task: it is read and written; and the jobs that there are."""

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar, TypeVar

from ntkit.tasks.base import AbstractTask
from ntkit.tasks.domain import Domain, Rendered
from ntkit.tasks.files.endings import check_ending
from ntkit.tasks.words import coordinates_in_words, values_in_words

__all__ = ["JOBS", "AbstractJob", "job"]


class AbstractJob(AbstractTask):
    """A task that people have files of: `ntkit tune`, `fit` and `render` know it by its `kind`.

    Its first argument is a file, or what is in one; the others may be options of the command line.

    Example:
        >>> from ntkit.tasks import Image
        >>> issubclass(Image, AbstractJob), Image.kind
        (True, 'image')
    """

    suffixes: ClassVar[tuple[str, ...]]
    """Of files that a rendering can be written to, the usual one first."""

    stands_for_samples: ClassVar[bool] = True
    """Whether the data are as many numbers as its samples: not so of a surface, or of views."""

    writes_folders: ClassVar[bool] = False
    """Whether a name without an ending is a folder to write to."""

    @classmethod
    def check_name(cls, path: Path) -> None:
        """Refuse a name that no rendering can be written to, before there is one."""
        if path.suffix or not cls.writes_folders:
            check_ending(path, cls.suffixes, what=cls.kind)

    @staticmethod
    @abstractmethod
    def write(path: Path, rendered: Rendered) -> list[str]:
        """Write a rendering in the format of its name; what was rounded or clipped comes back as notes."""

    @classmethod
    def size_in_words(cls, rendered: Rendered) -> str:
        """How much a rendering is: samples along each axis."""
        return " x ".join(map(str, rendered.values.shape))

    @classmethod
    def in_words(cls, domain: Domain) -> tuple[str, str]:
        """What a network's coordinates and its values are, for whoever has the network alone."""
        return coordinates_in_words(domain), values_in_words(domain)


_Job = TypeVar("_Job", bound=type[AbstractJob])

JOBS: dict[str, type[AbstractJob]] = {}
"""The jobs by the name that the command line gives them.

Example:
    >>> sorted(JOBS)
    ['audio', 'field', 'image', 'points', 'shape', 'video', 'volume']
"""


def job(found: _Job) -> _Job:
    """Take a class into `JOBS`, as a decorator of it.

    Raises:
        ValueError: There is one of its name.

    Example:
        >>> from ntkit.tasks import Image
        >>> JOBS["image"] is Image  # `@job` stands above its class
        True
    """
    if found.kind in JOBS:
        raise ValueError(
            f"`kind={found.kind!r}` is that of {JOBS[found.kind].__name__} already. Give "
            f"{found.__name__} another one."
        )
    JOBS[found.kind] = found
    return found
