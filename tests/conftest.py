"""One thread, hypothesis without clocks or chance, and a way round the run-time type checker."""

import jaxtyping
import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)
settings.register_profile("ntkit", derandomize=True, deadline=None, max_examples=20, database=None)
settings.load_profile("ntkit")


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Switch the run-time type checker off, to meet the library's own checks of types."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
