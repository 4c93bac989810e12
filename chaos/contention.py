"""
R8 and R9: many at once. No schedule of journals deadlocks, and of a hundred who resolve one thing
exactly one does.
"""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from types import ModuleType
from typing import Final
from unittest import mock

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from chaos import broken, checks
from chaos.cluster import Book, Cluster, now
from chaos.figures import Control, Figures, say
from chaos.storm import Moves
from core import db, execution, holds, ledger, reversals, transfers
from core.db import Databases
from core.errors import DomainError
from core.holds import Hold, HoldState
from core.ledger import Draft, Reason
from core.money import kes
from core.reversals import Reversal
from core.transfers import Quote

CLIENTS: Final = 16
ACCOUNTS: Final = 20
RESOLVERS: Final = 100
_HELD: Final = kes(50_00)
# Between the look and the deed, where nothing keeps the others out.
_THOUGHT_SECONDS: Final = 0.1

Resolution = Callable[[Session, int], None]


def check(cluster: Cluster, figures: Figures, *, seconds: float, rounds: int) -> None:
    """
    Find every figure of contention.

    Args:
        cluster: Where.
        figures: Where they are told.
        seconds: How long sixteen clients go on.
        rounds: How many holds and reversals are resolved by a hundred at once.
    """
    say(f"{CLIENTS} clients over {ACCOUNTS} accounts …")
    unordered = cluster.database("unordered")
    broken.change_post(unordered, broken.UNORDERED)
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
    say(f"{RESOLVERS} at once on one hold, and on one reversal …")
    for what, prepare, ways, locked in (
        ("a hold", _hold, (_capture, _release), _unlocked_holds),
        ("a reversal", _reversal, (_approve, _decline), _unlocked_reversals),
    ):
        slug = what.split()[1]
        book = cluster.database(f"one-{slug}")
        winners = [_resolved(book, prepare, ways) for _ in range(rounds)]
        with book.opened() as databases:
            figures.none(f"minor units out of balance after {what}", checks.unbalanced(databases))
        lawless = cluster.database(f"any-{slug}")
        with locked(lawless):
            many = _resolved(lawless, prepare, ways, losers=(Exception,))
        figures.exactly(
            f"R9 winners of {RESOLVERS} who decide about {what} at once, worst of {rounds}",
            max(winners, key=lambda each: abs(each - 1)),
            "1",
            1,
            control=Control(
                "neither a lock, nor a final state, nor a key of its own", many, many > 1
            ),
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
        while time.monotonic() < ends and not (until_deadlocked and any(failed)):
            time.sleep(0.05)
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


def _resolved(
    book: Book,
    prepare: Callable[[Databases, Book], int],
    ways: Sequence[Resolution],
    *,
    losers: tuple[type[Exception], ...] = (DomainError,),
) -> int:
    """
    Let a hundred resolve one thing at once; how many were told that they did.

    Args:
        book: Where.
        prepare: Makes what is resolved.
        ways: What the hundred do, in turn.
        losers: What they may be told otherwise; anything else ends all of it.
    """
    with book.opened(role=db.WORKER, connections_max=RESOLVERS) as databases:
        it = prepare(databases, book)
        ready = threading.Barrier(RESOLVERS)

        def resolve(number: int) -> bool:
            way = ways[number % len(ways)]
            with databases() as session:
                session.execute(text("SELECT 1"))  # each has a connection of its own by now
                session.rollback()
                ready.wait(30)
                try:
                    with session.begin():
                        way(session, it)
                except losers:
                    return False
                return True

        with ThreadPoolExecutor(RESOLVERS) as pool:
            return sum(pool.map(resolve, range(RESOLVERS)))


def _hold(databases: Databases, book: Book) -> int:
    """Set money aside; as much again twice, which a second resolution could take."""
    owner = book.people[0]
    with databases.begin() as session:
        made = [
            holds.place(
                session,
                owner=owner.id,
                amount=_HELD,
                key=f"chaos:{time.monotonic_ns()}",
                expires_at=now() + timedelta(hours=1),
                now=now(),
            )
            for _ in range(3)
        ]
    return made[0]


def _capture(session: Session, hold: int) -> None:
    to = session.scalar(text("SELECT account_id FROM subscribers ORDER BY id DESC LIMIT 1"))
    holds.capture(session, hold=hold, to=int(to or 0), now=now())


def _release(session: Session, hold: int) -> None:
    holds.release(session, hold=hold, now=now())


def _reversal(databases: Databases, book: Book) -> int:
    """A transfer that was executed, and is asked back."""
    sender, recipient = book.people[:2]
    with book.opened(role=db.WEB) as doors, doors.begin() as session:
        placed = transfers.order(
            session,
            sender=sender,
            recipient=recipient.id,
            quoted=Quote(kes(10_00), kes(0)),
            key=f"chaos:{time.monotonic_ns()}",
            now=now(),
        )
    execution.execute(databases, now=now())
    with databases.begin() as session:
        return reversals.request(
            session,
            subscriber=sender.id,
            reference=placed.reference,
            by=sender.msisdn,
            reason="chaos",
            now=now(),
        )


def _approve(session: Session, reversal: int) -> None:
    reversals.approve(session, reversal=reversal, by="staff", note="chaos", now=now())


def _decline(session: Session, reversal: int) -> None:
    reversals.decline(session, reversal=reversal, by="staff", note="chaos", now=now())


@contextmanager
def _unlocked_holds(book: Book) -> Iterator[None]:
    """Resolve holds by a look at them and nothing else."""
    book.run("DROP TRIGGER resolution_is_final ON holds")

    def look(session: Session, *, hold: int, state: HoldState, now: datetime) -> Hold:
        found = session.get(Hold, hold)
        if found is None or found.state != HoldState.OPEN:
            raise holds.HoldResolved
        time.sleep(_THOUGHT_SECONDS)
        found.state, found.resolved_at = state, now
        return found

    with mock.patch.object(holds, "_resolve", look), _keys_anew(holds):
        yield


@contextmanager
def _unlocked_reversals(book: Book) -> Iterator[None]:
    """Decide about reversals by a look at them and nothing else."""
    book.run("DROP TRIGGER decision_is_final ON reversals")

    def look(session: Session, reversal: int, **_words: str) -> Reversal:
        found = session.get(Reversal, reversal)
        if found is None or found.state != reversals.ReversalState.REQUESTED:
            raise reversals.AlreadyDecided
        time.sleep(_THOUGHT_SECONDS)
        return found

    with mock.patch.object(reversals, "_undecided", look), _keys_anew(reversals):
        yield


@contextmanager
def _keys_anew(module: ModuleType) -> Iterator[None]:
    """Give each journal that a module drafts a key that no other has."""

    def draft(key: str, reason: Reason, legs: Mapping[int, int]) -> Draft:
        return Draft(f"{key}:{secrets.token_hex(8)}", reason, legs)

    with mock.patch.object(module, "Draft", draft):
        yield
