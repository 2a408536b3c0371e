"""Workers that compute on a device of their own: what is shared goes there, and results come back."""

import pytest
import torch

pytest.importorskip("distributed")

from distributed import Client
from torch import nn

import ntkit
from ntkit.scale import DaskExecutor
from ntkit.scale.dask_executor import _lacks, _Opaque
from tests.cases import randn
from tests.pretended_card import CARD, pretended_card
from tests.tolerances import assert_near

NET = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1)).double()


def test_a_shared_kernel_goes_to_the_device_once() -> None:
    x = randn(20, 3)
    shared = _Opaque((ntkit.ntk(NET), x, None))
    with pretended_card():
        kernel, there, _ = shared.on(CARD)
        found = kernel(there)
        assert found.device == there.device == CARD
        assert shared.on(CARD)[0] is kernel
        found = found.cpu()
    assert next(NET.parameters()).device.type == "cpu"
    assert_near(found, ntkit.ntk(NET)(x))


def test_a_device_that_is_not_there_is_told() -> None:
    assert _lacks(torch.device("cpu")) is None
    if not torch.cuda.is_available():
        assert _lacks(torch.device("cuda"))


@pytest.mark.slow
def test_products_by_workers_with_a_device(client: Client) -> None:
    x, v = randn(60, 3), randn(60, 2, seed=1)
    executor = DaskExecutor(client, device="cpu")
    for kernel in (ntkit.ntk(NET), ntkit.empirical_ntk(NET)):
        found = ntkit.gram(kernel, x, executor=executor) @ v
        assert_near(found, ntkit.gram(kernel, x, lazy=True) @ v)
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeError, match="cannot compute on `device='cuda'`"):
            DaskExecutor(client, device="cuda")
