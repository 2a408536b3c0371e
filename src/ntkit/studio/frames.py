"""The messages of the studio: a header in JSON, and arrays as they lie in memory.

    bytes 0..3      length `h` of the header, little-endian
    bytes 4..4+h    the header, JSON in UTF-8; "arrays" names each array with its dtype, shape and offset
    then            zeros up to a multiple of 8, and the arrays, each at its offset from there

Every offset is a multiple of 8, so that a page can look at an array where it lies, without a copy. The same bytes
go from a worker to the server and on to the page.
"""

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

import numpy as np

__all__ = ["MalformedFrame", "pack", "unpack"]

_ALIGNED = 8
"""Bytes that an array starts at a multiple of: browsers read float64 in place there."""

_DTYPES = {"uint8", "float32"}


class MalformedFrame(ValueError):
    """Bytes that are no frame."""


def pack(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray] | None = None) -> bytes:
    """A frame.

    Args:
        header: What JSON can hold; numbers that are not finite become null.
        arrays: By name, of 8-bit integers or float32.

    Raises:
        TypeError: An array is of another dtype.

    Example:
        >>> frame = pack({"id": 1}, {"a": np.zeros(3, np.float32)})
        >>> header, payload = unpack(frame)
        >>> header["arrays"], len(payload)
        ([{'name': 'a', 'dtype': 'float32', 'shape': [3], 'offset': 0}], 16)
    """
    offset, told, parts = 0, [], []
    for name, array in (arrays or {}).items():
        if array.dtype.name not in _DTYPES:
            raise TypeError(f"`arrays[{name!r}]` is of {array.dtype}, which no page is sent.")
        raw = array.tobytes()
        shape = list(array.shape)
        told.append({"name": name, "dtype": array.dtype.name, "shape": shape, "offset": offset})
        parts += [raw, bytes(-len(raw) % _ALIGNED)]
        offset += len(raw) + -len(raw) % _ALIGNED
    whole = {**header, "arrays": told}
    text = json.dumps(_finite(whole), ensure_ascii=False, separators=(",", ":")).encode()
    head = len(text).to_bytes(4, "little") + text
    return b"".join([head, bytes(-len(head) % _ALIGNED), *parts])


def unpack(frame: bytes | memoryview) -> tuple[dict[str, Any], memoryview]:
    """The header of a frame, and what follows it.

    Raises:
        MalformedFrame: These bytes are none.
    """
    view = memoryview(frame)
    length = int.from_bytes(view[:4], "little")
    if len(view) < 4 or length > len(view) - 4:
        raise MalformedFrame("A frame is shorter than it says.")
    try:
        header = json.loads(bytes(view[4 : 4 + length]))
    except (ValueError, RecursionError):
        raise MalformedFrame("The header of a frame is no JSON.") from None
    if not isinstance(header, dict):
        raise MalformedFrame("The header of a frame is no object.")
    start = 4 + length
    return header, view[start + -start % _ALIGNED :]


def _finite(value: Any) -> Any:
    """The same without infinities and NaN, which JSON does not know."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value
