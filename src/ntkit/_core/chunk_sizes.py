"""How much is computed at a time: what a core's cache holds, or what keeps a GPU busy; in one place.

On a processor, tables that leave the cache cost more than the arithmetic on them. On a GPU it is the other way round: each
operation costs some ten microseconds before it begins, in which an H200 moves 50 MB (4.8 TB/s, which is also the size
of its second cache), so a table should be larger than that. A square of 4,096 x 4,096 numbers in float32 is 64 MiB. The
sizes for a GPU are arithmetic: they have not been measured on one.
"""

from dataclasses import dataclass

import torch

from ntkit._core.memory import free_memory

__all__ = [
    "ALONE",
    "CLOSE_PAIRS",
    "LAGS",
    "NETWORK_ROWS",
    "OPERATOR_TILE",
    "TILE_TABLES",
    "ChunkSize",
]

_SHARE = 16
"""Of a GPU's free memory that a chunk may take at most: what is made on the way has several times its size."""


@dataclass(frozen=True)
class ChunkSize:
    """A size on either kind of device, in bytes or in entries of float64.

    Attributes:
        processor: In the memory of the machine.
        card: On any other device, if that has it free.
        entry_bytes: Bytes of one unit of it.
    """

    processor: int
    card: int
    entry_bytes: int = 1

    def on(self, device: torch.device) -> int:
        """The size there.

        Example:
            >>> ChunkSize(2**10, 2**20).on(torch.device("cpu"))
            1024
        """
        if device.type == "cpu":
            return self.processor
        free = free_memory(device)
        most = self.card if free is None else free // (_SHARE * self.entry_bytes)
        return max(self.processor, min(self.card, most))


TILE_TABLES = ChunkSize(2**25, 2**28)
"""Bytes of all tables of a tile of an infinite-width kernel. Of a processor: more leaves the caches; less makes threads
wait for the interpreter."""

OPERATOR_TILE = ChunkSize(2**23, 2**30)
"""Bytes of a tile of an operator that is never stored. A processor's allocator gives larger ones back to the system each
time, and fresh pages cost more than what is computed on them: of `RBF` in 20 dimensions a pair took 12 ns with 8 MiB, and
43 ns with 64 (measured). A call of a kernel takes a millisecond or two of the interpreter, in which a GPU does 10^7 to 10^8
entries."""

ALONE = ChunkSize(2**18, 2**23, 8)
"""Entries of the tables while points meet themselves."""

CLOSE_PAIRS = ChunkSize(2**15, 2**22, 8)
"""Close pairs that are computed again at a time."""

LAGS = ChunkSize(2**15, 2**24, 8)
"""Lags of a grid whose tables are walked over together."""

NETWORK_ROWS = ChunkSize(2**13, 2**18, 4096)
"""Points that pass through a trained network at once. Of a processor: 16 MB of 512 features in float32, which the allocator
keeps; larger tables come page by page each time, and a pass took 1.6 to 2.5 times as long (measured)."""
