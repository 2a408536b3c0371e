"""A network as data: operations with their numbers, in the order in which they are computed."""
