"""Parts for scikit-learn, GPyTorch and deepinv; each is loaded when first asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ntkit.estimators.classifier import NTKClassifier
    from ntkit.estimators.deepinv_reconstructor import DeepinvReconstructor
    from ntkit.estimators.fourier_features import FourierFeatures
    from ntkit.estimators.gpytorch_kernel import GPyTorchKernel
    from ntkit.estimators.regressor import NTKRegressor
    from ntkit.estimators.sklearn_kernel import SklearnKernel

__all__ = [
    "DeepinvReconstructor",
    "FourierFeatures",
    "GPyTorchKernel",
    "NTKClassifier",
    "NTKRegressor",
    "SklearnKernel",
]

_HOMES = {
    "DeepinvReconstructor": ("deepinv_reconstructor", "deepinv", "deepinv"),
    "FourierFeatures": ("fourier_features", "sklearn", "scikit-learn"),
    "GPyTorchKernel": ("gpytorch_kernel", "gpytorch", "GPyTorch"),
    "NTKClassifier": ("classifier", "sklearn", "scikit-learn"),
    "NTKRegressor": ("regressor", "sklearn", "scikit-learn"),
    "SklearnKernel": ("sklearn_kernel", "sklearn", "scikit-learn"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module `ntkit.estimators` has no attribute {name!r}")
    home, package, title = _HOMES[name]
    try:
        import_module(package)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"`ntkit.estimators.{name}` needs {title}: `pip install {title.lower()}`.",
            name=package,
        ) from error
    return getattr(import_module(f"ntkit.estimators.{home}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
