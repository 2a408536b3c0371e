"""Kernels are read off networks while other threads train and read others: torch.fx replaces methods of `nn.Module`."""

from collections.abc import Callable
from threading import Event, Thread

import torch
from torch import nn

from ntkit import ntk
from ntkit.encodings import Identity
from ntkit.networks import mlp
from tests.cases import seeded


def _network() -> nn.Sequential:
    return mlp(Identity(1), 1, width=8, depth=2, parametrisation="ntk", generator=seeded())


def _until_done(work: Callable[[], object], done: Event, faults: list[Exception]) -> None:
    try:
        while not done.is_set():
            work()
    except Exception as error:
        faults.append(error)


def test_a_network_runs_as_it_is_while_others_are_followed() -> None:
    calls, reads = nn.Module.__call__, vars(nn.Module).get("__getattr__")
    net, x = _network(), torch.linspace(-1, 1, 5)[:, None]
    wanted, kernel = net(x).detach(), ntk(_network())(x)
    results: list[torch.Tensor] = []
    done, faults = Event(), []
    threads = [
        Thread(target=_until_done, args=(work, done, faults))
        for work in (
            lambda: results.append(net(x).detach()),
            lambda: torch.testing.assert_close(ntk(_network())(x), kernel),
        )
    ]
    for thread in threads:
        thread.start()
    for _ in range(20):
        torch.testing.assert_close(ntk(_network())(x), kernel)
    done.set()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(results) > 3
    assert all(torch.equal(found, wanted) for found in results)
    assert nn.Module.__call__ is calls
    assert vars(nn.Module).get("__getattr__") is reads
