"""What workers do: one room per domain, with the same names as in app."""
