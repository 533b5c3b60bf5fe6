"""The clusters that are measured with: many API servers in memory behind one socket, in a process of their own.

`python -m bench.fleet COUNT` prints a line of JSON with what opens each; a line `die N` makes the first N black holes,
`live` ends that.
"""

from __future__ import annotations

import json
import sys

from tests.support.kubernetes import Farm, farming


def main() -> None:
    """Serve until the input ends."""
    with farming(int(sys.argv[1])) as farm:
        accesses = [farm.access(number).to_json().decode() for number in range(len(farm.sites))]
        print(json.dumps(accesses), flush=True)
        for line in sys.stdin:
            _obey(farm, line.split())
            print("done", flush=True)


def _obey(farm: Farm, words: list[str]) -> None:
    match words:
        case ["die", count]:
            for site in farm.sites[: int(count)]:
                site.faults.add("black hole")
        case _:
            for site in farm.sites:
                site.faults.clear()


if __name__ == "__main__":
    main()
