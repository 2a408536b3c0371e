"""Past one machine: where work is computed. `DaskExecutor` is loaded when it is first asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ntkit._core.executor import Executor, Threads

if TYPE_CHECKING:
    from ntkit.scale.dask_executor import DaskExecutor

__all__ = ["DaskExecutor", "Executor", "Threads"]


def __getattr__(name: str) -> Any:
    if name != "DaskExecutor":
        raise AttributeError(f"module `ntkit.scale` has no attribute {name!r}")
    try:
        import_module("distributed")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "`ntkit.scale.DaskExecutor` needs dask and distributed: `pip install 'ntkit[cluster]'`.",
            name="distributed",
        ) from error
    return import_module("ntkit.scale.dask_executor").DaskExecutor


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
