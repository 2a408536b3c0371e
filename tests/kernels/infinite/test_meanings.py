"""One table of meanings: one a call, refusals give way, and the kinds are those that are read."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from ntkit import nngp, ntk
from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels import Norm, PairState, duals, rules
from ntkit.kernels.infinite.front.calls.table import _READERS
from ntkit.kernels.infinite.front.written_out import AsItSays, WrittenOut
from ntkit.kernels.infinite.meanings import AbstractMeaning, Meanings, NoLimit, meanings
from ntkit.networks import Conv1d, Linear
from tests.cases import randn


@pytest.fixture(autouse=True)
def as_found(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test registers is gone after it."""
    monkeypatch.setattr(meanings, "_entries", dict(meanings._entries))
    yield


def test_the_kinds_are_those_that_are_read_or_followed_inside() -> None:
    assert set(AbstractMeaning.__subclasses__()) == {*_READERS, WrittenOut, AsItSays}


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (nn.Linear, "infinite-width rule"),
        (nn.ReLU, "dual activation"),
        (nn.Identity, "reading of the call"),
        (nn.TransformerEncoder, "forward written out"),
    ],
)
def test_a_type_has_one_meaning(kind: type, what: str) -> None:
    """Whichever door it comes through; nothing is filed that would never be asked."""
    for book in (rules, duals):
        with pytest.raises(ValueError, match=rf"{kind.__name__} already has an entry \({what}\)"):
            book.register(kind)(lambda *given: None)


def test_a_refusal_gives_way_to_a_rule() -> None:
    """Somebody's limit of max pooling: here that of windows of one position, which is exact."""
    net = nn.Sequential(
        Conv1d(2, 8, 1), nn.ReLU(), nn.MaxPool1d(1), nn.Flatten(), Linear(32, 1, bias=False)
    )
    x = randn(3, 2, 4)
    with pytest.raises(Exception, match="the maximum over positions"):
        nngp(net)
    rules.register(nn.MaxPool1d, effect="scaling", channel_axis=1)(lambda layer, state, _: state)
    without = nn.Sequential(*(layer for layer in net if not isinstance(layer, nn.MaxPool1d)))
    assert torch.equal(nngp(net)(x), nngp(without)(x))
    with pytest.raises(ValueError, match="MaxPool1d already has an entry"):
        rules.register(nn.MaxPool1d)(lambda layer, state, _: state)


def test_nothing_is_filed_of_several_calls_if_one_is_taken() -> None:
    table = Meanings()
    table.file(NoLimit("one"), "one")
    table.file(AsItSays(), "two")
    with pytest.raises(ValueError, match=r"two already has an entry \(its own forward\)"):
        table.file(AsItSays(), "one", "two")
    assert table.get("one") == NoLimit("one")
    assert table.get("three") is None


