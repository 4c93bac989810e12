"""
R6, R7 and R11: what people are told after kills of every part of the house, how often, how soon.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy import text

from bench import stack
from chaos import checks, lapses, traffic
from chaos.cluster import now
from chaos.figures import Control, Figures, say
from chaos.house import LEDGERS, House
from chaos.neighbours import Neighbours
from chaos.traffic import Effect, Orders, Twice

CALM_P99_SECONDS: Final = 1.0
WORKER_SECONDS: Final = 15.0
REDIS_SECONDS: Final = 20.0
RECOVERED_SECONDS: Final = 2.0

_BEFORE_SECONDS: Final = 0.4
"""How long orders have flowed when something is killed under them."""
_DOWN_SECONDS: Final = RECOVERED_SECONDS + 0.2
_DRAINED_SECONDS: Final = 60.0
# What needs no ring that could be lost: a moment later all is told.
_SOON: Final = ("ledger workers killed", "relay killed")
_TRIES: Final = 3
_ABANDONED_SECONDS: Final = 80.0
_HANDS: Final = 8
"""SMS at once in the worker's hands: so many may be in doubt when it dies, or PostgreSQL does."""
_SENDS: Final = 100
"""People who send through the door; the orders of the others are placed beside it."""

_UNSTAGED: Final = text("""
    SELECT count(*) FROM orders o
    WHERE o.state = 'placed' OR (SELECT count(*) FROM outbox b
        WHERE b.facts ->> 'reference' = o.reference) <> CASE o.state WHEN 'done' THEN 2 ELSE 1 END
""")


@dataclass(frozen=True)
class Pace:
    """How much of it."""

    calm_seconds: float
    rounds: int
    after_seconds: float
    """How long orders flow on after a kill."""
    rate: float = 20.0
    waits_for_abandoned: bool = False


@dataclass(frozen=True)
class Window:
    """What was done to the house between two moments."""

    fault: str
    began: datetime
    ended: datetime

    def seconds(self, effects: Sequence[Effect]) -> list[float]:
        """The times to effect of what was ordered meanwhile, shortest first."""
        return sorted(
            each.seconds
            for each in effects
            if self.began <= each.ordered_at < self.ended and each.arrived_at
        )

    def slowest(self, effects: Sequence[Effect]) -> float:
        """The longest of them: for ever, where nothing had an effect."""
        return max(self.seconds(effects), default=math.inf)


def check(
    house: House,
    figures: Figures,
    *,
    pace: Pace,
    beside: Callable[[], AbstractContextManager[None]],
) -> None:
    """
    Find every figure of the house's.

    Args:
        house: Which will not be what it was.
        figures: Where they are told.
        pace: How much of it.
        beside: What goes on in the quarter of a minute that a lost bell may take.
    """
    say("the house undisturbed …")
    neighbours = Neighbours()
    orders, rings = Orders(house, pace.rate), 0
    calm = _calm(house, orders, pace, figures)
    say("PostgreSQL killed, and how soon the door sends money again …")
    recovered: list[float] = []
    windows: list[Window] = []
    while len(recovered) < pace.rounds or (
        # One is no series: what a neighbour on the machine disturbed is measured again.
        pace.rounds == 1 and min(recovered) > RECOVERED_SECONDS and len(recovered) < _TRIES
    ):
        seconds, window = _recovery(house, orders)
        recovered.append(seconds)
        windows.append(window)
        if pace.rounds > 1:  # of a single one, what follows need not wait
            _drain(house)
    figures.told("times that the recovery was measured", len(recovered), "1")
    others, neighbours = neighbours.share(), Neighbours()
    withheld, down = _recovery(house, orders, down_seconds=_DOWN_SECONDS)
    with beside():
        for _ in range(pace.rounds):
            windows += _killed(house, orders, pace)
            say("all of it killed at once, and every job run twice …")
            twice = Twice(house, after=traffic.newest(house))
            twice.begin()
            windows.append(_fault(house, orders, pace, "all of it killed", partial(_all, house)))
            twice.end()
            rings += twice.rings
        _drain(house)
    later = neighbours.share()
    found = traffic.effects(house)
    slow = _p99(down.seconds(found))
    figures.soon(
        "R7 time to effect undisturbed, p99",
        calm,
        CALM_P99_SECONDS,
        others=others,
        control=_down(slow, CALM_P99_SECONDS),
    )
    figures.soon(
        "R11 PostgreSQL killed to the first transfer through the USSD door",
        max(recovered) if pace.rounds > 1 else min(recovered),
        RECOVERED_SECONDS,
        others=others,
        control=_down(withheld, RECOVERED_SECONDS),
    )
    figures.told("part of the machine that others took, at first", 100 * others, "%")
    figures.told("part of the machine that others took, later", 100 * later, "%")
    _times(figures, windows, found, others=later)
    _doubts(figures, [*windows, down], found)
    _counts(house, figures, found, orders=orders, rings=rings)
    if pace.waits_for_abandoned:
        _abandoned(house, figures)


