"""`python -m ntkit` is the `ntkit` command."""

from ntkit.cli.main import main

if __name__ == "__main__":
    main()
