"""The jobs that there are, by the name that the command line gives them."""

from ntkit.tasks.audio import Audio
from ntkit.tasks.field import AbstractField
from ntkit.tasks.image import Image
from ntkit.tasks.points import Points
from ntkit.tasks.video import Video
from ntkit.tasks.volume import Volume

__all__ = ["JOBS", "Job"]

Job = type[AbstractField] | type[Points]

JOBS: dict[str, Job] = {job.kind: job for job in (Image, Audio, Volume, Video, Points)}
