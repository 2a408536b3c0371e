"""The job of a scene that is known by its views."""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from ntkit import figures
from ntkit._core.checks import positive_int
from ntkit.measurements import Camera, OccupancyGrid, Seen
from ntkit.tasks import files
from ntkit.tasks.base import Baseline
from ntkit.tasks.cones import on_cones
from ntkit.tasks.domain import Domain, Rendered
from ntkit.tasks.files import Views
from ntkit.tasks.jobs import AbstractJob, job
from ntkit.tasks.marching import march
from ntkit.tasks.scene import Scene, unpacked
from ntkit.tasks.scene_box import scene_of
from ntkit.tasks.scene_options import checked_place, colour, none_or_more
from ntkit.tasks.scene_views import cut, picture
from ntkit.tasks.signal import with_error
from ntkit.tasks.similarity import WINDOW, ssim
from ntkit.tasks.words import scene_in_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["RadianceField"]

_SHOWN = 8  # views, at most
_SHOWN_RAYS = 2**18
"""Of all views that are shown while a network trains; some seconds of two cores."""

_IN_A_FIGURE = 3
"""Views side by side; more would be too small to see."""

_TURNS = 1 / 32
"""Of the bandwidth in space; at the same one, held-out views of three balls lost 5 dB of 19."""

_FRAME = 0.08  # seconds, of a turntable
_FILMS = {".gif", ".mp4"}


