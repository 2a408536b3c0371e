"""`import ntkit` loads no extra, prints nothing and changes no global state of torch."""

import subprocess
import sys

import pytest

EXTRAS = [
    "matplotlib",
    "PIL",
    "tyro",
    "skimage",
    "scipy",
    "safetensors",
    "jinja2",
    "rich",
    "sklearn",
    "gpytorch",
    "deepinv",
    "soundfile",
    "nibabel",
    "pydicom",
    "av",
    "tifffile",
    "finufft",
    "h5py",
    "dask",
    "distributed",
    "zarr",
]

PROBE = f"""
import sys, torch
before = (torch.get_default_dtype(), torch.get_num_threads(), torch.initial_seed())
import ntkit
assert before == (torch.get_default_dtype(), torch.get_num_threads(), torch.initial_seed())
print([name for name in {EXTRAS} if name in sys.modules])
"""


def test_import_loads_no_extra_and_is_silent() -> None:
    run = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, timeout=120
    )
    assert run.stdout.strip() == "[]"
    assert run.stderr == ""


def test_every_public_name_resolves() -> None:
    import ntkit

    assert sorted(ntkit.__all__) == ntkit.__all__
    needs_app = {"load"}
    assert all(hasattr(ntkit, name) for name in set(ntkit.__all__) - needs_app)
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        _ = ntkit.lode


def test_names_of_the_extra_resolve_where_it_is() -> None:
    for package in ("PIL", "matplotlib", "safetensors", "jinja2", "filelock"):
        pytest.importorskip(package)
    import ntkit

    assert callable(ntkit.load)
