"""The kinds of the load by name, known to clients, who do not import the deeds; and their shares of a load."""

from __future__ import annotations

from typing import Final

NOOP: Final = "noop"
LONG: Final = "long"
PIPELINE: Final = "pipeline"
# What is missing to one are no-ops.
SHARES: Final = {"ledger": 0.2, "receipt": 0.1, "sleep": 0.05, PIPELINE: 0.01, LONG: 0.003}
