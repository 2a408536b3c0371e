"""Work on a Dask cluster: the same results, also where workers die; others and lost ones are named."""

import copy
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("distributed")
pytest.importorskip("zarr")

from distributed import Client, LocalCluster

import ntkit
from ntkit._core.executor import Executor
from ntkit.kernels import RBF, FeatureStore, Sketch, gram, missing_chunks, write_gram
from ntkit.operators import TiledOperator
from ntkit.scale import DaskExecutor, Threads
from ntkit.solvers import (
    BlockDescent,
    ConjugateGradients,
    InducingPoints,
    PivotedCholesky,
    kernel_ridge,
    solve,
)
from tests.scale.workers import two_workers
from tests.tolerances import assert_near

pytestmark = [
    pytest.mark.slow,
    # Dask's own: sockets of killed workers, and the points that it finds large
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:Sending large graph:UserWarning"),
]

X = torch.rand(400, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
Y = X.sin()
NET = ntkit.networks.mlp(
    ntkit.encodings.Basic(3), 1, width=32, depth=2, generator=torch.Generator().manual_seed(1)
)


def tiled(client: Client, kernel: Callable[..., Any]) -> TiledOperator:
    """Some two hundred tiles."""
    return TiledOperator(kernel, X, X, tile_bytes=8 * 30**2, executor=DaskExecutor(client))


class SlowRBF(RBF):
    """Time enough for a worker to die in the middle of a product."""

    def __call__(self, x1: torch.Tensor, x2: torch.Tensor | None = None) -> torch.Tensor:
        time.sleep(0.006)
        return super().__call__(x1, x2)


def test_products_solutions_and_flows_are_those_of_one_machine(client: Client) -> None:
    executor = DaskExecutor(client)
    assert isinstance(executor, Executor)
    double = copy.deepcopy(NET).double()
    for kernel in (ntkit.ntk(NET), RBF(0.3), ntkit.empirical_ntk(double)):
        kernel(X[:3])  # what a kernel remembers of a call does not travel
        assert_near(gram(kernel, X, executor=executor) @ Y, kernel(X) @ Y, loosen=10)
    assert_near(tiled(client, RBF(0.3)) @ Y, RBF(0.3)(X) @ Y)
    kernel = ntkit.ntk(NET)
    op = gram(kernel, X, executor=executor)
    method = ConjugateGradients(PivotedCholesky(50))
    found = solve(op, Y, ridge=1.0, method=method)
    assert found.converged
    assert_near(found.x, solve(gram(kernel, X), Y, ridge=1.0).x, loosen=1e5)


def test_centres_and_blocks_are_those_of_one_machine(client: Client) -> None:
    executor = DaskExecutor(client)
    for method in (InducingPoints(X[:40]), BlockDescent(150)):
        options: dict[str, Any] = {"ridge": 0.5, "tolerance": 1e-6, "method": method}
        here = kernel_ridge(RBF(0.5), X, Y, executor=Threads(), **options)
        there = kernel_ridge(RBF(0.5), X, Y, executor=executor, **options)
        assert there.solution.iterations == here.solution.iterations
        assert_near(there.solution.x, here.solution.x, loosen=1e3)
        assert_near(there.predict(X, executor=executor), here.predict(X), loosen=1e3)


def test_a_checkpoint_goes_on_at_the_cluster(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun here, ended there: where tiles are computed is no part of the problem."""
    monkeypatch.setattr("ntkit.solvers.checkpoint._SECONDS", 0.0)
    whole = solve(TiledOperator(RBF(0.3), X, X), Y, ridge=0.5, method=ConjugateGradients())
    some = ConjugateGradients(max_iterations=5, checkpoint=tmp_path)
    with pytest.warns(RuntimeWarning, match="reached a relative residual"):
        solve(TiledOperator(RBF(0.3), X, X), Y, ridge=0.5, method=some)
    op = tiled(client, RBF(0.3))
    found = solve(op, Y, ridge=0.5, method=ConjugateGradients(checkpoint=tmp_path))
    assert found.converged
    assert abs(found.iterations - whole.iterations) <= 1
    assert_near(found.x, whole.x, loosen=1e6)


def test_it_travels_nowhere_and_is_copied_as_itself(client: Client) -> None:
    executor = DaskExecutor(client)
    assert copy.deepcopy(executor) is executor
    with pytest.raises(TypeError, match="holds a connection and cannot be pickled"):
        pickle.dumps(executor)
    op = copy.deepcopy(gram(RBF(0.3), X, executor=executor))
    assert_near(op @ Y, RBF(0.3)(X) @ Y)


def test_a_fault_of_the_work_is_that_of_the_caller(client: Client) -> None:
    with pytest.raises(ZeroDivisionError):
        list(DaskExecutor(client).map(divide, [1, 0], 1))


def divide(item: int, by: int) -> float:
    return by / item


def test_the_same_array_is_written(client: Client, tmp_path: Path) -> None:
    here = write_gram(RBF(0.3), X, path=tmp_path / "here.zarr", chunk=100)
    there = write_gram(
        RBF(0.3), X, path=tmp_path / "there.zarr", chunk=100, executor=DaskExecutor(client)
    )
    np.testing.assert_array_equal(here[:], there[:])


def killed_meanwhile(client: Client, which: slice, run: Callable[[], Any]) -> Any:
    """What `run` returns while workers are killed by signal."""
    cluster: Any = client.cluster
    found = list(client.run(os.getpid).values())

    def kill() -> None:
        for pid in found[which]:
            os.kill(pid, signal.SIGKILL)
        if len(found[which]) == len(found):  # so that there is one again, whatever the nannies do
            cluster.scale(len(cluster.workers) + 1)

    killer = threading.Timer(0.25, kill)
    killer.start()
    try:
        return run()
    finally:
        killer.join()
        two_workers(client)


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("which", [slice(1), slice(2)], ids=["one", "all"])
def test_killed_workers_change_no_bit(client: Client, which: slice, tmp_path: Path) -> None:
    kernel = SlowRBF(0.3)
    op = tiled(client, kernel)
    expected = op @ Y
    assert torch.equal(killed_meanwhile(client, which, lambda: op @ Y), expected)
    if which.stop == 2:  # new workers take their time
        return
    method = ConjugateGradients(max_iterations=3)
    with pytest.warns(RuntimeWarning, match="relative residual"):
        whole = solve(op, Y, ridge=1.0, method=method).x
    with pytest.warns(RuntimeWarning, match="relative residual"):
        found = killed_meanwhile(client, which, lambda: solve(op, Y, ridge=1.0, method=method).x)
    assert torch.equal(found, whole)
    array = killed_meanwhile(
        client,
        which,
        lambda: write_gram(
            kernel, X, path=tmp_path / "K.zarr", chunk=30, executor=DaskExecutor(client)
        ),
    )
    assert_near(torch.from_numpy(array[:]), RBF(0.3)(X))


class SlowNet(torch.nn.Module):
    """Time enough for a worker to die in the middle of a product."""

    def __init__(self) -> None:
        super().__init__()
        self.net = copy.deepcopy(NET).double()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        time.sleep(0.05)
        return self.net(x)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_factors_and_features_are_those_of_threads(client: Client, tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    x = torch.rand(2000, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    kernel, v = ntkit.empirical_ntk(SlowNet()), x.sin()
    expected = gram(kernel, x, executor=Threads(1)) @ v
    op = gram(kernel, x, executor=DaskExecutor(client))
    assert op.kind == "matrix-free"
    assert torch.equal(killed_meanwhile(client, slice(1), lambda: op @ v), expected)
    assert torch.equal(op @ v, expected)
    sketched = ntkit.empirical_ntk(NET, method=Sketch(16))
    store = FeatureStore(tmp_path, sketched)
    store.append(X, executor=DaskExecutor(client))
    assert torch.equal(store.features(), sketched.features(X, executor=Threads(1)))


def test_signals_of_a_folder_are_tuned_by_the_workers(client: Client, tmp_path: Path) -> None:
    pytest.importorskip("tyro")
    pytest.importorskip("jinja2")
    from ntkit.experiments import TuneSpec, tune_each

    (tmp_path / "signals").mkdir()
    (tmp_path / "signals" / "a.png").write_bytes(b"no picture")
    asked = TuneSpec(data=tmp_path / "signals", out=tmp_path / "runs")
    (row,) = tune_each(asked, executor=DaskExecutor(client)).rows
    assert row.state == "failed"
    assert "no file whose kind can be told" in row.error


def test_a_cluster_without_workers_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ntkit.scale.dask_executor._PATIENCE", 0.2)
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        later = threading.Timer(1.0, cluster.scale, [1])
        later.start()
        assert list(DaskExecutor(client).map(divide, [1, 2], 2)) == [2.0, 1.0]
        later.join()
    assert "has no workers. Waiting for one" in caplog.text


def pretend(value: str) -> None:
    """Say another version, from now on."""
    import ntkit.scale.dask_executor as module

    vars(module)["_versions"] = lambda: {"ntkit": value, "torch": torch.__version__}


def test_workers_of_another_version_are_named(client: Client) -> None:
    executor = DaskExecutor(client)
    address = next(iter(client.scheduler_info(n_workers=-1)["workers"]))
    client.run(pretend, "0.0.7", workers=[address])
    with pytest.raises(
        RuntimeError, match=r"The worker tcp://.* has ntkit 0\.0\.7, and here it is"
    ):
        DaskExecutor(client)
    with pytest.raises(RuntimeError, match=r"has ntkit 0\.0\.7"):  # one that joined later
        list(executor.map(divide, range(1, 40), 1))
    client.run(pretend, executor._versions["ntkit"], workers=[address])


def test_what_is_no_client_is_refused(unchecked: None) -> None:
    with pytest.raises(TypeError, match=r"must be a distributed\.Client, got str"):
        DaskExecutor("tcp://localhost:8786")  # pyright: ignore[reportArgumentType]


SCHEDULER = """
import asyncio
from distributed import Scheduler, Worker
async def main():
    async with Scheduler(host="127.0.0.1", port=0, dashboard_address=":0") as scheduler:
        async with Worker(scheduler.address, nthreads=1):
            print(scheduler.address, flush=True)
            await scheduler.finished()
asyncio.run(main())
"""


def kill_when_begun(process: subprocess.Popen[str], path: Path) -> None:
    """Kill it once an array has its first chunks."""
    until = time.monotonic() + 60
    while len(list(path.glob("c/*/*"))) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_scheduler_that_is_gone_is_a_clear_error(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCHEDULER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        with Client(address, timeout=30) as client:
            client._timeout = 2  # how long Dask tries to reach it again
            kernel, path = SlowRBF(0.3), tmp_path / "K.zarr"
            op, executor = tiled(client, kernel), DaskExecutor(client)
            killer = threading.Thread(target=kill_when_begun, args=(process, path))
            killer.start()
            with pytest.raises(ConnectionError, match="scheduler"):
                write_gram(kernel, X, path=path, chunk=10, executor=executor)
            with pytest.raises(ConnectionError, match="scheduler"):
                op @ Y
            killer.join()
    missing, every = missing_chunks(path)
    assert 0 < missing < every
    found = torch.from_numpy(write_gram(kernel, X, path=path, chunk=10, executor=Threads(8))[:])
    assert_near(found, RBF(0.3)(X))
