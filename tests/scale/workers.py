"""Workers of a cluster that is tested, whether or not Dask's nannies bring killed ones back."""

from typing import Any

import pytest

pytest.importorskip("distributed")

from distributed import Client

__all__ = ["two_workers"]


def two_workers(client: Client) -> None:
    """Wait for two; where a nanny gives one up, which happens, ask for another."""
    for _ in range(5):
        try:
            client.wait_for_workers(2, timeout=25)
        except TimeoutError:
            cluster: Any = client.cluster
            cluster.scale(len(cluster.workers) + 1)
        else:
            return
    raise TimeoutError("There are no two workers.")