def _calm(house: House, orders: Orders, pace: Pace, figures: Figures) -> float:
    """
    Orders while nothing else happens; the p99 of the seconds until they had their effect.

    What a neighbour on the machine disturbed is measured again, and it is told how often.
    """
    orders.some()  # whoever has just started is slow once
    p99, tries = CALM_P99_SECONDS + 1, 0
    while p99 > CALM_P99_SECONDS and tries < _TRIES:
        stack.until(lambda: traffic.undone(house) == 0)
        after = traffic.newest(house)
        orders.begin()
        time.sleep(pace.calm_seconds)
        orders.end()
        stack.until(lambda: traffic.undone(house) == 0)
        found = [each for each in traffic.effects(house) if each.outbox > after]
        p99, tries = _p99(sorted(each.seconds for each in found if each.arrived_at)), tries + 1
    figures.told("times that the undisturbed house was measured", tries, "1")
    return p99


def _p99(took: Sequence[float]) -> float:
    """The time within which all but one of a hundred were, of times that are sorted."""
    return took[min(int(len(took) * 0.99), len(took) - 1)] if took else math.inf


def _recovery(house: House, orders: Orders, *, down_seconds: float = 0.0) -> tuple[float, Window]:
    """Kill PostgreSQL under orders; seconds until somebody had sent money through the door."""
    asked_at = now()
    orders.begin()
    time.sleep(_BEFORE_SECONDS)
    succeeded: list[float] = []
    stopped, crashed = threading.Event(), threading.Event()

    def caller() -> None:
        crashed.wait()
        for number in range(10**6):
            sender = house.people[-1 - number % _SENDS]
            if stopped.is_set():
                return
            if traffic.send(house, sender, house.people[number % _SENDS]):
                succeeded.append(time.monotonic())
                return

    calling = threading.Thread(target=caller, name="caller", daemon=True)
    calling.start()
    began = time.monotonic()
    house.crash_postgres(crashed, down_seconds=down_seconds)
    calling.join(_DRAINED_SECONDS)
    stopped.set()
    orders.end()
    took = succeeded[0] - began if succeeded else _DRAINED_SECONDS
    return took, Window("PostgreSQL killed", asked_at, now())


def _fault(
    house: House, orders: Orders, pace: Pace, fault: str, strike: Callable[[], None]
) -> Window:
    """Do something to the house under orders; wait for their end where it is soon or matters."""
    began = now()
    orders.begin()
    time.sleep(_BEFORE_SECONDS)
    strike()
    time.sleep(pace.after_seconds)
    orders.end()
    ended = now()
    if pace.rounds > 1:
        _drain(house)
    elif fault in _SOON:
        stack.until(lambda: traffic.undone(house, since=began) == 0)
    return Window(fault, began, ended)


def _killed(house: House, orders: Orders, pace: Pace) -> list[Window]:
    """Kill every worker once, and the relay; lose Redis."""

    def kill_sending() -> None:
        _keep_sending(house)
        house.kill("sms")

    say("workers and the relay killed, all of Redis lost …")
    faults: dict[str, Callable[[], None]] = {
        "ledger workers killed": lambda: house.kill(*LEDGERS),
        "relay killed": lambda: house.kill("relay"),
        "Redis lost": partial(_lose_redis, house),
        "SMS worker killed": kill_sending,
    }
    return [_fault(house, orders, pace, name, strike) for name, strike in faults.items()]


