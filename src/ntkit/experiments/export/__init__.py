"""Trained networks as files of other programs: one writer a format."""

from ntkit.experiments.export.door import FORMATS, Format, suffix_of, write_export
from ntkit.experiments.export.subject import Subject

__all__ = ["FORMATS", "Format", "Subject", "suffix_of", "write_export"]
