"""The command line: parse into a Spec, run it, show the result."""
