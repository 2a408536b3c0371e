"""What runs are asked for: every field is a flag of the command line."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from tyro.conf import arg

from ntkit._core.checks import positive
from ntkit.experiments.budgets import parse_budget
from ntkit.experiments.options import AbstractSpec, File, Names, Number, Numbers, Whole, Yes, said
from ntkit.tasks import JOBS
from ntkit.tasks.budget import Precision
from ntkit.tuning import COMPARED

__all__ = ["DataSpec", "FitSpec", "TuneSpec"]


@dataclass(frozen=True)
class DataSpec(AbstractSpec):
    """Data, and how to read it.

    Attributes:
        data: A picture, a sound, a volume, a film, a table of points, a mesh or a cloud of points with normals, a NumPy
            array (.npy, .npz), or a folder: frames, a DICOM series, or views of a scene (Blender's or nerfstudio's).
        kind: What the data is, where its file does not tell.
        mask: Of a picture: which pixels are known, as a black and white picture of its size, white where they are.
        factor: Of a picture: super-resolution. All of its pixels are trained on, and `ntkit render` makes it so many
            times as large.
        start: Of a sound or film: where to begin, in seconds.
        stop: Of a sound or film: where to end, in seconds.
        every: Of a film: take one frame of so many.
        downscale: Shrink the data by this whole factor first.
        channels: Of an array: its last axis holds channels (many bands), however long it is.
        frame: Which picture of a file that holds several (TIFF, GIF), or which slice of a volume, from 0.
        columns: Of a table: the columns of coordinates, by name or by place from 0; by default lon and lat, or x, y, z
            and t, or all but the last.
        targets: Of a table: the columns of values, by name or by place; by default all others.
        geographic: Of a table: whether its first two coordinates are longitude and latitude, in degrees; by default
            where they are named so.
        n_points: Of a shape: points to train on, drawn once; by default 2^20.
        signed_distance: Of a shape: fit the distance from the surface, in place of what is inside.
        eikonal: Of a shape with --signed-distance: weight of (|gradient| - 1)^2 in the loss.
        up: Of a shape: which axis is up in pictures, x, y or z; by default z for .stl, and y.
        near: Of a field: depth where the scene begins, in units of the poses; by default the file's, or by the cameras.
        far: Of a field: where it ends.
        box: Of a field: two corners of the box that the scene is in, six numbers.
        background: Of a field: red, green and blue behind the scene, from 0 to 1; by default white.
        n_samples: Of a field: samples of a ray; by default 128.
        n_fine: Of a field: more of them, placed where the first say that something is (hierarchical sampling).
        view_directions: Of a field: let colours depend on where they are seen from.
        cones: Of a field: pixels are cones, and samples Gaussians (mip-NeRF); of encodings with frequencies.
        occupancy: Of a field: learn where nothing is, and do not ask the network there.
        silhouettes: Of a field: take from the alpha of the pictures where nothing is.
        premultiplied: Of a field: whether colours are times alpha; told from the file if left out.
    """

    choices: ClassVar[dict[str, tuple[str, ...]]] = {"kind": tuple(JOBS)}

    kind: Annotated[str | None, arg(name="as", metavar="|".join(JOBS), help_behavior_hint=said)] = (
        None
    )
    mask: File = None
    factor: int = 1
    start: Number = None
    stop: Number = None
    every: int = 1
    downscale: int = 1
    channels: bool = False
    frame: Whole = None
    columns: Names = None
    targets: Names = None
    geographic: Yes = None
    n_points: Whole = None
    signed_distance: bool = False
    eikonal: float = 0.0
    up: Literal["x", "y", "z"] | None = None
    near: Number = None
    far: Number = None
    box: Numbers = None
    background: Numbers = None
    n_samples: Whole = None
    n_fine: Whole = None
    view_directions: bool = False
    cones: bool = False
    occupancy: bool = True
    silhouettes: bool = True
    premultiplied: Yes = None


@dataclass(frozen=True)
class TuneSpec(DataSpec):
    """Which encoding and bandwidth to train a coordinate network with.

    Attributes:
        goal: "generalise" for quality between the training samples, "fit" for quality on them.
        hold_out: Share of the samples to judge on, drawn at random; the others are trained on. By default every other
            sample along each axis is trained on and the rest judges; of points a fifth judges, of a picture with a mask
            some of what is known.
        budget: How long to train: steps (2000), a time (30s, 5min, 2h), or optimiser:rate:steps with adam or sgd
            (sgd:0.1:5000).
        batch_size: Samples a step; by default 4096, of a field 1024 rays.
        width: Units of each hidden layer; by default 256.
        depth: Hidden layers; by default 4, of shapes 8.
        sigmoid: Put a sigmoid behind the read-out, so that values stay between 0 and 1.
        encodings: Encodings to compare, of identity (none), basic, positional, nerf and gaussian.
        families: Families of networks to compare, by short trainings of scale models: mlp (ReLU networks on the
            encodings), siren, finer, wire and hash; by default all of them.
        equal: What families are compared with as much of: "steps", or "time" of training. Both are told.
        run_off: Where scale models set the two best families less than two standard errors apart, train both for an eighth
            of the steps, and take the better one.
        bandwidths: Gaussian bandwidths to try, in cycles per unit of coordinate (the data are one unit long along
            each axis); by default a ladder from 1 to a quarter of the training samples along the longest side.
        n_frequencies: Frequencies of an encoding; each gives two features.
        engine: How the kernel is solved for the prediction: "periodic" rounds frequencies to whole cycles, "exact"
            does not and takes longer, "auto" chooses and says which.
        out: Run folder, new or empty; by default runs/tune-NAME, or runs/tune-NAME-2 if that is taken, ...
        verify: Train the recommended network, and one with no encoding, to prove the prediction.
        symmetrise: Train a pair of networks whose difference starts at zero, so that nothing random is left between
            the samples.
        threads: CPU threads; the free cores by default.
        device: Where to train: cpu, or cuda where there is one.
        seed: Seed of frequencies, weights and batches.
    """

    job: ClassVar[str] = "tune"

    goal: Literal["generalise", "fit"] = "generalise"
    hold_out: Number = None
    budget: str = "adam:1e-3:2000"
    batch_size: Whole = None
    width: Whole = None
    depth: Whole = None
    sigmoid: bool = False
    encodings: Annotated[tuple[str, ...], arg(metavar="NAME ...")] = COMPARED
    families: Names = None
    equal: Literal["steps", "time"] = "steps"
    run_off: bool = True
    bandwidths: Numbers = None
    n_frequencies: int = 256
    engine: Literal["auto", "periodic", "exact"] = "auto"
    out: File = None
    verify: bool = True
    symmetrise: bool = False
    threads: Whole = None
    device: str = "cpu"
    seed: int = 0

    def check(self) -> None:
        """Also the form of the budget."""
        parse_budget(self.budget, self.batch_size or 1)
        super().check()


@dataclass(frozen=True)
class FitSpec(DataSpec):
    """Train a coordinate network on data, and keep it.

    Attributes:
        encoding: identity is none; "auto" asks the kernel, as `ntkit tune` does. siren, finer, wire and hash are
            networks of other families, with as many parameters and the learning rate that is usual for each beside
            that of the budget.
        bandwidth: Of a gaussian encoding or of another family, in cycles per unit of coordinate; of positional and nerf
            the largest frequency.
        like: A run of `ntkit tune` or `ntkit fit` whose encoding and network to take. Where samples are not as dense as
            there, the encoding is chosen again, or the bandwidth of the same family of networks.
        hold_out: Share of the samples that is not trained on, drawn at random, to judge by; by default none, and all
            samples are trained on, but for the views of a scene that were set aside to judge by.
        budget: How long to train: steps (2000), a time (30s, 5min, 2h), or optimiser:rate:steps with adam or sgd
            (sgd:0.1:5000).
        batch_size: Samples a step; by default 4096, of a field 1024 rays.
        width: Units of each hidden layer; by default 256, or those of --like.
        depth: Hidden layers; by default 4, of shapes 8, or those of --like.
        n_frequencies: Frequencies of the encoding, each of which gives two features; by default 256, or those of --like.
        sigmoid: Put a sigmoid behind the read-out, so that values stay between 0 and 1.
        precision: bfloat16 multiplies matrices in half the length, of networks that begin with Fourier features: about twice
            as fast where the processor has such products.
        out: Run folder, new or empty; by default runs/fit-NAME, or runs/fit-NAME-2 if that is taken, ...
        threads: CPU threads; the free cores by default.
        device: Where to train: cpu, or cuda where there is one.
        seed: Seed of frequencies, weights and batches.
    """

    job: ClassVar[str] = "fit"

    encoding: Literal[
        "auto",
        "identity",
        "basic",
        "positional",
        "nerf",
        "gaussian",
        "siren",
        "finer",
        "wire",
        "hash",
    ] = "auto"
    bandwidth: Number = None
    like: File = None
    hold_out: Number = None
    budget: str = "adam:1e-3:2000"
    batch_size: Whole = None
    width: Whole = None
    depth: Whole = None
    n_frequencies: Whole = None
    sigmoid: bool = False
    precision: Precision = "float32"
    out: File = None
    threads: Whole = None
    device: str = "cpu"
    seed: int = 0

    def check(self) -> None:
        """Also the form of the budget, and that the encoding is asked for in one way.

        Raises:
            ValueError: It is asked for in two ways, or half.
        """
        parse_budget(self.budget, self.batch_size or 1)
        needs = self.encoding not in {"auto", "identity", "basic"}
        if needs and self.bandwidth is None:
            raise ValueError(
                f"`--encoding {self.encoding}` needs `--bandwidth`, in cycles per unit of coordinate. Without "
                "both `ntkit fit` chooses, as `ntkit tune` does."
            )
        if not needs and self.bandwidth is not None:
            raise ValueError(
                f"`--bandwidth {self.bandwidth:g}` is of an encoding that has one: pass `--encoding gaussian`."
            )
        if self.like is not None and self.encoding != "auto":
            raise ValueError("`--like` takes the encoding of another run; leave `--encoding` out.")
        if self.bandwidth is not None:
            positive("bandwidth", self.bandwidth)
        super().check()
