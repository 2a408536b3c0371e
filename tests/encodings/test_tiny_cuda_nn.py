"""tiny-cuda-nn's dictionaries: read, written, read again; features by its own formulas."""

from math import pi

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from ntkit import encodings
from ntkit.encodings import from_config, to_config
from tests.cases import randn, seeded
from tests.tolerances import assert_near

GRID = {
    "otype": "HashGrid",
    "n_levels": 3,
    "n_features_per_level": 2,
    "log2_hashmap_size": 6,
    "base_resolution": 4,
    "per_level_scale": 1.5,
    "interpolation": "Smoothstep",
}
CONFIGS = [
    {"otype": "Identity"},
    {"otype": "Identity", "scale": 2.0, "offset": -1.0},
    {"otype": "Frequency", "n_frequencies": 5},
    {"otype": "TriangleWave", "n_frequencies": 5},
    {"otype": "OneBlob", "n_bins": 8},
    {"otype": "SphericalHarmonics", "degree": 4},
    GRID,
    {
        "otype": "Composite",
        "nested": [
            {"n_dims_to_encode": 1, "otype": "TriangleWave", "n_frequencies": 3},
            {"n_dims_to_encode": 2, "otype": "OneBlob", "n_bins": 4},
        ],
    },
]


def points(n: int = 6, d: int = 3) -> Tensor:
    return torch.rand(n, d, generator=seeded(2), dtype=torch.float64)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c["otype"])
def test_written_and_read_again_it_is_the_same_function(config: dict) -> None:
    first = from_config(config, 3, generator=seeded())
    assert to_config(first) == config
    again = from_config(to_config(first), 3, generator=seeded())
    assert torch.equal(again(points()), first(points()))


def test_frequency_is_octaves_of_half_cycles() -> None:
    """`sin(2^k pi x)`, and the cosine."""
    x = points(4, 2)
    found = from_config({"otype": "Frequency", "n_frequencies": 3}, 2)(x)
    angle = torch.cat([2**k * pi * x for k in range(3)], 1)
    assert_near(found, torch.cat([angle.cos(), angle.sin()], 1), loosen=10)


def test_triangle_waves_are_shifted_by_quarters() -> None:
    """`4 |v - floor(v) - 1/2| - 1`, `v = 2^(k-1) x + k / 4`."""
    x = points(4, 2)
    found = from_config({"otype": "trianglewave", "n_frequencies": 3}, 2)(x)
    v = torch.stack([2.0 ** (k - 1) * x + k / 4 for k in range(3)], -1)
    assert_near(found, (4 * (v - v.floor() - 0.5).abs() - 1).flatten(1))


def test_spherical_harmonics_take_the_unit_cube_and_the_phase() -> None:
    """Degree 2 there is `l < 2`: a constant and `-y, z, -x` times `sqrt(3 / 4 pi)`."""
    v = normalize(randn(5, 3), dim=1)
    found = from_config({"otype": "SphericalHarmonics", "degree": 2}, 3)((v + 1) / 2)
    sizes = torch.tensor([-1.0, 1.0, -1.0], dtype=torch.float64) * (3 / (4 * pi)) ** 0.5
    assert_near(found[:, 1:], v[:, [1, 2, 0]] * sizes, loosen=10)


def test_fields_left_out_have_their_defaults() -> None:
    assert from_config({"otype": "Frequency"}, 2).out_dim == 2 * 12 * 2
    assert from_config({"otype": "OneBlob"}, 2).out_dim == 2 * 16
    assert from_config({"otype": "SphericalHarmonics"}, 3).out_dim == 16
    grid = from_config({"otype": "Grid", "type": "Hash", "log2_hashmap_size": 4}, 2)
    assert isinstance(grid, encodings.HashGrid)
    assert (grid.n_levels, grid.n_vertices[0], grid.n_vertices[1]) == (16, 17, 33)
    assert grid.interpolation == "linear"


def test_the_last_part_takes_what_is_left() -> None:
    nested = [{"otype": "OneBlob", "n_bins": 4, "n_dims_to_encode": 2}, {"otype": "Identity"}]
    found = from_config({"otype": "Composite", "nested": nested}, 5)
    assert isinstance(found, encodings.Composite)
    assert [part.in_dim for part in found.encodings] == [2, 3]


