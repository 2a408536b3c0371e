"""Options of runs that are over in no time."""

SMALL = ["--budget", "5", "--width", "8", "--depth", "1", "--n-frequencies", "4", "--threads", "1"]
