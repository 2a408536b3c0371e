"""Work on the processes and machines of a Dask cluster."""

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from functools import cache, partial
from importlib.metadata import version
from itertools import takewhile
from threading import Lock
from typing import Any, TypeVar

import torch
from distributed import Client, Future, KilledWorker, get_worker, wait
from distributed.comm.core import CommClosedError
from torch import Tensor, nn

from ntkit._core.copies import Copier

__all__ = ["DaskExecutor"]

In = TypeVar("In")
Out = TypeVar("Out")

_GONE = (
    "The scheduler of the Dask cluster is gone, or the client is closed. What was written to disk stays. Start the "
    "cluster again, make a new `Client`, and run the same again."
)

_ATTEMPTS = 10
"""Times that a shared value is sent again after all workers that held it were lost."""

_TOGETHER = 64
"""Results that are fetched in one journey."""

_PATIENCE = 30.0
"""Seconds without a result after which it is looked whether there are workers."""

_LOG = logging.getLogger(__name__)

_CONNECTION = "scheduler-connection-lost"
"""Dask's reason where the scheduler has gone, and not a worker."""


class DaskExecutor:
    """The workers of a Dask cluster: processes of this machine, Slurm jobs, Kubernetes pods, GPUs.

    What a worker was computing when it was lost is computed again by another one, so results do not change. A
    worker with another version of ntkit or torch is refused, whenever it joins. Gradients do not travel.

    Args:
        client: Of the cluster: `distributed.Client(...)`. It stays yours to close.
        device: Where workers compute, if not where the tensors are: with "cuda" each on its first GPU, which for workers of
            dask-cuda is one of its own. What is shared is moved there once a worker, items at each call; results come
            back to the processor.

    Raises:
        TypeError: It is no client.
        RuntimeError: A worker does not have the device.

    A worker of another version is a `RuntimeError` that names it; a scheduler that has gone a `ConnectionError`.
    Needs dask and distributed (`pip install "ntkit[cluster]"`).

    Example:
        >>> from distributed import Client, LocalCluster
        >>> with LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster:
        ...     with Client(cluster) as client:
        ...         print(list(DaskExecutor(client).map(pow, [1, 2, 3], 2)))
        [1, 4, 9]
    """

    shares_memory = False

    def __init__(self, client: Client, *, device: torch.device | str | None = None) -> None:
        if not isinstance(client, Client):
            raise TypeError(
                f"`client` must be a distributed.Client, got {type(client).__name__}. Pass "
                "`Client(cluster)` or `Client(address)`."
            )
        self.client = client
        self.device: torch.device | None = None if device is None else torch.device(device)
        self._versions = _versions()
        try:
            found: Any = client.run(_versions)
        except ImportError as error:
            raise RuntimeError(
                f"A worker cannot import this version of ntkit: {error}. Install ntkit "
                f"{self._versions['ntkit']} where the workers run."
            ) from None
        for address, versions in found.items():
            _refuse_other(address, versions, self._versions)
        if self.device is not None:
            lacks: Any = client.run(_lacks, self.device)
            for address, reason in lacks.items():
                if reason is not None:
                    raise RuntimeError(
                        f"The worker {address} cannot compute on `device={str(self.device)!r}`: {reason}. Start "
                        "workers that have one (`dask_cuda.LocalCUDACluster`), or leave `device` out."
                    )

    def share(self, value: Any) -> "SharedValue":
        """A handle of the value, which one worker is sent, and the others fetch from it and from each other."""
        return SharedValue(self.client, value)

    def map(self, work: Callable[..., Out], items: Iterable[In], *shared: Any) -> Iterator[Out]:
        """`work(item, *values)` for each item, in order.

        Raises:
            ConnectionError: The scheduler has gone.
            RuntimeError: All workers were lost again and again.
        """
        left = list(items)
        if self.client.status != "running":
            raise ConnectionError(_GONE)
        for _ in range(_ATTEMPTS):
            futures = [
                self.client.submit(
                    _call,
                    _Opaque((work, item)),
                    self._versions,
                    self.device,
                    *[s.future() if isinstance(s, SharedValue) else _Opaque(s) for s in shared],
                    pure=False,
                )
                for item in left
            ]
            try:
                while futures:
                    found = self._results(futures)
                    if not found:  # a shared value was lost with all its workers
                        break
                    del futures[: len(found)], left[: len(found)]
                    yield from (each.value for each in found)
            finally:
                self._forget(futures)
            if not left:
                return
            for handle in shared:
                if isinstance(handle, SharedValue):
                    handle.forget()
        raise RuntimeError(
            f"All workers were lost {_ATTEMPTS} times while they computed. Look at their logs: memory may "
            "be short."
        )

    @staticmethod
    def is_called_off() -> bool:
        """Whether nobody waits any more for the call that asks this, at a worker: it may end without a result."""
        worker = get_worker()
        task = worker.state.tasks.get(worker.get_current_task())
        return task is None or task.state == "cancelled"

    def _results(self, futures: list[Future]) -> "list[_Opaque]":
        """What the first call returned, and those behind it that have ended too; none where what it needs was lost.

        Raises:
            ConnectionError: The scheduler has gone.
            RuntimeError: Several workers died of the same call.
        """
        try:
            _wait_for(futures[0], self.client)
            ended = list(takewhile(lambda future: future.status == "finished", futures[:_TOGETHER]))
            found: Any = self.client.gather(ended or futures[:1])  # a journey costs milliseconds
            return found
        except KilledWorker as error:
            raise RuntimeError(
                f"{error.allowed_failures + 1} workers were lost while they computed the same piece, the last one at "
                f"{error.last_worker.address}. Look at their logs: memory may be short."
            ) from error
        except CancelledError as error:
            if getattr(error, "reason", "") != _CONNECTION and self.client.status == "running":
                return []
            raise ConnectionError(_GONE) from error
        except CommClosedError as error:
            raise ConnectionError(_GONE) from error

    def _forget(self, futures: list[Future]) -> None:
        """Call off what nobody waits for."""
        if futures and self.client.status == "running":
            self.client.cancel(futures)

    def __deepcopy__(self, memo: dict[int, Any]) -> "DaskExecutor":
        return self

    def __reduce__(self) -> Any:
        raise TypeError(
            "A `DaskExecutor` holds a connection and cannot be pickled. Make one where it is needed."
        )

    def __repr__(self) -> str:
        return f"DaskExecutor({self.client!r})"


