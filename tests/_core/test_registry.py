"""Exact types, and advice for the others."""

import pytest

from ntkit._core.registry import ExactTypeRegistry


class Parent: ...


class Child(Parent): ...


def make() -> ExactTypeRegistry:
    registry: ExactTypeRegistry = ExactTypeRegistry("rule", LookupError)
    registry.register(Parent, list)(lambda thing: "found")
    return registry


def test_exact_types_are_found() -> None:
    registry = make()
    assert registry[Parent()](None) == registry[[]](None) == "found"
    assert Parent in registry
    assert Child not in registry
    assert list(registry) == [Parent, list]


def test_subclasses_ask_for_their_own() -> None:
    with pytest.raises(LookupError, match=r"No rule for .*Child`\. It is a subclass of Parent"):
        make()[Child()]
    with pytest.raises(
        LookupError, match=r"No rule for `builtins.int`\. Register .*: Parent, list"
    ):
        make()[1]


def test_an_entry_is_not_replaced() -> None:
    with pytest.raises(ValueError, match=r"list already has an entry \(rule\)"):
        make().register(list)
