"""Benchmarks: figures promised, each with a command that prints target and measurement."""
