"""Back ends: a program and points in, Gram matrices out. Nothing here knows a module of torch."""
