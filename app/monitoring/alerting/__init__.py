"""How rules become alerts, and alerts are told. `conditions`, `episodes` and `matching` are pure; the others are given
a session, and commit nothing."""
