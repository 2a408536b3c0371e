"""Layers whose forward is not their type's: the rules go by the type, and would not see it."""

from torch import nn

__all__ = ["replaced"]


def replaced(layer: nn.Module) -> str | None:
    """Where the forward of a layer was replaced, in words; None if it is its own.

    A class counts as patched where its forward comes from another file than the class (layers of
    torch and of ntkit only: classes of users may share a function).
    """
    if "forward" in vars(layer):
        return "on the object"
    for owner in type(layer).__mro__:
        if "forward" in vars(owner):
            home = owner.__module__
            known = home.startswith(("torch.", "ntkit."))
            patched = getattr(vars(owner)["forward"], "__module__", None) != home
            return f"on the class `{owner.__name__}`" if known and patched else None
    return None
