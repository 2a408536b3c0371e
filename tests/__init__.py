"""The test suite, in the layout of the source tree."""

from tests.typechecker import numeric_tower

__all__ = ["numeric_tower"]
