"""Trained networks as files of other programs: one writer a format."""

from ntkit.experiments.export.door import FORMATS, Format, suffix_of, write_export
from ntkit.experiments.export.exported_network import ExportedNetwork

__all__ = ["FORMATS", "ExportedNetwork", "Format", "suffix_of", "write_export"]
