"""A cluster of two processes of one thread each, as others are tested on."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def cluster() -> Iterator[object]:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", memory_limit=0
    ) as made:
        yield made


@pytest.fixture
def client(cluster: object) -> Iterator[object]:
    distributed = pytest.importorskip("distributed")
    from tests.scale.workers import two_workers

    with distributed.Client(cluster) as made:
        two_workers(made)
        yield made
