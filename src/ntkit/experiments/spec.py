"""What a tuning run is asked for: every field is a flag of the command line."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from ntkit.tasks.budget import Budget, Optimiser
from ntkit.tuning import COMPARED

__all__ = ["TuneSpec", "parse_budget"]

_OPTIMISERS: dict[str, Optimiser] = {"adam": "adam", "sgd": "sgd"}


_BOUNDS = {
    "batch_size": 10**7,
    "width": 2**14,
    "depth": 100,
    "n_frequencies": 2**14,
    "downscale": 10**4,
    "seed": 2**63 - 1,
}
"""Largest values: beyond them a training would take weeks, or memory that no machine has."""

_MOST_STEPS = 10**7


@dataclass(frozen=True)
class TuneSpec:
    """Which encoding and bandwidth to train a coordinate network with, for a photo.

    Attributes:
        photo: An image file, or a NumPy array (.npy, .npz): a line [n], an image [h, w] or [h, w, c],
            a volume [z, y, x].
        goal: "generalise" for quality between the training pixels, "fit" for quality on them.
        budget: Training: steps, or optimiser:rate:steps, for example 2000 or sgd:0.1:5000.
        batch_size: Pixels a step.
        width: Units of each hidden layer.
        depth: Hidden layers.
        encodings: Encodings to compare, of identity, basic, positional, nerf and gaussian.
        bandwidths: Gaussian bandwidths to try, cycles per unit of coordinate; by default a ladder
            from 1 to an eighth of the pixels along the longer side.
        n_frequencies: Frequencies of an encoding; each gives two features.
        engine: "periodic" rounds frequencies to whole cycles for the prediction, "exact" does not
            and takes longer, "auto" chooses and says which.
        out: Run folder, new or empty; by default runs/tune-NAME, or runs/tune-NAME-2 if that is taken, ...
        verify: Train the recommended network, and one with no encoding, to prove the prediction.
        symmetrise: Train the pair that starts at zero, without a random initial function.
        downscale: Shrink the photo by this whole factor first.
        channels: The last axis of an array is one of channels: stereo sound, many bands.
        frame: Which picture of a file that holds several (TIFF, GIF), or slice of a volume, from 0.
        threads: CPU threads; the free cores by default.
        seed: Seed of frequencies, weights and batches.
    """

    photo: Path
    goal: Literal["generalise", "fit"] = "generalise"
    budget: str = "adam:1e-3:2000"
    batch_size: int = 4096
    width: int = 256
    depth: int = 4
    encodings: tuple[str, ...] = COMPARED
    bandwidths: tuple[float, ...] | None = None
    n_frequencies: int = 256
    engine: Literal["auto", "periodic", "exact"] = "auto"
    out: Path | None = None
    verify: bool = True
    symmetrise: bool = False
    downscale: int = 1
    channels: bool = False
    frame: int | None = None
    threads: int | None = None
    seed: int = 0

    @property
    def default_name(self) -> str:
        """The run folder under `runs`, if none is asked for."""
        return f"tune-{self.photo.stem}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; the photo with its whole path, so that a run can be gone on with anywhere."""
        plain = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(self).items()}
        return plain | {"photo": str(self.photo.absolute())}

    def check(self) -> None:
        """Refuse what cannot be meant, before any work.

        Raises:
            ValueError: A number is out of its range, and which.
        """
        parse_budget(self.budget, self.batch_size)
        for name, top in _BOUNDS.items():
            value, low = getattr(self, name), 0 if name == "seed" else 1
            if not low <= value <= top:
                raise ValueError(f"`{name}={value}` must be from {low} to {top:,}.")

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "TuneSpec":
        """The spec of a `spec.json`; what it leaves out has its default.

        Raises:
            ValueError: A field is unknown, missing, or of another type.
        """
        known = {f.name: f.type for f in fields(cls)}
        given = {k: v for k, v in content.items() if k not in {"format", "job"}}
        unknown = [k for k in given if k not in known]
        if unknown:
            raise ValueError(
                f"`{unknown[0]}` in the spec is no option; there are {', '.join(known)}."
            )
        if not given.get("photo"):
            raise ValueError("The spec names no `photo`.")
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
    elif isinstance(wanted, UnionType):
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


def parse_budget(text: str, batch_size: int) -> Budget:
    """`"2000"` or `"adam:1e-3:2000"` as a `Budget`.

    Raises:
        ValueError: The text has another form, or asks for too many steps.

    Example:
        >>> parse_budget("sgd:0.1:500", 4096).lr
        0.1
    """
    parts = text.split(":")
    try:
        if len(parts) == 1:
            parts = ["adam", "1e-3", *parts]
        name, lr, steps = parts
        found = (_OPTIMISERS[name.lower()], float(lr), int(steps))
    except (ValueError, KeyError):
        raise ValueError(
            f"`budget={text!r}` must be a number of steps or optimiser:rate:steps with adam or "
            "sgd, for example 2000 or adam:1e-3:2000."
        ) from None
    if found[2] > _MOST_STEPS:
        raise ValueError(
            f"`budget={text!r}` asks for {found[2]:,} steps, which would take weeks. Ask for at most "
            f"{_MOST_STEPS:,}; most networks have learned what they can after some 10,000."
        )
    return Budget(*found, batch_size)
