"""tiny-cuda-nn's dictionaries of encodings, read and written."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from ntkit._core.checks import positive_int
from ntkit.encodings.base import AbstractEncoding
from ntkit.encodings.centred import Centred
from ntkit.encodings.composite import Composite
from ntkit.encodings.hash_grid import HashGrid
from ntkit.encodings.identity import Identity
from ntkit.encodings.nerf import NeRF
from ntkit.encodings.one_blob import OneBlob
from ntkit.encodings.spherical_harmonics import SphericalHarmonics
from ntkit.encodings.triangle_wave import TriangleWave

__all__ = ["from_config", "to_config"]

_PLACE = ("otype", "n_dims_to_encode", "dims_to_encode_begin")  # of any part of a Composite
_THEIR_DEGREES, _THEIR_LEVELS, _THEIR_FEATURES = 8, 128, (1, 2, 4, 8)
"""What the code of tiny-cuda-nn is compiled for: degrees of spherical harmonics, levels of a grid, features of a level."""

Config = Mapping[str, Any]


def from_config(
    config: Config, in_dim: int, *, generator: torch.Generator | None = None
) -> AbstractEncoding:
    """The encoding that a dictionary of tiny-cuda-nn describes; fields left out have its defaults.

    | otype | here | unit |
    |---|---|---|
    | Identity | `Identity`; `Centred` for scale 2 and offset -1 | |
    | Frequency | `NeRF` | `sin(2^k pi x)`: `2^k / 2` cycles per unit, `k = 0..n_frequencies-1` |
    | TriangleWave | `TriangleWave` | `2^k / 2` cycles per unit, shifted by `k / 4` of one |
    | OneBlob | `OneBlob` | bins of `1 / n_bins` of a unit |
    | SphericalHarmonics | `SphericalHarmonics` | `degree` is `max_degree + 1`; points are `(v + 1) / 2` |
    | Grid (Hash), HashGrid | `HashGrid` | level `k`: `base_resolution per_level_scale^k - 1` cells a unit |
    | Composite | `Composite` | parts one after the other, each of the next coordinates |

    The features are the same functions, with three differences: `NeRF` has all cosines before all sines
    where Frequency has sine and cosine of each in turn; a vector that is not of length 1 is
    divided by its length in `SphericalHarmonics`; and the tables of `HashGrid` start afresh and have
    another layout. Padding to a multiple of 16 features is left to tiny-cuda-nn.

    Args:
        config: With "otype", in any case, and its options.
        in_dim: Number of coordinates.
        generator: Source of the first entries of grids.

    Raises:
        TypeError: `config` or a part of it is no dictionary.
        ValueError: An otype, a field or a value has no counterpart here; it is named.

    Source: tiny-cuda-nn's DOCUMENTATION.md and headers, as of April 2026.

    Example:
        >>> from_config({"otype": "Frequency", "n_frequencies": 10}, 3)
        NeRF(in_dim=3, out_dim=60)
    """
    d = positive_int("in_dim", in_dim)
    if not isinstance(config, Mapping):
        raise TypeError(
            f'`config` must be a dictionary with an "otype", got {type(config).__name__}. '
            "For a file: `json.load`."
        )
    otype = config.get("otype")
    reader = _READERS.get(str(otype).lower())
    if reader is None:
        known = ", ".join(["Composite", "Frequency", "Grid", "HashGrid", "Identity", "OneBlob"])
        raise ValueError(
            f'`config["otype"]={otype!r}` has no counterpart here. Known are {known}, '
            "SphericalHarmonics and TriangleWave."
        )
    return reader(config, d, generator)


def to_config(encoding: AbstractEncoding) -> dict[str, Any]:
    """tiny-cuda-nn's dictionary of an encoding, for those that both have; see `from_config`.

    Sizes and options, not what was learned: a `HashGrid` is read back with new tables.

    Raises:
        ValueError: The encoding, or an option of it, has no counterpart there.

    Example:
        >>> to_config(NeRF(3, 10))
        {'otype': 'Frequency', 'n_frequencies': 10}
    """
    writer = _WRITERS.get(type(encoding))
    if writer is None:
        raise ValueError(
            f"`{type(encoding).__name__}` has no counterpart in tiny-cuda-nn. It has Identity, Centred, NeRF, "
            "TriangleWave, OneBlob, SphericalHarmonics, HashGrid and Composite of these."
        )
    return writer(encoding)


def _options(config: Config, **defaults: Any) -> dict[str, Any]:
    """The values of the fields that are read, in the order of `defaults`.

    Raises:
        ValueError: There are other fields.
    """
    others = [name for name in config if name not in defaults and name not in _PLACE]
    if others:
        raise ValueError(
            f"`config[{others[0]!r}]` of otype {config['otype']!r} has no counterpart here. Fields that are "
            f"read: {', '.join(defaults) or 'none'}."
        )
    return {name: config.get(name, value) for name, value in defaults.items()}


def _only(config: Config, name: str, allowed: Any) -> None:
    """Refuse a field that is there with a value other than `allowed`, whatever the case of letters.

    Raises:
        ValueError: It is.
    """
    value = config.get(name, allowed)
    if str(value).lower() != str(allowed).lower():
        raise ValueError(
            f"`config[{name!r}]={value!r}` of otype {config['otype']!r} has no counterpart here: only "
            f"{allowed!r} has."
        )


def _without(config: Config, **only: Any) -> Config:
    """The dictionary less fields that may have one value alone."""
    for name, allowed in only.items():
        _only(config, name, allowed)
    return {name: value for name, value in config.items() if name not in only}


def _identity(config: Config, d: int, generator: torch.Generator | None) -> AbstractEncoding:
    options = _options(config, scale=1.0, offset=0.0)
    if tuple(options.values()) == (2, -1):
        return Centred(d)
    if tuple(options.values()) != (1, 0):
        name = "scale" if options["scale"] != 1 else "offset"
        raise ValueError(
            f"`config[{name!r}]={options[name]!r}` of otype 'Identity' has no counterpart here: scale and "
            "shift the points themselves."
        )
    return Identity(d)


def _nerf(config: Config, d: int, generator: torch.Generator | None) -> NeRF:
    return NeRF(
        d, positive_int("n_frequencies", _options(config, n_frequencies=12)["n_frequencies"])
    )


def _triangle(config: Config, d: int, generator: torch.Generator | None) -> TriangleWave:
    return TriangleWave(d, **_options(config, n_frequencies=12))


def _blob(config: Config, d: int, generator: torch.Generator | None) -> OneBlob:
    return OneBlob(d, **_options(config, n_bins=16))


def _sphere(config: Config, d: int, generator: torch.Generator | None) -> SphericalHarmonics:
    if d != 3:
        raise ValueError(f"`in_dim={d}` of otype 'SphericalHarmonics' must be 3: directions.")
    degree = positive_int("degree", _options(config, degree=4)["degree"])
    return SphericalHarmonics(degree - 1, condon_shortley=True, in_unit_cube=True)


def _grid(config: Config, d: int, generator: torch.Generator | None) -> HashGrid:
    fields = _without(
        config,
        type="Hash",
        hash="CoherentPrime",
        stochastic_interpolation=False,
        fixed_point_pos=False,
    )
    options = _options(
        fields,
        n_levels=16,
        n_features_per_level=2,
        log2_hashmap_size=19,
        base_resolution=16,
        per_level_scale=2.0,
        interpolation="Linear",
    )
    kind = str(options["interpolation"])
    if kind.lower() not in {"linear", "smoothstep"}:
        raise ValueError(
            f'`config[\'interpolation\']={kind!r}` has no counterpart here: "Linear" and "Smoothstep" have.'
        )
    options["interpolation"] = kind.lower()
    return HashGrid(d, **options, generator=generator)


def _composite(config: Config, d: int, generator: torch.Generator | None) -> Composite:
    nested = _options(_without(config, reduction="Concatenation"), nested=None)["nested"]
    if not isinstance(nested, list | tuple) or not nested:
        raise ValueError(
            f"`config['nested']={nested!r}` must be a list of at least one dictionary."
        )
    for k, part in enumerate(nested):
        if not isinstance(part, Mapping):
            raise TypeError(f"`config['nested'][{k}]={part!r}` must be a dictionary.")
    open_ended = [part for part in nested if "n_dims_to_encode" not in part]
    left = d - sum(part.get("n_dims_to_encode", 0) for part in nested)
    if len(open_ended) > 1 or left < 0 or (left > 0) != bool(open_ended):
        raise ValueError(
            f"`config['nested']` must share out the {d} coordinates: their \"n_dims_to_encode\" leave "
            f"{left} for {len(open_ended)} parts without one. Give all but one a number."
        )
    parts, begin = [], 0
    for part in nested:
        if part.get("dims_to_encode_begin", begin) != begin:
            raise ValueError(
                f"`config['dims_to_encode_begin']={part['dims_to_encode_begin']}` must be {begin} here: "
                "parts take the coordinates in order. Reorder the columns of the points."
            )
        size = part.get("n_dims_to_encode", left)
        parts.append(from_config(part, size, generator=generator))
        begin += size
    return Composite(*parts)


_READERS: dict[str, Callable[[Config, int, torch.Generator | None], AbstractEncoding]] = {
    "composite": _composite,
    "frequency": _nerf,
    "grid": _grid,
    "hashgrid": _grid,
    "identity": _identity,
    "oneblob": _blob,
    "sphericalharmonics": _sphere,
    "trianglewave": _triangle,
}


def _need(holds: bool, encoding: AbstractEncoding, why: str) -> None:
    """Refuse an option that tiny-cuda-nn does not have.

    Raises:
        ValueError: It does not.
    """
    if not holds:
        raise ValueError(f"`{encoding!r}` has no counterpart in tiny-cuda-nn, {why}.")


def _write_nerf(e: NeRF) -> dict[str, Any]:
    _need(not e.include_input, e, "whose Frequency leaves the raw coordinates out")
    return {"otype": "Frequency", "n_frequencies": len(e.frequencies) // e.in_dim}


def _write_blob(e: OneBlob) -> dict[str, Any]:
    _need(e.n_bins & (e.n_bins - 1) == 0, e, "whose bins are a power of 2")
    return {"otype": "OneBlob", "n_bins": e.n_bins}


def _write_sphere(e: SphericalHarmonics) -> dict[str, Any]:
    is_theirs = e.condon_shortley and e.in_unit_cube
    _need(is_theirs, e, "which has `condon_shortley=True, in_unit_cube=True` only")
    _need(e.max_degree < _THEIR_DEGREES, e, f"which ends at `max_degree={_THEIR_DEGREES - 1}`")
    return {"otype": "SphericalHarmonics", "degree": e.max_degree + 1}


def _write_grid(e: HashGrid) -> dict[str, Any]:
    _need(e.n_features_per_level in _THEIR_FEATURES, e, "which has 1, 2, 4 or 8 features a level")
    _need(e.n_levels <= _THEIR_LEVELS, e, f"which has {_THEIR_LEVELS} levels at most")
    _need(e.in_dim > 1, e, "whose hash grids have 2 to 4 coordinates")
    return {
        "otype": "HashGrid",
        "n_levels": e.n_levels,
        "n_features_per_level": e.n_features_per_level,
        "log2_hashmap_size": e.log2_hashmap_size,
        "base_resolution": e.base_resolution,
        "per_level_scale": e.per_level_scale,
        "interpolation": e.interpolation.capitalize(),
    }


def _write_composite(e: Composite) -> dict[str, Any]:
    parts = [{"n_dims_to_encode": part.in_dim, **to_config(part)} for part in e.encodings]
    return {"otype": "Composite", "nested": parts}


_WRITERS: dict[type[AbstractEncoding], Callable[[Any], dict[str, Any]]] = {
    Centred: lambda e: {"otype": "Identity", "scale": 2.0, "offset": -1.0},
    Composite: _write_composite,
    HashGrid: _write_grid,
    Identity: lambda e: {"otype": "Identity"},
    NeRF: _write_nerf,
    OneBlob: _write_blob,
    SphericalHarmonics: _write_sphere,
    TriangleWave: lambda e: {"otype": "TriangleWave", "n_frequencies": len(e.frequencies)},
}
