"""`ntkit studio`: a page on this machine that shows what the theory says of a picture, a sound or a slice."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.conf import arg

__all__ = ["studio"]

_EXTRA = {"starlette", "uvicorn", "websockets"}


def studio(
    file: Annotated[
        tyro.conf.Positional[Path | None], arg(metavar="[FILE]", help_behavior_hint="")
    ] = None,
    *,
    port: Annotated[int | None, arg(metavar="N", help_behavior_hint="")] = None,
    host: str = "127.0.0.1",
    no_open: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False,
) -> int:
    """Open a local page that shows, live, what the theory says of a picture, a sound or a slice of a volume.

    Args:
        file: A picture, a sound or a volume to look at first; another can be dropped on the page.
        port: Where to listen: 0 for any free port; 8765, or any, if left out.
        host: Other than this machine's own address, and the printed one holds a token that is demanded.
        no_open: Print the address, and open no browser.
    """
    server = _server()
    server.serve(
        file,
        host=host,
        port=port,
        open_browser=not no_open,
        say=lambda address: print(f"ntkit studio: {address}  (Ctrl-C ends it)", flush=True),
    )
    return 0


def _server() -> Any:
    """The module of the server, whose libraries are an extra.

    Raises:
        ImportError: The extra is not installed.
        ModuleNotFoundError: Something else is missing.
    """
    try:
        return import_module("ntkit.studio.server")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise ImportError(
            f"`{error.name}` is needed for the studio: `pip install 'ntkit[studio]'`."
        ) from None
