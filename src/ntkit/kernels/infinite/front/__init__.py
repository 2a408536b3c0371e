"""The front end: from a module to a program."""
