"""Where the `ntkit` command begins: outside of the package, so that an interrupt of its import is caught."""

import sys

__all__ = ["main"]


def main() -> None:
    """Import the command line and run it; an interrupt meanwhile ends without a traceback."""
    try:
        from ntkit.cli.main import main as command
    except KeyboardInterrupt:
        sys.exit(130)
    command()
