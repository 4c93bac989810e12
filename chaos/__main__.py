"""
Kill every part of the house under load, and judge what still stands: `./run chaos [--long]`.

One table at the end; the exit status is not zero when a goal is missed, when a control that breaks
something on purpose goes unnoticed, or when a figure is absent.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from types import FrameType
from typing import Final

from chaos import book, cluster, contests, crowd, effects, house, mpesa
from chaos.figures import ANSWERED, Figures, say

_BOOK: Final = {
    False: book.Pace(kills=4, load_seconds=0.5, movements_min=2_000, seconds_max=30),
    True: book.Pace(kills=50, load_seconds=1.2, movements_min=250_000, seconds_max=600),
}
_HOUSE: Final = {
    False: effects.Pace(calm_seconds=2.0, rounds=1, after_seconds=1.0),
    True: effects.Pace(calm_seconds=20, rounds=6, after_seconds=3.0, waits_for_abandoned=True),
}
_CROWD_SECONDS: Final = {False: 1.5, True: 20.0}
_CONTEST_ROUNDS: Final = {False: 1, True: 5}
_MPESA: Final = {
    False: mpesa.Pace(each=60, waves=1, kill_every_seconds=6.0, seconds_max=150),
    True: mpesa.Pace(each=2_000, waves=6, kill_every_seconds=4.0, seconds_max=1_300),
}
# Whatever hangs, an answer comes: the short form takes less than one minute, the long one twenty.
_SECONDS_MAX: Final = {False: 240, True: 25 * 60}
_INTERRUPTED: Final = 130


def main(argv: Sequence[str]) -> int:
    """Break everything, and see what stands; the answer is the exit status."""
    parser = argparse.ArgumentParser(
        prog="./run chaos", description="Kill every part of the house under load; judge the rest."
    )
    parser.add_argument("--long", action="store_true", help="50 kills and more, in 20 minutes")
    parser.add_argument("--only", choices=["book", "house"], help="one half of it")
    parser.add_argument(
        "--mpesa", action="store_true", help="instead: money in and out, and Safaricom at its worst"
    )
    parser.add_argument("--json", action="store_true", help="one object a line, and no table")
    chosen = parser.parse_args(argv)
    _die_tidily(_SECONDS_MAX[chosen.long])
    figures = Figures(is_told=chosen.json, judges_times=chosen.long)
    try:
        if chosen.mpesa:
            with house.running() as running:
                mpesa.check(running, figures, pace=_MPESA[chosen.long])
        else:
            _measure(figures, is_long=chosen.long, only=chosen.only)
    except KeyboardInterrupt:
        say("interrupted: all of it was ended")
        return _INTERRUPTED
    finally:
        if not chosen.json:
            print(figures.table(), flush=True)
    absent = [] if chosen.only or chosen.mpesa else figures.absent(ANSWERED)
    for name in figures.missed:
        say(f"missed: {name}")
    for name in absent:
        say(f"absent: {name}")
    return 1 if figures.missed or absent else 0


def _measure(figures: Figures, *, is_long: bool, only: str | None) -> None:
    """Both halves: at once when it is short, as one of them mostly waits."""
    is_beside = not is_long and only is None
    if only != "book":
        with house.running() as running:
            beside = partial(_book_beside, running, figures) if is_beside else nullcontext
            effects.check(running, figures, pace=_HOUSE[is_long], beside=beside)
    if only != "house" and not is_beside:
        with cluster.running() as server:
            book.check(server, figures, pace=_BOOK[is_long])
            crowd.check(server, figures, seconds=_CROWD_SECONDS[is_long])
            contests.check(server, figures, rounds=_CONTEST_ROUNDS[is_long])


@contextmanager
def _book_beside(running: house.House, figures: Figures) -> Iterator[None]:
    """The other half, in a process of its own: what it breaks in itself breaks nothing here."""
    command = [sys.executable, "-m", "chaos", "--only", "book", "--json"]
    with running.accompanied(command) as other:
        yield
        told, _ = other.communicate(timeout=_SECONDS_MAX[False])
        figures.take(told)
        if other.returncode and not figures.missed:
            raise RuntimeError("the other half ended before its time; its words are above")


def _die_tidily(seconds_max: int) -> None:
    """Let every end that can be told run the way out: servers are ended, folders thrown away."""

    def leave(number: int, _frame: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)  # once is enough; the way out takes a moment
        if number == signal.SIGALRM:
            raise TimeoutError(f"not done after {seconds_max} s; is another program in the way?")
        raise KeyboardInterrupt

    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(each, leave)
    signal.alarm(seconds_max)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
