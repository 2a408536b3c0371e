"""Networks drawn at random, as people write them: the generators behind the two fuzz benchmarks."""
