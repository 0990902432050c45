"""`python -m benchmarks` measures everything and prints a table; `python -m benchmarks NAME …` measures that.

`--audits N` sets how many audits the memory benchmark asks for. Nothing here asserts a time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial

from benchmarks import (
    ack,
    card,
    estate,
    home,
    memory,
    regroup,
    replay,
    rewrite,
    risk,
    start,
    store,
    sweep,
    ticket,
    watch,
)
from benchmarks.figures import Figure


def main() -> int:
    every: dict[str, Callable[[], list[Figure]]] = {
        "ack": ack.measure,
        "card": card.measure,
        "start": start.measure,
        "memory": memory.measure,
        "store": store.measure,
        "rewrite": rewrite.measure,
        "risk": risk.measure,
        "ticket": ticket.measure,
        "home": home.measure,
        "regroup": regroup.measure,
        "sweep": sweep.measure,
        "estate": estate.measure,
        "replay": replay.measure,
        "watch": watch.measure,
    }
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(every))
    parser.add_argument("--audits", type=int, default=2000, help="audits of the memory benchmark")
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in every]
    if unknown:
        parser.error(f"{unknown[0]} is none of {', '.join(every)}")
    every["memory"] = partial(memory.measure, given.audits)
    rows = [("benchmark", "measure", "figure", "target", "")]
    for name in given.names or every:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        rows += [(name, *figure.line()) for figure in every[name]()]
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