class Plain(nn.Module):
    """A layer that nobody has filed."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


MISFILED = {
    "instance": (lambda: rules.register(Plain()), TypeError, "types of modules, got Plain"),  # type: ignore[arg-type]
    "name": (lambda: rules.register("Plain"), TypeError, "got 'Plain'"),  # type: ignore[arg-type]
    "nothing": (lambda: rules.register(), ValueError, "got no type"),
    "effect": (lambda: rules.register(Plain, effect="weight"), ValueError, "must be one of"),  # type: ignore[arg-type]
    "axis": (lambda: rules.register(Plain, channel_axis=7), ValueError, "must be 1 or -1"),
    "no function": (lambda: rules.register(Plain)(3), TypeError, "files a function, got 3"),  # type: ignore[arg-type]
    "norm of an instance": (lambda: rules.normalisation(Plain()), TypeError, "types of modules"),  # type: ignore[arg-type]
    "norm's axis": (
        lambda: rules.normalisation(Plain, channel_axis=5),
        ValueError,
        "1, -1 or None",
    ),
    "norm is no function": (
        lambda: rules.normalisation(Plain)(Norm()),  # type: ignore[arg-type]
        TypeError,
        "a function, got Norm",
    ),
    "pooling of an instance": (lambda: rules.pooling(Plain()), TypeError, "not the module"),
    "pooling of a number": (lambda: rules.pooling(3), TypeError, "got 3"),
    "pooling of nothing": (lambda: rules.pooling(), ValueError, "nothing to file"),
    "weights": (lambda: rules.attention(Plain, weights=3), TypeError, "files a function, got 3"),  # type: ignore[arg-type]
    "norm's axes": (lambda: Norm(axes=-1), TypeError, r"axes=-1.* tuple of integers"),  # type: ignore[arg-type]
    "epsilon": (lambda: Norm(epsilon=-1.0), ValueError, "epsilon=-1.0.* at least 0"),
    "no epsilon": (lambda: Norm(epsilon=None), TypeError, "epsilon=None.* a number"),  # type: ignore[arg-type]
    "groups": (lambda: Norm(groups=0), ValueError, "groups=0"),
    "scale": (lambda: Norm(scale=2.0), TypeError, "scale=2.0.* a tensor"),  # type: ignore[arg-type]
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", MISFILED)
def test_what_would_never_be_asked_is_refused_when_it_is_filed(name: str) -> None:
    file, error, match = MISFILED[name]
    with pytest.raises(error, match=match):
        file()
    assert meanings.get(Plain) is None


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("norm", "match"),
    [
        (Norm(axes=(9,)), r"the axes \(9,\), and its input has 2"),
        (Norm(axes=(0, 1)), r"the first counts the points"),
        (Norm(axes=(-1,), groups=3), "3 groups, which do not divide its 8 channels"),
        (Norm(axes=(-1,), scale=torch.ones(7)), r"a scale of shape \(7,\)"),
        (None, "must give a `ntkit.kernels.Norm`, got None"),
    ],
    ids=str,
)
def test_a_norm_that_does_not_fit_the_layer_is_refused(norm: Norm | None, match: str) -> None:
    rules.normalisation(Plain)(lambda layer: norm)  # type: ignore[return-value]
    with pytest.raises(UnsupportedLayerError, match=match):
        nngp(nn.Sequential(Linear(2, 8), Plain(), Linear(8, 1)))(randn(3, 2))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("effect", ["weights", "scaling"])
@pytest.mark.parametrize(
    ("rule", "match"),
    [
        (lambda layer, state, _: None, "must return a `PairState`, got NoneType"),
        (lambda layer, state, _: state.cov, "must return a `PairState`, got Tensor"),
        (lambda layer, state, _: replace(state, ntk=None), "lost the tangent kernel"),
        (lambda layer, state, _: PairState(state.cov, state.ntk), "lost the variances"),
        (lambda layer, state, _: replace(state, cov=state.cov[:1]), "changed the pairs"),
        (lambda layer, state, _: replace(state, cov=state.cov.float()), "must keep torch.float64"),
    ],
)
def test_a_rule_that_gives_no_state_of_the_same_pairs_is_named(
    effect: Any, rule: Any, match: str
) -> None:
    """A state without a tangent kernel gave the covariance in its place."""
    rules.register(Plain, effect=effect)(rule)
    net = nn.Sequential(Linear(2, 8), Plain(), nn.ReLU(), Linear(8, 1))
    with pytest.raises(ValueError, match=rf"At `1`.*the rule of `Plain\(\)` {match}"):
        ntk(net)(randn(3, 2))


@pytest.mark.usefixtures("unchecked")
def test_attention_weights_that_are_no_tensor_are_named() -> None:
    rules.attention(Plain, weights=lambda layer, cov, hidden: None)(lambda layer, state, _: state)  # type: ignore[return-value]
    net = nn.Sequential(Linear(2, 8), Plain(), nn.Flatten(), Linear(24, 1))
    with pytest.raises(ValueError, match=r"must be `\[points, queries, keys\]`.* got None"):
        ntk(net)(randn(2, 3, 2))
