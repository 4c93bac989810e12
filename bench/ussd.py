"""
The USSD door under load, beside its floor: navigation, the five-hop session, workers stopped.

A navigation hop is one that costs no SQL. The five-hop session is dial, 1, number, amount, PIN:
its hop "1" navigates, the dial and the next two look something up, the last one orders.
"""

from __future__ import annotations

import itertools
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from bench import stack
from bench.figures import Figures, say
from bench.load import Hop, Measured, Script, drive
from bench.stack import Stack
from sandbox import product

PEOPLE: Final = 400
PATH: Final = "/ussd/africastalking/sandbox"
NAVIGATION_GOAL: Final = 0.7
CONFIRM_P50_MS_MAX: Final = 40.0
RECEIVED_P99_MS_MAX: Final = 3000.0

# Account, back, help, a topic, back, back, help, another topic: what people do without money.
_WALK: Final = ("3", "0", "4", "1", "0", "0", "4", "2", "0", "0") * 3
_numbers: Final = itertools.count()


def run(*, seconds: float, rounds: int) -> int:
    """Measure everything; return 0 when every goal was reached and the book balances."""
    figures = Figures()
    say("bench: starting PostgreSQL, Valkey, web, workers, sandbox and the floor …")
    with stack.running(PEOPLE) as house:
        for at_once in (1, 20):
            _measure(house, figures, at_once=at_once, seconds=seconds, rounds=rounds)
        _measure_stopped(house, figures, seconds=seconds)
        if not stack.balanced(house.databases):
            figures.missed.append("the book balances")
    for name in figures.missed:
        say(f"missed: {name}")
    return 1 if figures.missed else 0


def _measure(house: Stack, figures: Figures, *, at_once: int, seconds: float, rounds: int) -> None:
    floors: list[Measured] = []
    walks: list[Measured] = []
    sessions: list[Measured] = []
    for number in range(rounds + 1):
        say(f"bench: {at_once} at once, round {number} of {rounds} (0 warms up) …")
        took = seconds if number else min(seconds, 1.0)
        # The floor's turn comes when the workers have nothing left to do, as the walk's does.
        stack.until(lambda: stack.undone(house.databases) == 0)
        floor = drive(house.floor_port, "/floor", [_walking(house)] * at_once, seconds=took)
        walk = drive(house.ports.web, PATH, [_walking(house)] * at_once, seconds=took)
        session = drive(house.ports.web, PATH, _sending(house, at_once), seconds=took)
        if number:
            floors.append(floor)
            walks.append(walk)
            sessions.append(session)
    sessions_word = "1 session" if at_once == 1 else f"{at_once} sessions"
    everything = ("dial", "navigation")
    floor_rate = _median(floors, lambda each: each.rate(*everything))
    # The dial of each walk looks the caller up; its time is taken out of the navigation's.
    figures.rate(
        f"navigation hops, {sessions_word}",
        _median(walks, lambda each: _rate_of(each, "navigation", at_once)),
        floor=_median(floors, lambda each: _rate_of(each, "navigation", at_once)),
        goal=NAVIGATION_GOAL,
    )
    figures.rate(
        f"hops before the PIN, {sessions_word}",
        _median(sessions, lambda each: _rate_of(each, "lookup", at_once)),
        floor=floor_rate,
    )
    figures.rate(
        f"hops of the five-hop session, {sessions_word}",
        _median(sessions, lambda each: each.rate("lookup", "confirm")),
        floor=floor_rate,
    )
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        value = _median(sessions, lambda each, s=share: each.percentile(s, "lookup", "confirm"))  # type: ignore[misc]
        figures.at_most(f"hop of the five-hop session {name}, {sessions_word}", value, "ms")
        for kind, lot in (("navigation", walks), ("lookup", sessions), ("confirm", sessions)):
            value = _median(lot, lambda each, k=kind, s=share: each.percentile(s, k))  # type: ignore[misc]
            gated = kind == "confirm" and share == 0.5 and at_once == 1  # noqa: PLR2004 - the median
            figures.at_most(
                f"{kind} hop {name}, {sessions_word}",
                value,
                "ms",
                goal=CONFIRM_P50_MS_MAX if gated else None,
            )
        value = _median(floors, lambda each, s=share: each.percentile(s, *everything))  # type: ignore[misc]
        figures.at_most(f"floor hop {name}, {sessions_word}", value, "ms")
    confirmed = [hop for lot in sessions for hop in lot.answers if hop.kind == "confirm"]
    told = sum(hop.answer.startswith("END Sent KES") for hop in confirmed)
    figures.at_most(
        f"confirming hops not answered with the outcome, {sessions_word}",
        100 * (len(confirmed) - told) / max(len(confirmed), 1),
        "%",
    )


