"""One thread, hypothesis without clocks or chance, a way round the run-time type checker, and the extras."""

from collections.abc import Generator
from importlib.util import find_spec

import jaxtyping
import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)
settings.register_profile("ntkit", derandomize=True, deadline=None, max_examples=20, database=None)
settings.load_profile("ntkit")

EXTRAS = (
    "scipy",
    "safetensors",
    "matplotlib",
    "sklearn",
    "gpytorch",
    "numba",
    "tqdm",
    "trimesh",
    "igl",
    "skimage",
    "finufft",
)
"""Packages of which a single row of a table may be the only one that needs them."""


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Switch the run-time type checker off, to meet the library's own checks of types."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """A test that asks for an extra which is not there is skipped: most rows of its table need none."""
    try:
        return (yield)
    except ImportError as error:
        missing = [name for name in EXTRAS if name in str(error) and find_spec(name) is None]
        if not missing:
            raise
        pytest.skip(f"needs {missing[0]}")
