"""Functions of a third party that fail or make NaN: the error says whose, and at which line of the forward."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ntkit
from ntkit._core.errors import NumericalError, UnsupportedLayerError
from ntkit.kernels import Norm, duals, register_activation, rules
from ntkit.kernels.infinite.meanings import meanings
from ntkit.networks import Linear
from tests.cases import randn

NAN = float("nan")
X, SEQUENCES = randn(3, 2), randn(3, 5, 2)


class Mine(nn.Module):
    """A layer of a third party, on whose results nothing depends here."""

    def forward(self, x: Tensor) -> Tensor:
        return x.tanh()


class Focus(Mine):
    def forward(self, x: Tensor) -> Tensor:
        return (x @ x.mT).softmax(-1) @ x


class Net(nn.Module):
    """With its layer called in a line of its own."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.first, self.mine = Linear(2, 8), layer
        self.last = Linear(40 if isinstance(layer, Focus) else 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        h = self.mine(h)
        return self.last(torch.relu(h).flatten(1))


LINE = r"`mine` \(File \".*test_wrong_rules\.py\", line \d+: `h = self\.mine\(h\)`\)"


@pytest.fixture(autouse=True)
def _filed_here_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meanings, "_entries", dict(meanings._entries))


def by_rule(apply: Callable[..., Any], **options: Any) -> Mine:
    rules.register(Mine, **options)(apply)
    return Mine()


def by_norm(norm: Callable[..., Any]) -> Mine:
    rules.normalisation(Mine)(norm)
    return Mine()


def by_attention(apply: Callable[..., Any], weights: Callable[..., Any]) -> Focus:
    rules.attention(Focus, weights=weights)(apply)
    return Focus()


def by_dual(build: Callable[..., Any]) -> Mine:
    duals.register(Mine)(build)
    return Mine()


def fresh(layer: nn.Module, state: Any, variances: object) -> Any:
    return state.affine(1.0, 0.0, own_weight=1.0, own_bias=0.0)


def softmax(layer: nn.Module, products: Tensor, hidden: Tensor | None) -> Tensor:
    return products.softmax(-1)


def failing(*_: Any) -> Any:
    raise KeyError("lost")


FAILING: dict[str, Callable[[], nn.Module]] = {
    "rule": lambda: by_rule(failing),
    "rule of each unit": lambda: by_rule(failing, effect="scaling"),
    "numbers": lambda: by_rule(fresh, numbers=failing),
    "norm": lambda: by_norm(failing),
    "weights of attention": lambda: by_attention(fresh, failing),
    "rule of attention": lambda: by_attention(failing, softmax),
    "dual": lambda: by_dual(failing),
}


@pytest.mark.parametrize("name", FAILING)
def test_an_error_keeps_its_type_and_gets_the_line(name: str) -> None:
    net = Net(FAILING[name]())
    with pytest.raises(KeyError, match="lost") as caught:
        ntkit.ntk(net)(SEQUENCES if isinstance(net.mine, Focus) else X)
    (note,) = caught.value.__notes__
    assert re.search(LINE, note)


def test_a_function_of_each_unit_that_fails_gets_the_line() -> None:
    class Failing(Mine):
        def forward(self, x: Tensor) -> Tensor:
            return failing() if x.dtype == torch.float64 else x

    register_activation(Failing)
    with pytest.raises(KeyError, match="lost") as caught:
        ntkit.nngp(Net(Failing()))(X.float())
    assert re.search(LINE, caught.value.__notes__[0])


NANS: dict[str, Callable[[], nn.Module]] = {
    "rule": lambda: by_rule(lambda _, state, v: state.affine(NAN, 0.0, own_weight=1.0, own_bias=0.0)),
    "rule of each unit": lambda: by_rule(lambda _, state, v: state.scaled(NAN), effect="scaling"),
    "norm": lambda: by_norm(lambda _: Norm((-1,), scale=torch.full((8,), NAN))),
    "weights of attention": lambda: by_attention(fresh, lambda _, products, hidden: NAN * products),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:The limit takes weights as independent draws")
@pytest.mark.parametrize("name", NANS)
def test_nan_is_put_down_to_the_layer_that_makes_it(name: str) -> None:
    net = Net(NANS[name]())
    x = SEQUENCES if isinstance(net.mine, Focus) else X
    match = rf"^At {LINE}: `(Mine|Focus)\(\)` makes NaN of covariances of at most \d.*rule that is filed"
    for kernel in (ntkit.ntk(net), ntkit.nngp(net)):
        for ask in (lambda k: k(x), lambda k: k(x, x + 1), lambda k: k.diag(x)):
            with pytest.raises(NumericalError, match=match):
                ask(kernel)


def test_nan_on_a_grid_is_put_down_to_the_layer() -> None:
    layer = by_rule(lambda _, state, v: state.scaled(NAN), effect="scaling")
    encoding = ntkit.encodings.Basic(1)
    net = nn.Sequential(encoding, Linear(2, 8), layer, nn.ReLU(), Linear(8, 1))
    with pytest.raises(NumericalError, match=r"^At `2`.*: `Mine\(\)` makes NaN"):
        ntkit.gram(ntkit.ntk(net), ntkit.Grid((16,)))


def test_points_that_are_too_long_are_still_to_blame() -> None:
    """Infinity less infinity behind a rule that is right is no fault of the rule."""
    net = Net(by_rule(lambda _, state, v: state.scaled(1e200), effect="scaling"))
    with pytest.raises(NumericalError, match="they are too long, or its layers grow too fast"):
        ntkit.ntk(net)(1e60 * X)


def test_a_map_of_positions_that_makes_nan_is_named() -> None:
    class Lost(Mine):
        def forward(self, x: Tensor) -> Tensor:
            return NAN * x

    rules.pooling(Lost)
    net = nn.Sequential(Linear(2, 8), Lost(), nn.ReLU(), nn.Flatten(), Linear(40, 1))
    with pytest.raises(UnsupportedLayerError, match="makes NaN or infinity of finite units"):
        ntkit.ntk(net)(SEQUENCES)


@pytest.mark.parametrize("size", [1e13, 1e60, 1e120])
def test_integrals_that_would_take_minutes_are_refused(size: float) -> None:
    class Composed(Mine):
        def forward(self, x: Tensor) -> Tensor:
            return torch.tanh(torch.relu(x))

    net = nn.Sequential(Linear(2, 8), Composed(), Linear(8, 1))
    with pytest.raises(
        NumericalError, match=r"standard deviation of \d.*integrals reach 1\.1e\+12"
    ):
        ntkit.ntk(net)(size * X)
    assert bool(torch.isfinite(ntkit.ntk(net)(X)).all())
