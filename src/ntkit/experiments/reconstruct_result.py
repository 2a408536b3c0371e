"""A reconstruction that was run: what was found, as numbers and as arrays of its folder."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from jaxtyping import Shaped
from torch import Tensor

from ntkit._core.whole_files import shown
from ntkit.experiments.problems import open_problem
from ntkit.experiments.reconstruct_spec import ReconstructSpec
from ntkit.experiments.results import AbstractRun
from ntkit.experiments.run_folder import ALTERNATIVES, DEVIATION, FIELD, RESIDUAL
from ntkit.measurements import AbstractMeasurement
from ntkit.reconstruction import Choice, PriorRow, Trial
from ntkit.tuning import Candidate

__all__ = ["Leftover", "ReconstructRun"]


_TO_CHECK = {
    "ct": "the geometry (angles, the axis of rotation, the order of the axes), the bounds, and whether the picture is large enough",
    "mri": "the coils' sensitivities, the mask, whether k-space is centred, and whether what was measured reaches beyond its frame",
    "image": "what was said of it (--mask, --factor, --blur), and the bounds",
}
"""Where structure is left of the data."""


@dataclass(frozen=True)
class Leftover:
    """What is left of the data.

    Attributes:
        size: Its root mean square over that of the data.
        neighbours: Correlation of values beside each other, along the axis where it is largest in size.
        chance: Standard deviation of that for white noise.
        uneven: The same correlation of squares: whether it is larger in some places than in others.
    """

    size: float
    neighbours: float
    chance: float
    uneven: float

    SMALL: ClassVar[float] = 0.05
    """A correlation that no noise is free of: fits follow it a little."""

    UNEVEN: ClassVar[float] = 0.2
    """Of a phantom whose skull is two pixels thick 0.36, of photos up to 0.1."""

    NOTHING: ClassVar[float] = 2e-3
    """Of the data's size: what the solver leaves of data without noise."""

    def in_words(self, of: str) -> str:
        """Whether it looks like noise, and if not, what to do.

        Args:
            of: What was reconstructed: "ct", "mri" or "image".
        """
        if self.size <= self.NOTHING:
            return "Next to nothing: the picture meets the data."
        r, told = self.neighbours, f"neighbours correlate by {self.neighbours:+.2f}"
        if self.uneven > max(5 * self.chance, self.UNEVEN) and abs(r) < 0.3:
            return (
                f"It is larger in some places than in others (squares of neighbours correlate by {self.uneven:+.2f}): mostly at "
                "outlines that pixels of this size cannot follow. Where it is not, a part of the scan does not fit the rest."
            )
        if abs(r) <= max(3 * self.chance, self.SMALL):
            return f"It looks like noise: {told}, and noise alone would by {self.chance:.2f} or so."
        if r < 0:
            return f"It is rougher than noise ({told}): the picture follows the noise of the data a little."
        if r < 0.3:
            return f"It holds some structure ({told}): a little of the object, or of how it was measured, is not explained."
        return f"It holds structure ({told}): something is not explained. Check {_TO_CHECK[of]}."


@dataclass(kw_only=True)
class ReconstructRun(AbstractRun):
    """A picture from measurements, as it stands in its folder.

    Attributes:
        spec: What was asked.
        choice: What was solved in the end.
        priors: The kernels that were looked at, the chosen one first.
        table: What was tried on measurements held out.
        why: The choice in words.
        unit: Of the picture's values.
        baseline: Name of what it is compared with.
        held: What was held out together.
        n_data: Numbers that were measured.
        leftover: What is left of the data.
        scores: Where the truth is known, PSNR and SSIM of each picture by its name.
        covered: Share of the true pixels within the 90 % error bars; None where that is not known.
        gap: How far the solver is from its end, relative.
        seconds: How long it took.
    """

    main: ClassVar[str] = "field"

    spec: ReconstructSpec
    choice: Choice
    priors: tuple[PriorRow, ...]
    table: tuple[Trial, ...]
    why: str
    unit: str
    baseline: str
    held: str
    n_data: int
    leftover: Leftover
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    covered: float | None = None
    gap: float
    seconds: float

    @property
    def field(self) -> np.ndarray:
        """The picture `[*shape]`, or `[*shape, o]`; complex of MRI."""
        return self._array(FIELD)

    @property
    def deviation(self) -> np.ndarray | None:
        """Its standard deviation at each pixel; None if it was not asked for."""
        return self._array(DEVIATION) if (self.folder / DEVIATION).is_file() else None

    @property
    def residual(self) -> np.ndarray:
        """What the picture leaves of the data, in their shape."""
        return self._array(RESIDUAL)

    @property
    def alternatives(self) -> dict[str, np.ndarray]:
        """Other pictures by name: the baseline, total variation alone, the kernel alone."""
        with np.load(self.folder / ALTERNATIVES, allow_pickle=False) as found:
            return {name: found[name] for name in found.files}

    @property
    def choice_in_words(self) -> str:
        """In a few words."""
        kernel = self.choice.prior if self.choice.weight > 0 else None
        strength = self.choice.total_variation
        parts = [kernel] if kernel else []
        if strength > 0:
            parts.append(f"total variation {strength:.3g}{'' if kernel else ' alone'}")
        return " + ".join(parts) or "the data alone"

    @property
    def leftover_in_words(self) -> str:
        """Whether what is left of the data looks like noise, and if not, what to check."""
        return self.leftover.in_words(self.spec.of)

    def measured(self) -> tuple[Shaped[Tensor, "..."], AbstractMeasurement]:
        """The data and their measurement, read again: what `ntkit.reconstruct` takes."""
        problem = open_problem(self.spec)
        return problem.y, problem.A

    def _array(self, name: str) -> np.ndarray:
        """An array of the folder.

        Raises:
            ValueError: It is missing or damaged.
        """
        try:
            return np.load(self.folder / name, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise ValueError(
                f"`{shown(self.folder / name)}` is missing or damaged ({error}). Run again with `--force`."
            ) from None

    def _named(self, name: str) -> Candidate:
        """A reconstruction has no network.

        Raises:
            ValueError: Always.
        """
        raise ValueError(
            f"`{shown(self.folder)}` is a reconstruction, and has no network: its picture is `{FIELD}`, in Python "
            "`ntkit.load(folder).field`."
        )