@job
class RadianceField(AbstractJob):
    """Density and colour in space, from pictures with known cameras (NeRF).

    What is measured are rays: rows of nine numbers (`ntkit.measurements.Rays`), and the colours of their pixels over
    the background. A network takes points in `[0, 1)^3` of the scene's box (and with `view_directions` the direction,
    `(d + 1) / 2` of a unit vector) and gives four numbers: the density before a softplus, and the colour before a
    sigmoid, so that `mlp(encoding, 4)` is one.

    Args:
        source: A folder in Blender's format (`transforms_train.json`) or nerfstudio's (`transforms.json`), an `.npz`
            archive, or views in memory.
        near: Depth where the scene begins, in units of the poses; by default the file's, else by the cameras.
        far: Where it ends.
        box: Two corners of the box that the scene is in, six numbers; by default a cube about what all cameras look at,
            and about what the silhouettes have in common.
        background: Colour behind the scene, red, green and blue from 0 to 1: white.
        n_samples: Samples of a ray.
        n_fine: More of them, placed where the first say that something is (hierarchical sampling, with one network).
        view_directions: Whether colours may depend on where they are seen from.
        cones: Whether pixels are cones and samples Gaussians (mip-NeRF): for networks that begin with Fourier features, or
            with bare coordinates, whose mean it is.
        occupancy: Whether a training learns where nothing is, and does not ask the network there.
        silhouettes: Whether pictures with alpha say where nothing is.
        downscale: Whole factor to shrink pictures by first.
        premultiplied: Whether colours of pictures are times alpha; told from the file if left out.

    Source: Mildenhall et al. 2020 (arXiv:2003.08934), as simplified by Tancik et al. 2020 (arXiv:2006.10739),
    section 6.4. The density is `softplus` and not ReLU with noise: it has a derivative everywhere.

    Example:
        >>> import numpy as np
        >>> from ntkit.measurements import Camera
        >>> from ntkit.tasks.files import Views
        >>> def pose(turn):  # columns: right, up, back, and the place
        ...     back, right = [np.cos(turn), np.sin(turn), 0], [-np.sin(turn), np.cos(turn), 0]
        ...     rows = np.stack([right, [0, 0, 1], back, 3 * np.array(back)], 1)
        ...     return tuple(tuple(row) for row in rows.tolist())
        >>> cameras = tuple(Camera(pose(turn), (15, 15), (6, 6), (12, 12)) for turn in range(6))
        >>> red = np.full((12, 12, 4), [0.8, 0.3, 0.1, 1.0], np.float32)
        >>> scene = RadianceField(Views((red,) * 6, cameras, (False,) * 6, None), n_samples=16)
        >>> scene.kind
        'field'
    """

    kind: ClassVar[str] = "field"
    sample: ClassVar[str] = "ray"
    stands_for_samples: ClassVar[bool] = False
    suffixes: ClassVar[tuple[str, ...]] = (
        *(".png", ".gif", ".mp4", ".npy"),
        *(".tif", ".tiff", ".jpg", ".jpeg", ".webp", ".bmp"),
    )
    batch_size: ClassVar[int] = 1024
    most_judged: ClassVar[int | None] = 2**18  # a hundred network rows each
    takes_points = False

    def __init__(
        self,
        source: Path | str | Views,
        *,
        near: float | None = None,
        far: float | None = None,
        box: Sequence[float] | None = None,
        background: Sequence[float] = (1.0, 1.0, 1.0),
        n_samples: int = 128,
        n_fine: int = 0,
        view_directions: bool = False,
        cones: bool = False,
        occupancy: bool = True,
        silhouettes: bool = True,
        downscale: int = 1,
        premultiplied: bool | None = None,
    ) -> None:
        self._where: dict[str, Any] = checked_place(near, far, box) | {"silhouettes": silhouettes}
        self._how: dict[str, Any] = {
            "background": colour("background", background),
            "n_samples": positive_int("n_samples", n_samples),
            "n_fine": none_or_more("n_fine", n_fine),
            "view_directions": view_directions,
            "cones": cones,
        }
        if isinstance(source, Path | str):
            source = files.read_views(
                Path(source), downscale=downscale, premultiplied=premultiplied
            )
        self.views = source
        self.notes: tuple[str, ...] = source.notes
        self.takes_families: bool = not cones
        self._hold_out(source.held_out)
        self._learns, self._grid = occupancy, None

    def __repr__(self) -> str:
        judging = sum(self.held_out)
        height, width = self.scene.camera.size
        return (
            f"RadianceField({len(self.held_out)} views of {height} x {width}, {judging} held out, box of side "
            f"{self.scene.side:.3g})"
        )

    @property
    def in_dim(self) -> int:
        """Coordinates in space, and those of the direction."""
        return 6 if self.scene.view_directions else 3

    @property
    def n_outputs(self) -> int:
        """Density and colour."""
        return 4

    @property
    def n_trained(self) -> int:
        """Rays that are trained on."""
        return sum(int(np.prod(self.views.cameras[k].size)) for k in self._which(False))

    @property
    def judges(self) -> bool:
        """Whether there are views to judge by."""
        return any(self.held_out)

    @property
    def axis_counts(self) -> tuple[float, ...]:
        """How many pixels the box is wide, seen from where the cameras are in the mean."""
        middle = np.array(self.scene.low) + self.scene.side / 2
        wide = [
            self.scene.side * c.focal[0] / np.linalg.norm(np.array(c.pose)[:, 3] - middle)
            for c in self.views.cameras
        ]
        return (float(np.mean(wide)),) * 3 + ((1.0,) * 3 if self.scene.view_directions else ())

    @property
    def axis_factors(self) -> tuple[tuple[float, ...], ...]:
        """With view directions: bandwidths along them are a thirty-second of those in space."""
        return ((1.0,) * 3 + (_TURNS,) * 3,) if self.scene.view_directions else ((),)

    def training(self) -> tuple[Float[Tensor, "n 9"], Float[Tensor, "n 3"]]:
        """All rays of the views that are trained on, and their colours, float32."""
        return self._rows(self._which(False))

    def judged(self) -> tuple[Float[Tensor, "n 9"], Float[Tensor, "n 3"]]:
        """Those of the views that are held out."""
        return self._rows(self._which(True))

    def keep_out(self, share: float, *, seed: int = 0) -> "RadianceField":
        """Train on all views but this share of them, drawn at random; on all of them for 0.

        Raises:
            ValueError: The share is not from 0 to 0.9, or too few views are left.
        """
        n = len(self.held_out)
        count = 0 if share == 0 else max(1, round(share * n))
        if not 0 <= share <= 0.9 or n - count < 2:
            raise ValueError(
                f"`hold_out={share!r}` must be a share of the {n} views, from 0 to 0.9, that leaves two to train on."
            )
        order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))[:count].tolist()
        other = copy(self)
        other._hold_out(tuple(k in order for k in range(n)))
        return other

    def to_fit(self) -> "RadianceField":
        """Itself: views that the data set aside to judge by are never trained on unasked."""
        return self

    def predict(
        self, network: nn.Module, rows: Float[Tensor, "n 9"], generator: Generator | None = None
    ) -> Float[Tensor, "n 3"]:
        """Colours of rays.

        Args:
            network: Density and colour in the box.
            rows: Rays.
            generator: In training: source of the places of samples, one drawn in each piece of a ray. None to judge:
                the middle of each piece, and the network is asked wherever silhouettes do not say that nothing is.
        """
        grid = self._grid if generator is not None else None
        return self.seen(network, rows, generator, grid=grid).colour

    def seen(
        self,
        network: nn.Module,
        rows: Float[Tensor, "n 9"],
        generator: Generator | None = None,
        *,
        grid: OccupancyGrid | None = None,
    ) -> Seen:
        """Colour, depth and opacity of rays.

        Args:
            network: Density and colour in the box.
            rows: Rays.
            generator: Source of the places of samples; the middles of pieces if left out.
            grid: Where anything may be.
        """
        grid = None if grid is None else grid.to(rows.device)
        return march(network, self.scene, rows, generator, grid=grid)

    def check_network(self, network: nn.Module) -> None:
        """Cones ask for Fourier features in front, or for bare coordinates."""
        if self.scene.cones:
            on_cones(network, self.scene.view_directions)

    def for_training(self) -> "RadianceField":
        """The same with an occupancy grid of its own."""
        other = copy(self)
        if self._learns:
            known = unpacked(self.scene.possible) if self.scene.possible else None
            other._grid = OccupancyGrid(64 if known is None else len(known), possible=known)
        return other

    def learned(self) -> dict[str, Tensor]:
        """The occupancy grid."""
        return {} if self._grid is None else dict(self._grid.state_dict())

    def put_back(self, learned: dict[str, Tensor]) -> None:
        """Take up a grid."""
        if self._grid is not None:
            self._grid.load_state_dict(learned)

    @property
    def truth(self) -> Float[Tensor, "v h w 3"]:
        """Some of the views that are held out (or, where none is, trained on), in their order around the scene."""
        return torch.stack([self._colours(k).double() for k in self._shown()])

    def shown(self, network: nn.Module) -> Float[Tensor, "v h w 3"]:
        """The same views of a network."""
        cameras = [self.views.cameras[k] for k in self._shown()]
        return torch.stack([picture(network, self.scene, c, depth=False) for c in cameras])

    def baseline(self) -> Baseline | None:
        """None: what needs no network (blending of views) needs geometry."""

    def scores(
        self, shown: Float[Tensor, "v h w 3"], network: nn.Module | None = None
    ) -> dict[str, float]:
        """The structural similarity of the views that are shown; of pictures below 11 pixels there is none."""
        del network
        truth = self.truth
        if min(truth.shape[1:3]) < WINDOW:
            return {}
        return {"SSIM": ssim(shown.clamp(0, 1), truth)}

    def film(self, shown: Float[Tensor, "v h w 3"]) -> Float[Tensor, "v h w 3"]:
        """What is shown: the views that are held out."""
        return shown

    def figure(self, panels: Sequence[tuple[str, Float[Tensor, "v h w 3"]]]) -> "Figure":
        """Three views of each in a row, and the error of the last."""
        rows = [(title, torch.cat(list(v[:_IN_A_FIGURE]), 1)) for title, v in panels]
        return figures.pictures_figure(with_error(rows), keeps_ratio=True)

    def frequency(self, bandwidth: float) -> str:
        """In cycles per unit of the scene."""
        return f"{bandwidth / self.scene.side:.3g} cycles per unit of the scene"

    @classmethod
    def render(
        cls,
        network: nn.Module,
        domain: Domain,
        *,
        size: Sequence[int] | None = None,
        crop: Sequence[tuple[float, float]] | None = None,
        frames: int = 1,
        depth: bool = False,
        camera: Camera | None = None,
    ) -> Rendered:
        """A view `[h, w, 3]`, or the frames `[f, h, w, 3]` of a turntable; `[..., 1]` of depths.

        Args:
            network: Density and colour in the box.
            domain: Of the task that it was trained on.
            size: Height and width.
            crop: From where to where along each, in pixels of the data.
            frames: More than one for a turntable: a whole turn about the scene.
            depth: Whether to show depths, near white, in place of colours.
            camera: Where from; by default a held-out view, or the turntable.

        Raises:
            ValueError: The domain is that of another job.
        """
        scene = domain.scene
        if scene is None:
            raise ValueError(f"`domain` is of kind {domain.kind!r}: it has no scene.")
        plane = domain.resampled(size, crop)
        turns = range(positive_int("frames", frames))
        of = camera or scene.camera
        views = [of] if len(turns) == 1 else [scene.turned(k / frames, *of.size) for k in turns]
        scene = scene if len(turns) == 1 else scene.around()
        pictures = [picture(network, scene, cut(v, plane), depth=depth) for v in views]
        shape = plane.shape if frames == 1 else (frames, *plane.shape)
        values = pictures[0] if frames == 1 else torch.stack(pictures)
        return Rendered(values.numpy(), replace(plane, shape=shape, n_outputs=values.shape[-1]))

    @staticmethod
    def write(path: Path, rendered: Rendered) -> list[str]:
        """A picture, a film of a turntable, or an array."""
        values = rendered.values
        film = path.suffix.lower() in _FILMS
        if film:
            return files.write_video(
                path, values if values.ndim == 4 else values[None], step=_FRAME
            )
        if values.ndim == 4 and path.suffix.lower() != ".npy":
            notes = [f"the first of {len(values)} views: name a .gif or .mp4 for all"]
            return [*notes, *files.write_image(path, values[0])]
        return files.write_image(path, values)

    @classmethod
    def in_words(cls, domain: Domain) -> tuple[str, str]:
        """Of the scene's box."""
        return super().in_words(domain) if domain.scene is None else scene_in_words(domain.scene)

    def _hold_out(self, held_out: tuple[bool, ...]) -> None:
        """Set which views judge; their silhouettes are not looked at, so the box and its cells follow."""
        self.held_out = held_out
        scene = scene_of(replace(self.views, held_out=held_out), **self._where)
        self.scene: Scene = replace(scene, **self._how)
        self.domain: Domain = Domain(
            kind=self.kind,
            shape=self.scene.camera.size,
            n_outputs=3,
            units=("px", "px"),
            file_bytes=self.views.file_bytes,
            scene=self.scene,
        )

    def _which(self, held_out: bool) -> list[int]:
        return [k for k, out in enumerate(self.held_out) if out == held_out]

    def _colours(self, view: int) -> Float[Tensor, "h w 3"]:
        """A picture over the background."""
        image = torch.from_numpy(self.views.images[view])
        return image[..., :3] + (1 - image[..., 3:]) * torch.tensor(self.scene.background)

    def _rows(self, views: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Rays and colours of some views, one after the other."""
        if not views:
            return torch.empty(0, 9), torch.empty(0, 3)
        rays = torch.cat([self.scene.rays(self.views.cameras[k]).rows() for k in views])
        return rays, torch.cat([self._colours(k).reshape(-1, 3) for k in views])

    def _shown(self) -> list[int]:
        """Views of one size, spread evenly, in their order around the scene."""
        among = self._which(self.judges)
        size = self.views.cameras[among[0]].size
        among = [k for k in among if self.views.cameras[k].size == size]
        count = min(len(among), max(2, min(_SHOWN, _SHOWN_RAYS // (size[0] * size[1]))))
        picked = np.linspace(0, len(among) - 1, count).round().astype(int)
        return sorted((among[k] for k in picked), key=lambda k: self._turn(self.views.cameras[k]))

    def _turn(self, camera: Camera) -> float:
        """How far round a camera is."""
        axes = np.array(self.scene.turned(0, 1, 1).pose)
        away = np.array(camera.pose)[:, 3] - (np.array(self.scene.low) + self.scene.side / 2)
        return float(np.arctan2(away @ axes[:, 0], away @ axes[:, 2]))
