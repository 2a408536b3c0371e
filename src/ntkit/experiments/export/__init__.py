"""Trained networks as files of other programs: one writer a format."""

from ntkit.experiments.export.exported_network import ExportedNetwork
from ntkit.experiments.export.write import FORMATS, Format, suffix_of, write_export

__all__ = ["FORMATS", "ExportedNetwork", "Format", "suffix_of", "write_export"]