def nested(*sizes: int | None) -> dict:
    parts = [{"otype": "Identity"} | ({"n_dims_to_encode": n} if n else {}) for n in sizes]
    return {"otype": "Composite", "nested": parts}


@pytest.mark.parametrize(
    ("config", "d", "match"),
    [
        ({}, 2, r"`config\[\"otype\"\]=None` has no counterpart"),
        ({"otype": "NRC"}, 2, r"`config\[\"otype\"\]='NRC'` has no counterpart here\. Known are"),
        ({"otype": "Frequency", "base": 3}, 2, r"`config\['base'\]` of otype 'Frequency'"),
        ({"otype": "Frequency", "n_frequencies": 0}, 2, r"`n_frequencies=0` must be at least 1"),
        ({"otype": "Identity", "scale": 2.0}, 2, r"`config\['scale'\]=2.0` of otype 'Identity'"),
        ({"otype": "Identity", "offset": 1.0}, 2, r"`config\['offset'\]=1.0` of otype 'Identity'"),
        ({"otype": "SphericalHarmonics"}, 2, r"`in_dim=2` of otype 'SphericalHarmonics' must be 3"),
        ({"otype": "Grid", "type": "Tiled"}, 2, r"`config\['type'\]='Tiled'` of otype 'Grid'"),
        (
            {"otype": "Grid", "hash": "Rng"},
            2,
            r"`config\['hash'\]='Rng'` .* only 'CoherentPrime' has",
        ),
        (
            {"otype": "Grid", "interpolation": "Nearest"},
            2,
            r"`config\['interpolation'\]='Nearest'`",
        ),
        ({"otype": "Grid", "n_features": 8}, 2, r"`config\['n_features'\]` of otype 'Grid'"),
        (nested(1, 2), 4, r"must share out the 4 coordinates: .* leave 1 for 0 parts"),
        (nested(None, None), 4, r"leave 4 for 2 parts"),
        (nested(4, None), 4, r"leave 0 for 1 parts"),
        (nested(), 4, r"`config\['nested'\]=\[\]` must be a list"),
        (nested(1, 3) | {"reduction": "Sum"}, 4, r"`config\['reduction'\]='Sum'`"),
    ],
    ids=str,
)
def test_what_is_not_read(config: dict, d: int, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        from_config(config, d)


def test_parts_that_overlap_are_not_read() -> None:
    config = nested(2, 2)
    config["nested"][1]["dims_to_encode_begin"] = 1
    with pytest.raises(ValueError, match=r"`config\['dims_to_encode_begin'\]=1` must be 2 here"):
        from_config(config, 4)


def test_what_is_no_dictionary(unchecked: None) -> None:
    with pytest.raises(TypeError, match=r"`config` must be a dictionary .* got str"):
        from_config("Frequency", 2)
    with pytest.raises(
        TypeError, match=r"`config\['nested'\]\[0\]='Identity'` must be a dictionary"
    ):
        from_config({"otype": "Composite", "nested": ["Identity"]}, 2)


@pytest.mark.parametrize(
    ("encoding", "match"),
    [
        (encodings.Basic(2), r"`Basic` has no counterpart in tiny-cuda-nn\. It has"),
        (encodings.NeRF(2, 3, include_input=True), "Frequency leaves the raw coordinates out"),
        (encodings.OneBlob(2, 6), "bins are a power of 2"),
        (encodings.SphericalHarmonics(3), "condon_shortley=True, in_unit_cube=True` only"),
        (
            encodings.SphericalHarmonics(8, condon_shortley=True, in_unit_cube=True),
            "ends at `max_degree=7`",
        ),
        (encodings.HashGrid(1, 2, log2_hashmap_size=4), "have 2 to 4 coordinates"),
        (encodings.HashGrid(2, 2, 3, log2_hashmap_size=4), "1, 2, 4 or 8 features a level"),
        (encodings.HashGrid(2, 129, 1, 2, per_level_scale=1.0), "has 128 levels at most"),
        (encodings.Composite(encodings.Basic(1)), "`Basic` has no counterpart"),
    ],
    ids=lambda v: v if isinstance(v, str) else type(v).__name__,
)
def test_what_is_not_written(encoding: encodings.AbstractEncoding, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        to_config(encoding)