def _all(house: House) -> None:
    """Kill every worker and the relay, with messages in their hands."""
    _keep_sending(house)
    house.kill(*LEDGERS, "relay", "sms")


def _drain(house: House) -> None:
    stack.until(lambda: traffic.undone(house) == 0, seconds=_DRAINED_SECONDS)


def _lose_redis(house: House) -> None:
    """Lose Redis with rings in it that nobody has heard."""
    _keep_sending(house)
    house.lose_redis()


def _keep_sending(house: House) -> None:
    """Let the SMS worker wait for an answer."""
    traffic.stall(house)
    time.sleep(_BEFORE_SECONDS)


def _times(
    figures: Figures, windows: Sequence[Window], found: Sequence[Effect], *, others: float
) -> None:
    goals = {
        "ledger workers killed": WORKER_SECONDS,
        "relay killed": WORKER_SECONDS,
        "SMS worker killed": WORKER_SECONDS,
        "Redis lost": REDIS_SECONDS,
    }
    for fault, goal in goals.items():
        slowest = max(window.slowest(found) for window in windows if window.fault == fault)
        figures.soon(f"R7 time to effect, {fault}, slowest", slowest, goal, others=others)
    for fault in ("PostgreSQL killed", "all of it killed"):
        slowest = max(window.slowest(found) for window in windows if window.fault == fault)
        figures.told(f"time to effect, {fault}, slowest", slowest, "s")


def _doubts(figures: Figures, windows: Sequence[Window], found: Sequence[Effect]) -> None:
    """What may have gone and may not: no more than was in hands that were cut off."""
    deadly = [each for each in windows if each.fault not in (*_SOON, "Redis lost")]
    doubtful = [each for each in found if each.in_doubt]
    figures.at_most(
        "R6 effects in doubt, told apart and never sent again",
        len(doubtful),
        "1",
        _HANDS * len(deadly),
    )
    figures.told("those in doubt that had arrived", sum(each.copies for each in doubtful), "1")


def _counts(
    house: House, figures: Figures, found: Sequence[Effect], *, orders: Orders, rings: int
) -> None:
    with house.databases() as session:
        unstaged = int(session.scalar(_UNSTAGED) or 0)
    unbalanced = checks.unbalanced(house.databases)
    last = max(each.outbox for each in found)
    say("the controls of the house …")
    doubled = lapses.forgetting(house, orders, after=last)
    missing = lapses.trusting(
        house, orders, after=max(each.outbox for each in traffic.effects(house))
    )
    figures.told("effects", len(found), "1")
    figures.told("orders whose first call broke", orders.repeated, "1")
    figures.at_least("jobs run twice on purpose", 2 * rings, "1", 2)
    figures.none(
        "R6 effects missing",
        unstaged + sum(not each.copies and not each.in_doubt for each in found),
        broken="an event is called done as soon as it is staged",
        control=missing,
    )
    figures.none(
        "R6 effects doubled",
        sum(max(each.copies - 1, 0) for each in found),
        broken="neither a claim nor a sent message is remembered",
        control=doubled,
    )
    for name, deaths in house.deaths.items():
        figures.told(f"times that {name} died unasked", deaths, "1")
    figures.none("R1 minor units out of balance in the house", unbalanced)


def _abandoned(house: House, figures: Figures) -> None:
    """See that what is in doubt is called so, once whoever sent it must be dead."""
    say("waiting until what is in doubt is called unknown …")

    def left() -> int:
        with house.databases() as session:
            sending = text("SELECT count(*) FROM messages WHERE state = 'sending'")
            return int(session.scalar(sending) or 0)

    ends = time.monotonic() + _ABANDONED_SECONDS
    while left() and time.monotonic() < ends:
        time.sleep(1)
    figures.none("R6 messages in doubt that are not called so", left())


def _down(found: float, goal: float) -> Control:
    return Control(f"PostgreSQL is left down for {_DOWN_SECONDS} s", round(found, 3), found > goal)
