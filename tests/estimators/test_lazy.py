"""Nothing is loaded before it is asked for, and what is missing is named."""

import sys

import pytest

import ntkit.estimators


@pytest.mark.parametrize(
    ("name", "package", "wheel"),
    [
        ("NTKRegressor", "sklearn", "scikit-learn"),
        ("GPyTorchKernel", "gpytorch", "gpytorch"),
        ("DeepinvReconstructor", "deepinv", "deepinv"),
    ],
)
def test_a_missing_extra_is_named(
    name: str, package: str, wheel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError, match=f"`pip install {wheel}`"):
        getattr(ntkit.estimators, name)


def test_names() -> None:
    assert set(ntkit.estimators.__all__) <= set(dir(ntkit.estimators))
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        ntkit.estimators.Nothing  # noqa: B018
