"""
Transfers by programs under load, beside their floor: a bare APIFlask route with one insert.

Sixteen programs with keys of their own send at once, each the next when the last was answered.
"""

from __future__ import annotations

import http.client
import itertools
import json
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from bench import stack
from bench.figures import Figures, say
from bench.stack import OPENER, Stack
from core import subscribers
from core.access import keys
from core.access.keys import Lifetime
from core.access.principals import Permission
from sandbox import product

CLIENTS: Final = 16
PEOPLE: Final = 400
_OFTEN: Final = "100000"
_DONE: Final = 201
_numbers: Final = itertools.count()

Request = Callable[[], tuple[str, bytes, dict[str, str]]]


@dataclass
class Measured:
    """Seconds each request took, what they were answered with, and how long it all lasted."""

    seconds: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    lasted: float = 0.0

    @property
    def rate(self) -> float:
        return len(self.seconds) / self.lasted if self.lasted else 0.0

    def percentile(self, share: float) -> float:
        """Milliseconds within which this share was answered."""
        found = sorted(self.seconds)
        return 1000 * found[min(int(len(found) * share), len(found) - 1)] if found else 0.0


def run(*, seconds: float, rounds: int) -> int:
    """Measure everything; return 0 when every transfer was answered and the book balances."""
    figures = Figures()
    say("bench: starting PostgreSQL, Valkey, web, workers, sandbox and the floor …")
    with stack.running(PEOPLE, KABAMBE_API__PER_MINUTE=_OFTEN) as house:
        gunicorn = product.servers(house.ports)["web"][:-1]
        port = stack.free_port()
        house.start("rest-floor", [*gunicorn, "bench.rest_floor:app"], PORT=str(port))
        stack.until(lambda: product.answers(port, "/ready"))
        senders = [_sending(house, bearer) for bearer in _bearers(house)]
        _measure(house, figures, port, senders, seconds=seconds, rounds=rounds)
        stack.until(lambda: stack.undone(house.databases) == 0, seconds=300)
        if not stack.balanced(house.databases):
            figures.missed.append("the book balances")
    for name in figures.missed:
        say(f"missed: {name}")
    return 1 if figures.missed else 0


def _measure(
    house: Stack,
    figures: Figures,
    floor_port: int,
    senders: Sequence[Request],
    *,
    seconds: float,
    rounds: int,
) -> None:
    floors: list[Measured] = []
    transfers: list[Measured] = []
    for number in range(rounds + 1):
        say(f"bench: {CLIENTS} at once, round {number} of {rounds} (0 warms up) …")
        took = seconds if number else min(seconds, 1.0)
        stack.until(lambda: stack.undone(house.databases) == 0, seconds=300)
        floor = drive(floor_port, [_inserting] * CLIENTS, seconds=took)
        transfer = drive(house.ports.web, senders, seconds=took)
        if number:
            floors.append(floor)
            transfers.append(transfer)
    figures.rate(
        f"transfers, {CLIENTS} clients (floor: bare APIFlask route with one insert)",
        statistics.median(each.rate for each in transfers),
        floor=statistics.median(each.rate for each in floors),
    )
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        for lot, what in ((transfers, "transfer"), (floors, "floor")):
            value = statistics.median(each.percentile(share) for each in lot)
            figures.at_most(f"{what} {name}, {CLIENTS} clients", value, "ms")
    statuses = [status for each in transfers for status in each.statuses]
    received = sum(status not in (_DONE, 202) for status in statuses)
    figures.at_most("transfers that failed", 100 * received / len(statuses), "%", goal=0.0)
    later = sum(status != _DONE for status in statuses)
    figures.at_most("transfers answered before they were done", 100 * later / len(statuses), "%")


def _bearers(house: Stack) -> list[str]:
    """A key for each client, of somebody with money."""
    made = []
    for msisdn in house.people[:CLIENTS]:
        with house.databases.begin() as session:
            key = keys.make(
                session,
                person=subscribers.recipient(session, msisdn=msisdn),
                name="bench",
                permissions=[Permission.TRANSFER],
                lifetime=Lifetime.DAY,
                actor=OPENER,
                now=datetime.now(UTC),
            )
        made.append(key.key)
    return made


def _sending(house: Stack, bearer: str) -> Request:
    """Transfers of one shilling to one person after the other."""
    payees = itertools.cycle(house.people[CLIENTS:])

    def request() -> tuple[str, bytes, dict[str, str]]:
        amount = {"value": "10.00", "currency": "KES"}
        body = json.dumps({"to": next(payees), "amount": amount}).encode()
        headers = {"Idempotency-Key": f"bench-{next(_numbers):08}"}
        return "/api/v1/transfers", body, headers | {"Authorization": f"Bearer {bearer}"}

    return request


def _inserting() -> tuple[str, bytes, dict[str, str]]:
    return "/floor", json.dumps({"to": "+254712000001", "value": "10.00"}).encode(), {}


def drive(port: int, requests: Sequence[Request], *, seconds: float) -> Measured:
    """Let every client send over a connection of its own until the time is over."""
    measured = Measured()
    ends = time.perf_counter() + seconds

    def work(make: Request) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while time.perf_counter() < ends:
            path, body, headers = make()
            began = time.perf_counter()
            connection.request("POST", path, body, headers | {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            measured.seconds.append(time.perf_counter() - began)
            measured.statuses.append(answer.status)
        connection.close()

    threads = [threading.Thread(target=work, args=(make,)) for make in requests]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    measured.lasted = time.perf_counter() - began
    return measured
