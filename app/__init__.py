"""What things mean: HTTP at the front, one room per domain behind it. Records intent; never does long work."""
