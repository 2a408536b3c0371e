"""Handlers of the calls in a forward, by what they do."""
