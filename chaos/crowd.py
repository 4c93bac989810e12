"""
R8: sixteen clients over twenty accounts, which they name in any order; nobody waits in a circle.
"""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from chaos import broken
from chaos.cluster import Book, Cluster, now
from chaos.figures import Figures, say
from chaos.storm import Moves
from core import db, ledger
from core.ledger import Draft, Reason

CLIENTS: Final = 16
ACCOUNTS: Final = 20


def check(cluster: Cluster, figures: Figures, *, seconds: float) -> None:
    """
    Count deadlocks.

    Args:
        cluster: Where.
        figures: Where it is told.
        seconds: How long sixteen clients go on.
    """
    say(f"{CLIENTS} clients over {ACCOUNTS} accounts …")
    unordered = cluster.database("unordered")
    broken.change(unordered, broken.UNORDERED)
    unordered.run("ALTER DATABASE unordered SET deadlock_timeout = '100ms'")
    control, _ = _crowd(unordered, seconds=5.0, until_deadlocked=True)
    ordered = cluster.database("ordered")
    found, count = _crowd(ordered, seconds=seconds)
    figures.told(f"journals of {CLIENTS} clients over {ACCOUNTS} accounts", count, "1")
    figures.none(
        "R8 deadlocks, or calls that failed otherwise",
        found,
        broken="post locks the accounts as they are named",
        control=control,
    )


def _crowd(book: Book, *, seconds: float, until_deadlocked: bool = False) -> tuple[int, int]:
    """Journals of every kind from sixteen clients; failures or deadlocks counted, and journals."""
    half = ACCOUNTS // 2
    few = replace(
        book,
        people=book.people[:half],
        shillings=book.shillings[:half],
        dollars=book.dollars[:half],
    )
    stopped = threading.Event()
    posted, failed = [0] * CLIENTS, [0] * CLIENTS

    def client(number: int) -> None:
        moves = Moves(few, random.Random(number))
        while not stopped.is_set():
            drafts = [
                _shuffled(moves, f"crowd:{number}:{posted[number]}:{failed[number]}:{place}")
                for place in range(moves.chance.choice([1, 1, 5]))
            ]
            try:
                with databases.begin() as session:
                    ledger.post(session, drafts=drafts, now=now())
                posted[number] += len(drafts)
            except DBAPIError:
                failed[number] += 1

    with (
        few.opened(role=db.WORKER, connections_max=CLIENTS) as databases,
        ThreadPoolExecutor(CLIENTS) as pool,
    ):
        clients = [pool.submit(client, number) for number in range(CLIENTS)]
        ends = time.monotonic() + seconds
        try:
            while time.monotonic() < ends and not (until_deadlocked and any(failed)):
                time.sleep(0.05)
        finally:
            stopped.set()
        for each in clients:
            each.result()
    return max(_deadlocks(book), sum(failed)), sum(posted)


def _shuffled(moves: Moves, key: str) -> Draft:
    """A movement whose accounts are named in any order."""
    legs = list(moves.legs().items())
    moves.chance.shuffle(legs)
    return Draft(key, Reason.TRANSFER, dict(legs))


def _deadlocks(book: Book) -> int:
    """What the server counted in this database, once its sessions have told it."""
    with book.opened() as databases, databases() as session:
        session.execute(text("SELECT pg_stat_force_next_flush()"))
        counted = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(session.scalar(counted) or 0)
