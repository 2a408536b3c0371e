"""Compiled loops, where the extra `fast` is installed."""