class SharedValue:
    """A value on the workers; it is kept here too, and sent again after they were lost."""

    def __init__(self, client: Client, value: Any) -> None:
        self._client, self._value = client, _Opaque(value)
        self._future: Future[Any] | None = None
        self.future()

    def future(self) -> "Future[Any]":
        """Where it is.

        Raises:
            ConnectionError: The scheduler has gone.
        """
        if self._future is None or self._future.cancelled():
            if self._client.status != "running":
                raise ConnectionError(_GONE)
            self._future = self._sent()
        assert self._future is not None
        return self._future

    def _sent(self) -> Future:
        """To one worker, from which the others fetch it: Dask would wait without end for a dead one of many.

        Raises:
            ConnectionError: The scheduler has gone.
        """
        tries = 0
        while True:
            try:
                found: Any = self._client.scatter(self._value, hash=False)
                return found
            except (
                OSError
            ) as error:  # of a worker that has just died, or of the scheduler; or there was none
                tries += _has_workers(self._client)
                if self._client.status != "running" or tries == _ATTEMPTS:
                    raise ConnectionError(_GONE) from error

    def forget(self) -> None:
        """Send it again when it is next needed."""
        self._future = None


def _wait_for(future: Future, client: Client) -> None:
    """Wait for a result, and say so where nobody is there to compute it: a queue may take hours."""
    while True:
        try:
            wait([future], timeout=_PATIENCE)
        except TimeoutError:
            _has_workers(client)
        else:
            return


def _has_workers(client: Client) -> bool:
    """Whether there are any, which is logged where there are none."""
    if client.status != "running" or client.scheduler_info(n_workers=-1)["workers"]:
        return True
    _LOG.warning("The Dask cluster has no workers. Waiting for one; look at its logs, or scale it.")
    return False


class _Opaque:
    """A value that Dask does not look into: of lists and tuples it would make tasks."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self._moved: tuple[torch.device, Any] | None = None
        self._lock = Lock()

    def on(self, device: torch.device | None) -> Any:
        """The value with its tensors there; kept for the next call, as long as Dask keeps this."""
        if device is None:
            return self.value
        with self._lock:
            if self._moved is None or self._moved[0] != device:
                self._moved = device, Copier(partial(_to, device))(self.value)
            return self._moved[1]

    def __reduce__(self) -> Any:
        return _Opaque, (self.value,)


def _to(device: torch.device, tensor: Tensor) -> Tensor:
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(tensor.detach().to(device), requires_grad=tensor.requires_grad)
    return tensor.detach().to(device)


def _lacks(device: torch.device) -> str | None:
    """Why a worker has no such device; None where it has."""
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        return str(error).splitlines()[0].rstrip(".")
    return None


def _call(
    call: _Opaque, versions: dict[str, str], device: torch.device | None, *shared: _Opaque
) -> _Opaque:
    """The work, at a worker."""
    _refuse_other(get_worker().address, _versions(), versions)
    work, item = call.on(device)
    with torch.no_grad():
        found = work(item, *(each.on(device) for each in shared))
    return _Opaque(found if device is None else Copier(partial(_to, torch.device("cpu")))(found))


@cache  # the metadata are read from disk
def _versions() -> dict[str, str]:
    return {"ntkit": version("ntkit"), "torch": torch.__version__}


def _refuse_other(address: str, there: dict[str, str], here: dict[str, str]) -> None:
    """Refuse a worker of another version.

    Raises:
        RuntimeError: It is one.
    """
    for name, wanted in here.items():
        if there.get(name) != wanted:
            raise RuntimeError(
                f"The worker {address} has {name} {there.get(name)}, and here it is {wanted}: their results do "
                f"not belong together. Install {name} {wanted} there, or leave the worker out."
            )
