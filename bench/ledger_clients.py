"""
What one client process does in the ledger's benchmark; returns its calls, or transfers, a second.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from redis import Redis
from sqlalchemy import make_url

from core import db, ledger, subscribers, transfers
from core.ledger import Draft, Reason
from core.money import kes
from workers.bell import Bell
from workers.queues import Name, queue

Client = Callable[[str, int, int, float, int], float]

_BATCH = 100
_ORDERS_AT_ONCE = 20
_CALL = "SELECT post_alone(now(), %s, 'transfer', NULL, %s::bigint[], %s::bigint[])"


def raw(url: str, first: int, accounts: int, seconds: float, number: int) -> float:
    """Call `post_alone` through psycopg2 alone, each call a transaction."""
    parts = make_url(url)
    import psycopg2  # noqa: PLC0415 - the one place that wants the driver bare

    connection = psycopg2.connect(
        host=parts.query["host"], user=parts.username, dbname=parts.database
    )
    connection.autocommit = True
    cursor, chance = connection.cursor(), random.Random(number)

    def once(count: int) -> None:
        a, b = _two(chance, first, accounts)
        key, amount = f"raw:{number}:{time.time_ns()}:{count}", 10 if a > b else -10
        cursor.execute(_CALL, (key, sorted((a, b)), [amount, -amount]))
        [(balances,)] = cursor.fetchall()
        assert balances

    rate = _for(seconds, once)
    connection.close()
    return rate


def api(url: str, first: int, accounts: int, seconds: float, number: int) -> float:
    """Post one journal through `core.ledger`, each in a transaction."""
    databases, chance = db.connect(url, role=db.WORKER), random.Random(number)

    def once(count: int) -> None:
        a, b = _two(chance, first, accounts)
        draft = Draft(f"api:{number}:{time.time_ns()}:{count}", Reason.TRANSFER, {a: -10, b: 10})
        with databases.begin() as session:
            [posting] = ledger.post(session, drafts=[draft], now=datetime.now(UTC))
        assert posting.is_posted

    return _for(seconds, once)


def batches(url: str, first: int, accounts: int, seconds: float, number: int) -> float:
    """Post a hundred journals in a transaction, each with its outcome."""
    return _batches(url, first, accounts, seconds, number, is_limited=False)


def limited(url: str, first: int, accounts: int, seconds: float, number: int) -> float:
    """Post as many, each of somebody who spends: the limits of both sides are asked as well."""
    return _batches(url, first, accounts, seconds, number, is_limited=True)


def _batches(
    url: str, first: int, accounts: int, seconds: float, number: int, *, is_limited: bool
) -> float:
    databases, chance = db.connect(url, role=db.WORKER), random.Random(number)

    def once(count: int) -> None:
        drafts = []
        for each in range(_BATCH):
            a, b = _two(chance, first, accounts)
            key = f"batch:{number}:{time.time_ns()}:{count}:{each}"
            spender = (a, 10) if is_limited else None
            drafts.append(Draft(key, Reason.TRANSFER, {a: -10, b: 10}, spender=spender))
        with databases.begin() as session:
            postings = ledger.post(session, drafts=drafts, now=datetime.now(UTC))
        assert all(posting.is_posted for posting in postings)

    return _for(seconds, once) * _BATCH


def order(
    url: str,
    redis_url: str,
    people: Sequence[str],
    seconds: float,
    number: int,
    *,
    rate: float | None,
) -> int:
    """
    Order transfers, ringing as a door does; return how many.

    Args:
        url: The database.
        redis_url: Where the ledger is rung.
        people: Who sends to whom.
        seconds: For how long.
        number: Of this process, for its keys and its chance.
        rate: Orders a second; one that is late counts from when it was due. None: as fast as it
            goes.
    """
    databases, chance = db.connect(url, role=db.WEB), random.Random(number)
    redis = Redis.from_url(redis_url)
    bell = Bell(redis, queue(Name.LEDGER, redis), waiting_max=1)
    with databases() as session:
        known = [subscribers.recipient(session, msisdn=each) for each in people]
        quoted = transfers.quote(session, sender=known[0], amount=kes(1_00), now=datetime.now(UTC))
    begun, begins, ends = time.time_ns(), datetime.now(UTC), time.monotonic() + seconds
    ordered = 0
    while time.monotonic() < ends:
        now = datetime.now(UTC)
        if rate is not None:
            due = begins + timedelta(seconds=ordered / rate)
            time.sleep(max((due - now).total_seconds(), 0))
            now = due
        with databases.begin() as session:
            for _ in range(_ORDERS_AT_ONCE):
                sender, recipient = chance.sample(known, 2)
                transfers.order(
                    session,
                    sender=sender,
                    recipient=recipient.id,
                    quoted=quoted,
                    key=f"bench:{begun}:{number}:{ordered}",
                    now=now,
                )
                ordered += 1
        bell.ring()
    return ordered


def _two(chance: random.Random, first: int, accounts: int) -> tuple[int, int]:
    a = chance.randrange(accounts)
    b = (a + 1 + chance.randrange(accounts - 1)) % accounts
    return first + 1 + a, first + 1 + b


def _for(seconds: float, once: Callable[[int], Any]) -> float:
    """Do it for so long, after a short while that is not counted; how often a second."""
    warm = time.perf_counter() + min(seconds / 4, 0.5)
    count = 0
    while time.perf_counter() < warm:
        once(count)
        count += 1
    began, first = time.perf_counter(), count
    while time.perf_counter() < began + seconds:
        once(count)
        count += 1
    return (count - first) / (time.perf_counter() - began)
