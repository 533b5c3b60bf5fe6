"""The names by which the bare tasks and those who measure them know each other."""

NOTHING = "bare.nothing"
COUNTED = "bare.counted"
QUEUE = "bare"
STARTED = "bench:started"
