"""
`python -m chaos [--long] [--only {book,house}]`: one JSON object a figure; non-zero when a goal is
missed, or when a control goes unnoticed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Final

from chaos import book, cluster, contention, effects, house
from chaos.figures import Figures, say

_BOOK: Final = {
    False: book.Pace(kills=4, load_seconds=0.5, movements_min=2_000),
    True: book.Pace(kills=50, load_seconds=1.2, movements_min=250_000),
}
_HOUSE: Final = {
    False: effects.Pace(calm_seconds=2.0, rounds=1, after_seconds=1.0),
    True: effects.Pace(calm_seconds=20, rounds=6, after_seconds=3.0, waits_for_abandoned=True),
}
_BESIDE_SECONDS_MAX: Final = 180


def main(argv: Sequence[str]) -> int:
    """Break everything, and see what stands."""
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--long", action="store_true", help="as often as the figures ask for")
    parser.add_argument("--only", choices=["book", "house"], help="one half of it")
    chosen = parser.parse_args(argv)
    figures = Figures()
    if chosen.only != "book":
        is_beside = not chosen.long and chosen.only is None
        with house.running() as running:
            beside = partial(_book_beside, running, figures) if is_beside else nullcontext
            effects.check(running, figures, pace=_HOUSE[chosen.long], beside=beside)
        if is_beside:
            return _verdict(figures)
    if chosen.only != "house":
        with cluster.running() as server:
            book.check(server, figures, pace=_BOOK[chosen.long])
            seconds, rounds = (20.0, 5) if chosen.long else (1.5, 1)
            contention.check(server, figures, seconds=seconds, rounds=rounds)
    return _verdict(figures)


@contextmanager
def _book_beside(running: house.House, figures: Figures) -> Iterator[None]:
    """The other half, in a process of its own: what it breaks in itself breaks nothing here."""
    command = [sys.executable, "-m", "chaos", "--only", "book"]
    with running.accompanied(command) as other:
        yield
        if other.wait(_BESIDE_SECONDS_MAX):
            figures.missed.append("something of the book")


def _verdict(figures: Figures) -> int:
    for name in figures.missed:
        say(f"missed: {name}")
    return 1 if figures.missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
