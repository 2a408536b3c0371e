"""What a tuning run is asked for: every field is a flag of the command line."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from ntkit.tasks.training import Budget, Optimiser
from ntkit.tuning import ENCODINGS

__all__ = ["TuneSpec", "parse_budget"]

_OPTIMISERS: dict[str, Optimiser] = {"adam": "adam", "sgd": "sgd"}


@dataclass(frozen=True)
class TuneSpec:
    """Which encoding and bandwidth to train a coordinate network with, for a photo.

    Attributes:
        photo: An image file, or a NumPy array (.npy): a line [n], an image [h, w] or [h, w, c], a
            volume [z, y, x].
        goal: "generalise" for quality between the training pixels, "fit" for quality on them.
        budget: Training: steps, or optimiser:rate:steps, for example 2000 or sgd:0.1:5000.
        batch_size: Pixels a step.
        width: Units of each hidden layer.
        depth: Hidden layers.
        encodings: Encodings to compare.
        bandwidths: Gaussian bandwidths to try, cycles per unit of coordinate; by default a ladder
            from 1 to an eighth of the pixels along the longer side.
        n_frequencies: Frequencies of an encoding; each gives two features.
        engine: "periodic" rounds frequencies to whole cycles for the prediction, "exact" does not
            and takes longer, "auto" chooses and says which.
        out: Run folder; runs/tune-NAME by default.
        verify: Train the recommended network, and one with no encoding, to prove the prediction.
        symmetrise: Train the pair that starts at zero, without a random initial function.
        downscale: Shrink the photo by this whole factor first.
        threads: CPU threads; the free cores by default.
        seed: Seed of frequencies, weights and batches.
    """

    photo: Path
    goal: Literal["generalise", "fit"] = "generalise"
    budget: str = "adam:1e-3:2000"
    batch_size: int = 4096
    width: int = 256
    depth: int = 4
    encodings: tuple[str, ...] = ENCODINGS
    bandwidths: tuple[float, ...] | None = None
    n_frequencies: int = 256
    engine: Literal["auto", "periodic", "exact"] = "auto"
    out: Path | None = None
    verify: bool = True
    symmetrise: bool = False
    downscale: int = 1
    threads: int | None = None
    seed: int = 0

    @property
    def folder(self) -> Path:
        """Where the run is written."""
        return self.out or Path("runs") / f"tune-{self.photo.stem}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {k: str(v) if isinstance(v, Path) else v for k, v in asdict(self).items()}


def parse_budget(text: str, batch_size: int) -> Budget:
    """`"2000"` or `"adam:1e-3:2000"` as a `Budget`.

    Raises:
        ValueError: The text has another form.

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
    return Budget(*found, batch_size)
