"""Frames: what is packed is what is unpacked, and other bytes are refused."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntkit.studio.frames import MalformedFrame, pack, unpack
from tests.studio.client import arrays_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
SHAPES = st.lists(st.integers(0, 5), min_size=1, max_size=3)


@given(st.dictionaries(st.text(max_size=8).filter(lambda k: k != "arrays"), JSON, max_size=4))
def test_headers_come_back(header: dict) -> None:
    found, payload = unpack(pack(header))
    assert found == {**header, "arrays": []}
    assert len(payload) == 0


@given(st.lists(st.tuples(SHAPES, st.sampled_from(["uint8", "float32"])), max_size=4))
def test_arrays_come_back_each_at_a_multiple_of_eight(kinds: list) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        f"array {i}": rng.integers(0, 255, shape).astype(dtype)
        for i, (shape, dtype) in enumerate(kinds)
    }
    frame = pack({"id": 7}, arrays)
    header, payload = unpack(frame)
    assert (len(frame) - len(payload)) % 8 == 0
    assert all(told["offset"] % 8 == 0 for told in header["arrays"])
    found = arrays_of(header, payload)
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_what_is_not_finite_becomes_null() -> None:
    told = {"a": float("inf"), "b": [float("nan"), 1.5], "c": (2.0, -float("inf"))}
    assert unpack(pack(told))[0] == {"a": None, "b": [None, 1.5], "c": [2.0, None], "arrays": []}


@pytest.mark.parametrize("dtype", ["float64", "int64", "object"])
def test_other_numbers_are_refused(dtype: str) -> None:
    with pytest.raises(TypeError, match="no page is sent"):
        pack({}, {"a": np.zeros(2, dtype)})


def headed(text: bytes) -> bytes:
    return len(text).to_bytes(4, "little") + text


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (b"", "shorter"),
        (b"\1\0", "shorter"),
        (b"\xff\xff\xff\xff{}", "shorter"),
        (headed(b"{"), "no JSON"),
        (headed(b"\xff\xfe"), "no JSON"),
        (headed(b"[" * 100_000), "no JSON"),
        (headed(json.dumps([1]).encode()), "no object"),
    ],
)
def test_malformed_frames_are_refused(frame: bytes, message: str) -> None:
    with pytest.raises(MalformedFrame, match=message):
        unpack(frame)
