"""What is exported: a trained network, and what its numbers stand for."""

import json
from dataclasses import dataclass
from importlib.metadata import version

from torch import nn

from ntkit.tasks import JOBS, Budget, Domain, Image

__all__ = ["ExportedNetwork"]


@dataclass(frozen=True, eq=False)
class ExportedNetwork:
    """A network of a run.

    Attributes:
        network: Coordinates `[n, in_dim]` to values `[n, o]`, float32, on the CPU.
        in_dim: Coordinates.
        out_dim: Outputs.
        domain: What coordinates and values stand for.
        budget: How it was trained.
    """

    network: nn.Module
    in_dim: int
    out_dim: int
    domain: Domain
    budget: Budget

    def meaning(self) -> dict[str, str]:
        """What goes in and what comes out, in words, for the metadata of a file; `domain` is JSON.

        With `domain` a reader finds the coordinates of any sample, and the numbers of the data from values.
        """
        coordinates, values = JOBS.get(self.domain.kind, Image).in_words(self.domain)
        return {
            "ntkit_version": version("ntkit"),
            "kind": self.domain.kind,
            "coordinates": f"[n, {self.in_dim}], float32. {coordinates}",
            "values": f"[n, {self.out_dim}], float32. {values}",
            "domain": json.dumps(self.domain.to_dict()),
        }
