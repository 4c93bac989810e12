"""
R9: a hundred want to resolve one thing at the same moment, and exactly one does.

Whatever happens once in its life is a `Contest`: how one is made, what the hundred do to it, and
what keeps the others out and is taken away for the control. Another kind of thing is one more line
in `CONTESTS`.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from types import ModuleType
from typing import Any, Final
from unittest import mock

from sqlalchemy import text
from sqlalchemy.orm import Session

from chaos import checks, redemptions
from chaos.cluster import Book, Cluster, now
from chaos.figures import Control, Figures, say
from core import db, exchange, execution, holds, rates, reversals, transfers
from core.audit import Actor
from core.db import Databases
from core.errors import DomainError
from core.ledger import Draft
from core.money import Currency, kes
from core.rates import Rate

RESOLVERS: Final = 100
_HELD: Final = kes(50_00)
_STAFF: Final = Actor("staff:chaos", "office", "chaos")
# Between the look and the deed, where nothing keeps the others out.
_THOUGHT_SECONDS: Final = 0.1

Way = Callable[[Session, int], None]
"""One thing that may be done to what was made, by its id, in a transaction of its own."""


@dataclass(frozen=True)
class Contest:
    """
    A kind of thing that happens once.

    Args:
        what: Its name, as in "a hundred decide about …".
        prepare: Makes one, whose id it returns; asks the worker's side, and the owner's book.
        ways: What the hundred do, in turn.
        role: As whom they do it.
        final: The triggers that let nobody change its end, each with its table.
        keyed: The module whose journals have one key for it, so that there is one journal.
        lawless: What else keeps the others out, taken away for as long as the block lasts.
    """

    what: str
    prepare: Callable[[Databases, Book], int]
    ways: Sequence[Way]
    role: str = db.WORKER
    final: Mapping[str, str] | None = None
    keyed: ModuleType | None = None
    lawless: Callable[[], AbstractContextManager[None]] = nullcontext


def check(cluster: Cluster, figures: Figures, *, rounds: int) -> None:
    """
    Find who wins.

    Args:
        cluster: Where.
        figures: Where it is told.
        rounds: How many of each kind are resolved by a hundred at once.
    """
    for number, contest in enumerate(CONTESTS):
        say(f"{RESOLVERS} at once on {contest.what} …")
        book = cluster.database(f"one-{number}")
        winners = [_winners(contest, book) for _ in range(rounds)]
        with book.opened() as databases:
            figures.none(
                f"R1 minor units out of balance after {contest.what}", checks.unbalanced(databases)
            )
        lawless = cluster.database(f"any-{number}")
        with _lawless(contest, lawless):
            many = _winners(contest, lawless, losers=(Exception,))
        figures.exactly(
            f"R9 winners of {RESOLVERS} at once on {contest.what}, worst of {rounds}",
            max(winners, key=lambda each: abs(each - 1)),
            "1",
            1,
            control=Control("no lock, no final state, no key of its own", many, many > 1),
        )


def _winners(
    contest: Contest, book: Book, *, losers: tuple[type[Exception], ...] = (DomainError,)
) -> int:
    """
    Let a hundred resolve one thing at once; how many were told that they did.

    Args:
        contest: What is resolved, and how.
        book: Where.
        losers: What they may be told otherwise; anything else ends all of it.
    """
    with book.opened(role=db.WORKER) as workers:
        it = contest.prepare(workers, book)
    with book.opened(role=contest.role, connections_max=RESOLVERS) as databases:
        ready = threading.Barrier(RESOLVERS)

        def resolve(number: int) -> bool:
            way = contest.ways[number % len(contest.ways)]
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


@contextmanager
def _lawless(contest: Contest, book: Book) -> Iterator[None]:
    """Resolve by a look at the row, a thought, and the deed."""
    for trigger, table in (contest.final or {}).items():
        book.run(f"DROP TRIGGER {trigger} ON {table}")
    look = Session.get

    def unlocked(
        session: Session,
        what: type[object],
        which: int,
        *,
        with_for_update: bool = False,
        populate_existing: bool = False,
    ) -> object:
        found = look(session, what, which, populate_existing=populate_existing)
        if with_for_update:
            time.sleep(_THOUGHT_SECONDS)
        return found

    with ExitStack() as patches:
        patches.enter_context(mock.patch.object(Session, "get", unlocked))
        patches.enter_context(contest.lawless())
        if contest.keyed is not None:
            patches.enter_context(mock.patch.object(contest.keyed, "Draft", _draft_anew))
        yield


def _draft_anew(*said: Any) -> Draft:  # noqa: ANN401 - whatever a draft is made of
    """A journal under a key that no other has."""
    draft = Draft(*said)
    return replace(draft, key=f"{draft.key}:{secrets.token_hex(8)}")


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
            quoted=transfers.quote(session, sender=sender, amount=kes(10_00), now=now()),
            key=f"chaos:{time.monotonic_ns()}",
            now=now(),
        )
    execution.execute(databases, now=now())
    with databases.begin() as session:
        return reversals.request(
            session,
            subscriber=sender.id,
            reference=placed.reference,
            actor=Actor(sender.msisdn, "ussd", "chaos"),
            reason="chaos",
            now=now(),
        )


def _approve(session: Session, reversal: int) -> None:
    reversals.approve(session, reversal=reversal, actor=_STAFF, note="chaos", now=now())


def _decline(session: Session, reversal: int) -> None:
    reversals.decline(session, reversal=reversal, actor=_STAFF, note="chaos", now=now())


def _promise(databases: Databases, book: Book) -> int:
    """A price that is promised for one exchange."""
    rate = Rate(Currency.USD, Currency.KES, Decimal(129), Decimal(130), "chaos", now())
    with databases.begin() as session:
        rates.record(session, rates=[rate], now=now())
    with book.opened(role=db.WEB) as doors, doors.begin() as session:
        owner = book.people[0].id
        return exchange.quote(
            session, subscriber=owner, give=kes(1_000_00), currency=Currency.USD, now=now()
        ).id


def _take(session: Session, quote: int) -> None:
    owner = session.scalar(text("SELECT subscriber_id FROM quotes WHERE id = :id"), {"id": quote})
    key = f"chaos:{secrets.token_hex(8)}"
    exchange.order(session, subscriber=int(owner or 0), quote=quote, key=key, now=now())


CONTESTS: Final = (
    Contest(
        "one hold",
        _hold,
        (_capture, _release),
        final={"resolution_is_final": "holds"},
        keyed=holds,
    ),
    Contest(
        "one reversal's approval",
        _reversal,
        (_approve, _decline),
        final={"decision_is_final": "reversals"},
        keyed=reversals,
    ),
    Contest(
        "one promised price",
        _promise,
        (_take,),
        final={"order_is_final": "quotes"},
        role=db.WEB,
    ),
    Contest(
        "one voucher",
        partial(redemptions.prepare, orders=RESOLVERS),
        (redemptions.redeem,),
        final={"resolution_is_final": "vouchers"},
        lawless=redemptions.lawless,
    ),
)
