"""
`python -m chaos [--long]`: one JSON object a figure; non-zero when a goal is missed, or when a
control goes unnoticed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from chaos import book, cluster
from chaos.figures import Figures, say

SHORT: Final = book.Pace(kills=4, load_seconds=0.5, movements_min=5_000)
LONG: Final = book.Pace(kills=50, load_seconds=1.2, movements_min=250_000)


def main(argv: Sequence[str]) -> int:
    """Break everything, and see what stands."""
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--long", action="store_true", help="as often as the figures ask for")
    chosen = parser.parse_args(argv)
    figures = Figures()
    with cluster.running() as server:
        book.check(server, figures, pace=LONG if chosen.long else SHORT)
    for name in figures.missed:
        say(f"missed: {name}")
    return 1 if figures.missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
