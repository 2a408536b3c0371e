"""The operations of a program, by what they do to the statistics of a pair."""
