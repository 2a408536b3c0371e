"""One table of meanings: one a call, refusals give way, and the kinds are those that are read."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from ntkit import nngp
from ntkit.kernels import duals, rules
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
