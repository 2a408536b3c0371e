"""Tasks: a field, what of it is trained on, and the training itself; one job a file."""

from ntkit.tasks.audio import Audio
from ntkit.tasks.base import AbstractTask, Baseline
from ntkit.tasks.budget import Budget, Evaluation
from ntkit.tasks.domain import Domain, Rendered
from ntkit.tasks.error_map import ErrorMap, error_map, spread
from ntkit.tasks.image import Image
from ntkit.tasks.jobs import JOBS, AbstractJob, job
from ntkit.tasks.measured import Measured
from ntkit.tasks.metrics import PSNR, SNR, AbstractMetric, IntersectionOverUnion, psnr, psnr_between
from ntkit.tasks.points import Points
from ntkit.tasks.radiance_field import RadianceField
from ntkit.tasks.samples import AbstractSamples
from ntkit.tasks.shape import Shape
from ntkit.tasks.signal import Signal
from ntkit.tasks.total_variation import total_variation
from ntkit.tasks.toys import circles, lifted
from ntkit.tasks.trainer import Trainer
from ntkit.tasks.training import train
from ntkit.tasks.video import Video
from ntkit.tasks.volume import Volume

__all__ = [
    "JOBS",
    "PSNR",
    "SNR",
    "AbstractJob",
    "AbstractMetric",
    "AbstractSamples",
    "AbstractTask",
    "Audio",
    "Baseline",
    "Budget",
    "Domain",
    "ErrorMap",
    "Evaluation",
    "Image",
    "IntersectionOverUnion",
    "Measured",
    "Points",
    "RadianceField",
    "Rendered",
    "Shape",
    "Signal",
    "Trainer",
    "Video",
    "Volume",
    "circles",
    "error_map",
    "job",
    "lifted",
    "psnr",
    "psnr_between",
    "spread",
    "total_variation",
    "train",
]
