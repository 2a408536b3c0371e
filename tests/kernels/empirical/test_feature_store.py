"""A feature store keeps every row, of one network alone, as it was written."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Thread

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ntkit.kernels import FeatureStore, Sketch, empirical_ntk
from tests.cases import randn

pytest.importorskip("safetensors")

X = randn(8, 3)


class Bent(nn.Module):
    """With an activation that is no layer, and settings of several kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.norm, self.last = nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)
        self.bend: Callable[[Tensor], Tensor] = torch.tanh
        self.scale, self.gates = 1.0, {"a": [1, 2]}
        self.table = torch.ones(1)  # a tensor, and no buffer

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.bend(self.scale * self.norm(self.inner(x)))) * self.table


def network() -> Bent:
    torch.manual_seed(0)
    return Bent().double().eval()


class Patched(Bent):
    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.relu(self.norm(self.inner(x))))


def _set(name: str, value: object) -> Callable[[Bent], object]:
    return lambda net: setattr(net, name, value)


CHANGES: dict[str, Callable[[Bent], object]] = {
    "a weight": lambda net: net.inner.weight.data.mul_(2),
    "running statistics": lambda net: net.norm.running_var.mul_(4),
    "a frozen weight": lambda net: net.last.weight.requires_grad_(False).mul_(2),
    "an activation": _set("bend", F.relu),
    "an activation with its settings": _set("bend", partial(F.leaky_relu, negative_slope=0.1)),
    "an activation written as a function": _set("bend", lambda x: x.sin()),
    "a layer in the place of a function": _set("bend", nn.Tanh()),
    "a number": _set("scale", 2.0),
    "a number deep inside": lambda net: net.gates["a"].append(3),
    "a setting of a layer": lambda net: setattr(net.norm, "eps", 0.1),
    "a tensor that is no buffer": lambda net: net.table.mul_(2),
    "another class": lambda net: setattr(net, "__class__", Patched),
    "a patched forward": lambda net: setattr(
        net.inner, "forward", lambda x: x[:, :1].expand(-1, 4)
    ),
    "a hook": lambda net: net.inner.register_forward_hook(lambda m, a, y: 2 * y),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_network_that_has_changed_is_refused(name: str, tmp_path: Path) -> None:
    net = network()
    params = ["inner.weight", "inner.bias", "norm.weight"]
    kernel = empirical_ntk(net, method=Sketch(16), params=params)
    store = FeatureStore(tmp_path, kernel)
    store.append(X)
    CHANGES[name](net)
    with pytest.raises(ValueError, match=r"`kernel` has other (weights|structure)"):
        store.append(X)
    with pytest.raises(ValueError, match=r"of another kernel: its (weights|structure) is"):
        FeatureStore(tmp_path, kernel)
    assert len(store) == len(X)


@pytest.mark.parametrize(
    "bend", [torch.tanh, partial(F.leaky_relu, negative_slope=0.1)], ids=["function", "partial"]
)
def test_the_same_network_is_the_same_again(bend, tmp_path: Path) -> None:
    """Made twice, of another memory, and after use: nothing of an object's own enters."""
    for memory in (2**20, 2**21):
        net = network()
        net.bend = bend
        kernel = empirical_ntk(net, method=Sketch(16, memory=memory))
        kernel(X)
        FeatureStore(tmp_path, kernel).append(X)
    rows = FeatureStore(tmp_path, kernel).features()
    torch.testing.assert_close(rows[:8], rows[8:])


def test_two_stores_lose_no_rows(tmp_path: Path) -> None:
    kernel = empirical_ntk(nn.Linear(3, 1).double(), method=Sketch(4))
    stores = [FeatureStore(tmp_path, kernel) for _ in range(4)]

    def write(store: FeatureStore, content: bytes) -> None:
        for _ in range(10):
            store._publish(content)

    stores[0].append(X)
    content = next(tmp_path.glob("*.safetensors")).read_bytes()
    threads = [Thread(target=write, args=(store, content)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stores[0]) == 41 * len(X) == len(stores[0].features())
    assert not list(tmp_path.glob("*.part"))


def test_after_a_deleted_file_nothing_is_overwritten(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, empirical_ntk(nn.Linear(3, 1).double(), method=Sketch(4)))
    for rows in (X[:1], X[1:3], X[3:]):
        store.append(rows)
    (tmp_path / "000000.safetensors").unlink()
    store.append(X)
    assert len(store) == 15
    with pytest.raises(ValueError, match=r"000000.safetensors` is missing"):
        store.features()


@pytest.mark.parametrize("place", [-1, -70, 8, 40, 2])
def test_flipped_bytes_are_noticed(tmp_path: Path, place: int) -> None:
    """In the features, in what is noted beside them, and in the lengths."""
    kernel = empirical_ntk(nn.Linear(3, 1).double(), method=Sketch(4))
    store = FeatureStore(tmp_path, kernel)
    store.append(X)
    path = tmp_path / "000000.safetensors"
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=r"000000.safetensors` (is damaged|holds features of another)"
    ):
        store.features()
