"""What the specs of all runs have in common: each field is a flag of the command line, and a line of JSON."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from tyro.conf import Positional, arg

__all__ = ["AbstractSpec", "File", "Names", "Number", "Numbers", "Whole", "Yes", "said"]

_Spec = TypeVar("_Spec", bound="AbstractSpec")


def said(default: str) -> str:
    """The default in the help text; where there is none, the text says what happens."""
    return "" if default == "None" else f"(default: {default})"


File = Annotated[Path | None, arg(metavar="PATH", help_behavior_hint=said)]
Number = Annotated[float | None, arg(metavar="NUMBER", help_behavior_hint=said)]
Whole = Annotated[int | None, arg(metavar="INT", help_behavior_hint=said)]
Names = Annotated[tuple[str, ...] | None, arg(metavar="NAME ...", help_behavior_hint=said)]
Numbers = Annotated[tuple[float, ...] | None, arg(metavar="NUMBER ...", help_behavior_hint=said)]
Yes = Annotated[bool | None, arg(metavar="True|False", help_behavior_hint=said)]

_BOUNDS = {
    "batch_size": 10**7,
    "width": 2**14,
    "depth": 100,
    "n_frequencies": 2**14,
    "downscale": 10**4,
    "every": 10**6,
    "factor": 64,
    "n_points": 2**26,
    "n_samples": 4096,
    "n_fine": 4096,
    "seed": 2**63 - 1,
}
"""Largest values: beyond them a training would take weeks, or memory that no machine has."""

_FROM_0 = {"seed", "n_fine"}
_NOT_ASKED = {"format", "job", "of"}
_RENAMED = {"photo": "data"}  # until format 2


class _Declared:
    """Fields that each spec has, in a place of its own among the flags."""

    out: Path | None
    threads: int | None
    seed: int


@dataclass(frozen=True)
class AbstractSpec(_Declared):
    """What is asked of a run.

    Attributes:
        data: What the run is about.
    """

    job: ClassVar[str] = ""
    """The command."""

    of: ClassVar[str] = ""
    """Which of its kinds, where it has some."""

    choices: ClassVar[dict[str, tuple[str, ...]]] = {}
    """What texts may be."""

    data: Positional[Path]

    @property
    def command(self) -> str:
        """As it is typed behind `ntkit`."""
        return f"{self.job} {self.of}" if self.of else self.job

    @property
    def default_name(self) -> str:
        """The run folder under `runs`, if none is asked for."""
        name = self.data.name if self.data.is_dir() else self.data.name.split(".")[0]
        return f"{self.job}-{name or self.data.stem}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; files with their whole paths, so that a run can be gone on with anywhere."""
        plain = {
            k: str(v if k == "out" else v.absolute()) if isinstance(v, Path) else v
            for k, v in asdict(self).items()
        }
        kind = {"of": self.of} if self.of else {}
        return {"job": self.job, **kind, **plain}

    def check(self) -> None:
        """Refuse what cannot be meant, before any work.

        Raises:
            ValueError: A number is out of its range, and which.
        """
        for name, top in _BOUNDS.items():
            value, low = getattr(self, name, 1), int(name not in _FROM_0)
            if value is not None and not low <= value <= top:
                raise ValueError(f"`{name}={value}` must be from {low} to {top:,}.")

    @classmethod
    def from_dict(cls: type[_Spec], content: dict[str, Any]) -> _Spec:
        """The spec of a `spec.json`; what it leaves out has its default.

        Raises:
            ValueError: A field is unknown, missing, or of another type.
        """
        known = get_type_hints(cls)
        known = {f.name: known[f.name] for f in fields(cls)}
        given = {_RENAMED.get(k, k): v for k, v in content.items() if k not in _NOT_ASKED}
        unknown = [k for k in given if k not in known]
        if unknown:
            raise ValueError(
                f"`{unknown[0]}` in the spec is no option; there are {', '.join(known)}."
            )
        if not given.get("data"):
            raise ValueError("The spec names no `data`.")
        for name, texts in cls.choices.items():
            if given.get(name) not in [None, *texts]:
                raise ValueError(
                    f"`{name}` in the spec must be {' or '.join(map(repr, texts))}, got {given[name]!r}."
                )
        return cls(**{k: _typed(k, v, known[k]) for k, v in given.items()})


def _typed(name: str, value: Any, wanted: Any) -> Any:
    """A value of JSON as the type of its field.

    Raises:
        ValueError: It is of another type.
    """
    arguments = get_args(wanted)
    if get_origin(wanted) is Literal:
        if value in arguments:
            return value
    elif get_origin(wanted) in {Union, UnionType}:  # a `Literal | None` is the former
        if value is None:
            return None
        return _typed(name, value, next(a for a in arguments if a is not type(None)))
    elif get_origin(wanted) is tuple:
        if isinstance(value, list):
            return tuple(_typed(name, v, arguments[0]) for v in value)
    elif wanted is Path and isinstance(value, str):
        return Path(value)
    elif wanted is float and type(value) in {int, float}:
        return float(value)
    elif type(value) is wanted:
        return value
    kind = " or ".join(map(repr, arguments)) or getattr(wanted, "__name__", str(wanted))
    raise ValueError(f"`{name}` in the spec must be {kind}, got {value!r}.")
