"""What a reconstruction is asked for: measurements and how they were made, then what all of them take."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from tyro.conf import FlagCreatePairsOff, arg

from ntkit.experiments.options import AbstractSpec, File, Names, Number, Whole, said

__all__ = ["CtSpec", "ImageSpec", "MriSpec", "ReconstructSpec"]

_Angles = Annotated[
    tuple[str, ...] | None, arg(metavar="FROM:TO:COUNT|FILE|NUMBER ...", help_behavior_hint=said)
]
_Bounds = Annotated[tuple[str, ...] | None, arg(metavar="LOW HIGH|none", help_behavior_hint=said)]
_Size = Annotated[tuple[int, ...] | None, arg(metavar="INT ...", help_behavior_hint=said)]

Geometry = Literal["parallel", "fan", "cone"]
Convention = Literal["scikit-image", "astra"]


@dataclass(frozen=True)
class ReconstructSpec(AbstractSpec):
    """What all reconstructions take.

    Attributes:
        prior: Kernels to choose from, as NAME:NUMBER: ntk:4 (bandwidth, in cycles per unit), matern12:0.1, matern32:0.1,
            matern52:0.1 and rbf:0.1 (length). A unit is the longest side of the picture. By default ntk:2, ntk:4, ntk:8 and matern12:0.1.
        total_variation: Weight of total variation; by default the measurements choose it.
        no_total_variation: Leave total variation out: the kernel alone.
        bounds: Least and largest value that the picture may have, such as 0,1 or 0,none; none for no bounds. By default
            0,none for CT, none for MRI, and 0,1 for pictures.
        error_bars: Find the standard deviation of each pixel too.
        network: Train a coordinate network on the measurements too, for so many steps, to compare with. It takes minutes.
        truth: What it should be, as a picture or .npy of the same size, to compare with.
        out: Run folder, new or empty; by default runs/reconstruct-NAME, or runs/reconstruct-NAME-2 if that is taken, ...
        threads: CPU threads; the free cores by default.
        seed: Seed of what is drawn: probes and error bars.
    """

    job: ClassVar[str] = "reconstruct"

    prior: Names = None
    total_variation: Number = None
    no_total_variation: Annotated[bool, FlagCreatePairsOff] = False
    bounds: _Bounds = None
    error_bars: bool = True
    network: Whole = None
    truth: File = None
    out: File = None
    threads: Whole = None
    seed: int = 0

    def check(self) -> None:
        """Also that total variation is asked for in one way, kernels are named, the bounds are two, and a network has a bandwidth.

        Raises:
            ValueError: They are not.
        """
        super().check()
        if self.no_total_variation and self.total_variation is not None:
            raise ValueError(
                f"`--total-variation {self.total_variation:g}` and `--no-total-variation` are asked for together. "
                "Leave one of them out."
            )
        if self.total_variation is not None and not 0 <= self.total_variation < float("inf"):
            raise ValueError(
                f"`--total-variation {self.total_variation:g}` must be 0 or more, and finite. Left out, the "
                "measurements choose it."
            )
        if self.prior == ():
            raise ValueError(
                "`--prior` names no kernel: pass one or more, such as ntk:4, or leave it out."
            )
        if self.network is not None and not 1 <= self.network <= 10**6:
            raise ValueError(f"`--network {self.network}` must be from 1 to 1,000,000 steps.")
        if self.network and self.prior and not any(p.startswith("ntk:") for p in self.prior):
            raise ValueError(
                "`--network` takes its bandwidth from a kernel of a network: name one with `--prior`, such as ntk:4, or leave "
                "`--prior` out."
            )
        self.limits("auto")

    def limits(self, usual: object) -> object:
        """Bounds as numbers: None for none, `usual` where nothing is said.

        Raises:
            ValueError: They are no bounds.
        """
        if self.bounds is None:
            return usual
        if self.bounds == ("none",):
            return None
        try:
            low, high = (None if text == "none" else float(text) for text in self.bounds)
        except ValueError:
            low = high = float("nan")
        known = [value for value in (low, high) if value is not None]
        if any(abs(v) == float("inf") or v != v for v in known) or known != sorted(set(known)):
            raise ValueError(
                f"`--bounds {' '.join(self.bounds)}` must be two numbers, the lower one first, such as 0,1; none "
                "stands for no bound, as in 0,none."
            )
        return (low, high) if known else None


@dataclass(frozen=True)
class _Scan(AbstractSpec):
    """How projections were made.

    Attributes:
        data: Line integrals, a NumPy array of [views, detectors]; of a cone beam [views, detectors, rows]. A JSON of the
            same name beside it, as `ntkit simulate ct` writes it, says what is not said here.
        angles: In degrees: FROM:TO:COUNT (without TO: 0:180:30 is 0, 6, 12, ...), a .npy or .txt file with one a view, or
            the numbers.
        geometry: Of the rays: parallel, fan or cone; by default parallel.
        curved: Of a fan: whether the detectors are on an arc around the source.
        size: Pixels of the picture, one number or one an axis; by default as many a side as fit into the circle that
            every view sees.
        pixel: Size of a pixel, in mm; by default 1.
        detector_spacing: Distance of neighbouring detectors, in mm; by default that of pixels, magnified on the detector.
        source_distance: Of fan and cone: from the source to the axis of rotation, in mm.
        detector_distance: Of fan and cone: from the axis of rotation to the detector, in mm.
        convention: Which pixel and detector the axis of rotation meets: n // 2 (scikit-image, the default), or the
            middle, (n - 1) / 2 (astra).
        detector_centre: Which detector sees the axis of rotation, from 0, with a fraction; by default as of --convention.
        transpose: The data are [detectors, views], as scikit-image's `radon` gives them.
    """

    angles: _Angles = None
    geometry: Geometry | None = None
    curved: bool = False
    size: _Size = None
    pixel: Number = None
    detector_spacing: Number = None
    source_distance: Number = None
    detector_distance: Number = None
    convention: Convention | None = None
    detector_centre: Number = None
    transpose: bool = False


@dataclass(frozen=True)
class CtSpec(ReconstructSpec, _Scan):
    """A picture from line integrals: computed tomography."""

    of: ClassVar[str] = "ct"
    choices: ClassVar[dict[str, tuple[str, ...]]] = {
        "geometry": ("parallel", "fan", "cone"),
        "convention": ("scikit-image", "astra"),
    }


@dataclass(frozen=True)
class _Coils(AbstractSpec):
    """How k-space was measured.

    Attributes:
        data: Complex k-space, centred: a NumPy array [ky, kx] or [coils, ky, kx], or an HDF5 file of fastMRI. A JSON of
            the same name beside it, as `ntkit simulate mri` writes it, says what is not said here.
        mask: What was measured, as a black and white picture or .npy of [ky, kx], or one number a column; by default what
            is not 0.
        coils: Sensitivities of the coils, complex [coils, y, x], .npy; by default they are found from the middle of k-space.
        slice: Of a file with several slices, which one, from 0; by default the middle one.
    """

    mask: File = None
    coils: File = None
    slice: Whole = None


@dataclass(frozen=True)
class MriSpec(ReconstructSpec, _Coils):
    """A complex picture from parts of its Fourier transform: magnetic resonance imaging."""

    of: ClassVar[str] = "mri"


@dataclass(frozen=True)
class _Photo(AbstractSpec):
    """What is wrong with a picture.

    Attributes:
        data: A picture: a file of Pillow's formats, or a NumPy array.
        mask: Which pixels are known, as a black and white picture of its size, white where they are.
        factor: Make it so many times as large along each side, its pixels being means of the new ones.
        blur: Undo a Gaussian blur of this standard deviation, in pixels of the picture.
        downscale: Shrink the picture by this whole factor first.
    """

    mask: File = None
    factor: int = 1
    blur: float = 0.0
    downscale: int = 1


@dataclass(frozen=True)
class ImageSpec(ReconstructSpec, _Photo):
    """A picture from a part of its pixels, from a smaller one, or from a blurred one."""

    of: ClassVar[str] = "image"
