"""What every other layer may lean on: checks, errors, the exact-type registry, threads."""
