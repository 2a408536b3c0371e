"""The statistics of a pair of inputs, and what layers do to them."""