def _measure_stopped(house: Stack, figures: Figures, *, seconds: float) -> None:
    """
    Eight confirm, each once a second, and twelve walk: with the ledger worker there, then gone.

    The pause keeps the confirming the same in both: without a wait they would confirm more often.
    """
    say("bench: navigation beside confirming customers, ledger worker there and gone …")
    mixed = [*([_walking(house)] * 12), *_sending(house, 8, pause=1.0)]
    # What was said before is sent first: it would be sent beside one of the two, or both.
    stack.until(lambda: stack.undone(house.databases) == 0, seconds=300)
    drive(house.ports.web, PATH, mixed, seconds=1.0)
    there = drive(house.ports.web, PATH, mixed, seconds=max(seconds, 2.0))
    house.stop("ledger")
    drive(house.ports.web, PATH, mixed, seconds=1.0)
    gone = drive(house.ports.web, PATH, mixed, seconds=max(seconds, 2.0))
    figures.rate(
        "navigation hops while others confirm, ledger worker gone (floor: worker there)",
        _rate_of(gone, "navigation", 12),
        floor=_rate_of(there, "navigation", 12),
        goal=0.8,
    )
    figures.at_most(
        "confirming hop p99, ledger worker gone",
        gone.percentile(0.99, "confirm"),
        "ms",
        goal=RECEIVED_P99_MS_MAX,
    )
    house.start("ledger", product.servers(house.ports)["ledger"])
    stack.until(lambda: stack.undone(house.databases) == 0)


def _rate_of(measured: Measured, kind: str, at_once: int) -> float:
    """Hops per second if so many sessions did nothing but hops of this kind."""
    took = sum(measured.seconds.get(kind, []))
    return at_once * len(measured.seconds.get(kind, [])) / took if took else 0.0


def _walking(house: Stack) -> Callable[[], Script]:
    def script() -> Iterator[Hop]:
        number = next(_numbers)
        msisdn, session = house.people[number % PEOPLE], f"ATUid_{number:032x}"
        text = ""
        yield Hop("dial", msisdn, session, text)
        for answer in _WALK:
            text = f"{text}*{answer}" if text else answer
            yield Hop("navigation", msisdn, session, text)

    return script


def _sending(house: Stack, at_once: int, *, pause: float = 0.0) -> Sequence[Callable[[], Script]]:
    def script() -> Iterator[Hop]:
        number = next(_numbers)
        sender, to = house.people[number % PEOPLE], house.people[(number * 7 + 3) % PEOPLE]
        if sender == to:
            to = house.people[(number + 1) % PEOPLE]
        session = f"ATUid_{number:032x}"
        yield Hop("lookup", sender, session, "", pause=pause)
        for text in ("1", f"1*{to}", f"1*{to}*10"):
            yield Hop("lookup", sender, session, text)
        yield Hop("confirm", sender, session, f"1*{to}*10*{stack.PIN}")

    return [script] * at_once


def _median(lots: Sequence[Measured], of: Callable[[Measured], float]) -> float:
    return statistics.median(of(lot) for lot in lots)


if __name__ == "__main__":
    sys.exit(run(seconds=3.0, rounds=5))
