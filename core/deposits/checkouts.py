"""
Deposits that are paid on a page of a rail's: by card, bank or phone, in any currency of ours.

    expected ── begin, opened ──► prompted ── paid ──► settled
        └── refused ──► failed       └── lapse ──► expired ── paid after all ──► settled

A page moves nothing. One whose address was lost is known to nobody, so another may be asked for,
under another reference: `D7Q2M4KX81-2` is the second page of the deposit `D7Q2M4KX81`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core import arrivals, chart, limits, orders
from core.deposits import settling
from core.deposits.asking import Expected
from core.deposits.prompting import next_ask
from core.deposits.rows import MAY_COME, OPEN, Deposit, State, locked
from core.deposits.settling import Came, Settlement
from core.errors import Refused
from core.ledger import Draft, Reason
from core.limits import AmountTooLarge, AmountTooSmall, NotScreened
from core.money import Money, kes
from core.orders import KeyReused
from core.outbox import Event
from core.rails import Provider
from core.subscribers import AccountClosed, Person
from core.suspense import Kind

OPEN_FOR: Final = timedelta(minutes=30)
"""How long a page is waited for before whoever asked is told."""
ASKED_FOR: Final = timedelta(hours=24)
PAGES_MAX: Final = 5
OPEN_MAX: Final = 5
"""Checkouts that one person may have open at once."""
_LEASE: Final = timedelta(minutes=1)
_LOT: Final = 200
_REFERENCE: Final = re.compile(r"(D[0-9A-Z]{9})-[1-9]")


@dataclass(eq=False)
class TooManyCheckouts(Refused):
    """So many pages wait to be paid on already; pay, or let them lapse."""

    count_max: int


@dataclass(frozen=True, slots=True)
class CheckoutQuote:
    """
    What a checkout comes to.

    Args:
        amount: What is to be paid on the page.
        fee: What we keep of it, the rail's share within it.
        provider: Over whose rail.
    """

    amount: Money
    fee: Money
    provider: Provider

    @property
    def credited(self) -> Money:
        """What comes into the account."""
        return self.amount - self.fee


@dataclass(frozen=True, slots=True)
class Page:
    """A page about to be asked for. The caller alone has it, and has committed so."""

    id: int
    rail_reference: str
    amount: Money


# A ceiling is that of all currencies together, so that it is asked in shillings whichever it is.
_QUOTED: Final = text("""
    SELECT s.tier, s.screening, s.closed_at, l.order_min, l.order_max,
           fee(:kind, :currency, :amount, :now) AS fee,
           equivalent(:amount, :currency, 'KES', :now) AS worth,
           ceiling_refusal(s.account_id, a.balance + d.coming::bigint
               + equivalent(:amount, :currency, 'KES', :now), :now, '{}', '{}') AS refusal,
           d.open
    FROM subscribers s
    JOIN accounts a ON a.id = s.account_id
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE y.provider <> 'mpesa') AS open,
               coalesce(sum(equivalent(y.amount, y.currency, 'KES', :now)), 0) AS coming
        FROM deposits y WHERE y.subscriber_id = s.id
          AND y.state IN ('expected', 'prompting', 'prompted', 'unsure')
    ) d
    CROSS JOIN LATERAL (
        SELECT x.order_min, x.order_max FROM limits x
        WHERE x.kind = 'deposit' AND x.currency = 'KES' AND x.holder = s.kind
          AND x.tier = CASE WHEN s.tier = 'verified' THEN s.tier ELSE 'pending' END
          AND x.valid_from <= :now
        ORDER BY x.valid_from DESC LIMIT 1
    ) l
    WHERE s.id = :subscriber
""")


def quote_checkout(
    session: Session, *, person: Person, amount: Money, provider: Provider, now: datetime
) -> CheckoutQuote:
    """
    Price a deposit over a rail's page, and say early what would stand against it.

    Raises:
        AmountTooSmall, AmountTooLarge: It is not within what is paid in at once.
        CeilingReached: They would hold more than they may.
        AccountSuspended: They may not be given money.
        AccountClosed: They have left.
        TooManyCheckouts: They have as many open as one may.
    """
    found = session.execute(
        _QUOTED,
        {
            "kind": f"deposit-{provider}",
            "currency": amount.currency.value,
            "amount": amount.minor,
            "subscriber": person.id,
            "now": now,
        },
    ).one()
    if found.closed_at is not None:
        raise AccountClosed
    standing = limits.standing(found.tier, found.screening)
    if standing is not None and not isinstance(standing, NotScreened):  # who may receive already
        raise standing
    fee = Money(int(found.fee or 0), amount.currency)
    if found.worth < found.order_min or not fee < amount:
        raise AmountTooSmall(least=kes(found.order_min))
    if found.worth > found.order_max:
        raise AmountTooLarge(most=kes(found.order_max))
    if found.refusal is not None:
        raise limits.refusal(found.refusal["code"], found.refusal)
    if found.open >= OPEN_MAX:
        raise TooManyCheckouts(count_max=OPEN_MAX)
    return CheckoutQuote(amount, fee, provider)


_EXPECT: Final = text("""
    INSERT INTO deposits (key, reference, provider, purpose, subscriber_id, payer, currency, amount,
        fee, expected_at, prompt_at)
    VALUES (:key, :reference, :provider, 'own', :subscriber, :provider, :currency, :amount, :fee,
        :now, :now)
    ON CONFLICT (key) DO NOTHING RETURNING id, reference
""")


def expect_checkout(
    session: Session, *, subscriber: int, quoted: CheckoutQuote, key: str, now: datetime
) -> Expected:
    """
    Ask for a page on which somebody can pay. Safe to repeat under the same key.

    Args:
        session: The door's transaction.
        subscriber: Who gets the money.
        quoted: What was shown.
        key: What makes a repeat harmless.
        now: When.

    Raises:
        KeyReused: The key was used before for something else.
    """
    made = session.execute(
        _EXPECT,
        {
            "key": key,
            "reference": orders.reference("D"),
            "provider": quoted.provider.value,
            "subscriber": subscriber,
            "currency": quoted.amount.currency.value,
            "amount": quoted.amount.minor,
            "fee": quoted.fee.minor,
            "now": now,
        },
    ).one_or_none()
    if made is not None:
        return Expected(made[0], made[1])
    first = session.execute(select(Deposit).where(Deposit.key == key)).scalar_one()
    asked = (subscriber, quoted.provider, quoted.amount)
    if (first.subscriber_id, first.rail, first.money) != asked:
        raise KeyReused
    return Expected(first.id, first.reference)


def due_pages(
    session: Session, *, provider: Provider, now: datetime, deposits_max: int
) -> list[int]:
    """For whom a page should be asked for now, oldest first."""
    found = (
        select(Deposit.id)
        .where(Deposit.provider == provider.value)
        .where(Deposit.state == State.EXPECTED, Deposit.prompt_at <= now)
        .order_by(Deposit.prompt_at)
        .limit(deposits_max)
    )
    return list(session.scalars(found))


def begin_page(session: Session, *, deposit: int, now: datetime) -> Page | None:
    """
    Be the one who asks for a page. Commit before calling.

    It stays expected meanwhile, as nobody knows of the page; should this hand die, another asks a
    minute later, for another page.

    Returns:
        What to ask the rail for; None when somebody else has it, or its time is over.
    """
    found = session.scalars(
        select(Deposit)
        .where(Deposit.id == deposit)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None or found.state != State.EXPECTED or found.prompt_at > now:
        return None
    if found.pages >= PAGES_MAX:
        _went_out(session, found, now)
        settling.failed(session, found, code="no-page", why="the rail made no page", now=now)
        return None
    found.pages, found.prompt_at = found.pages + 1, now + _LEASE
    session.flush()
    return Page(found.id, f"{found.reference}-{found.pages}", found.money)


def opened(session: Session, *, deposit: int, rail_reference: str, url: str, now: datetime) -> None:
    """Say that the rail has made a page, and where. An earlier one's address counts no more."""
    found = locked(session, deposit)
    if found.state != State.EXPECTED or rail_reference != f"{found.reference}-{found.pages}":
        return
    _went_out(session, found, now)
    found.provider_ref, found.checkout_url = rail_reference, url
    found.state, found.next_ask_at = State.PROMPTED, next_ask(found, now)


def put_off(session: Session, *, deposit: int, until: datetime, why: str) -> None:
    """Say that no page was made, or that its address was lost: another is asked for later."""
    found = locked(session, deposit)
    if found.state == State.EXPECTED:
        found.prompt_at, found.why = until, why


def refused(session: Session, *, deposit: int, code: str, why: str, now: datetime) -> None:
    """Say that the rail will make no page: no money can come of it."""
    found = locked(session, deposit)
    if found.state == State.EXPECTED:
        _went_out(session, found, now)
        settling.failed(session, found, code=code, why=why, now=now)


def _went_out(session: Session, found: Deposit, now: datetime) -> None:
    """Be on the way. What a webhook must know of it is our reference, which the rail signs."""
    made = hashlib.sha256(f"{found.reference}-{found.pages}".encode()).digest()
    found.state, found.begun_at, found.token_hash = State.PROMPTING, now, made
    session.flush()


def by_rail_reference(session: Session, *, provider: Provider, reference: str) -> int | None:
    """The deposit whose page a rail calls so."""
    named = _REFERENCE.fullmatch(reference)
    if named is None:
        return None
    return session.scalar(
        select(Deposit.id).where(Deposit.reference == named[1], Deposit.provider == provider.value)
    )


def paid(
    session: Session,
    *,
    deposit: int,
    rail_reference: str,
    receipt: str | None,
    told: Money | None,
    cost: Money | None,
    now: datetime,
) -> Settlement:
    """
    Take it that a page was paid on, as the rail said when it was asked. Safe to repeat.

    Args:
        session: A worker's, short.
        deposit: Which.
        rail_reference: What the rail calls the page.
        receipt: What it calls the payment.
        told: What it says was paid; None: in a currency that we do not hold.
        cost: What it has kept of it.
        now: When.
    """
    if told is None:
        return _foreign(session, deposit, receipt, now=now)
    came = settling.settle(
        session,
        deposit=deposit,
        receipt=receipt,
        told=told,
        payer=None,
        provider_ref=rail_reference,
        now=now,
        confirmed=True,
    )
    if came.came is Came.CREDITED and cost is not None and cost.currency is told.currency:
        book_cost(
            session,
            provider=locked(session, deposit).rail,
            key=f"deposit:{deposit}",
            cost=cost,
            now=now,
        )
    return came


def _foreign(session: Session, deposit: int, receipt: str | None, *, now: datetime) -> Settlement:
    """Leave to staff what was paid in a currency that we do not hold: the book cannot have it."""
    found = locked(session, deposit)
    if found.state == State.SETTLED:
        return Settlement(Came.AGAIN, State.SETTLED)
    evidence = {"told": "paid", "receipt": receipt, "amount": "in a currency that we do not hold"}
    if (known := settling.decided_before(session, found, receipt, evidence, now=now)) is not None:
        return known
    case = settling.look(session, found, Kind.MISMATCH, evidence, now=now, receipt=receipt)
    if found.state != State.REVIEW:
        found.ends(State.REVIEW, now)
        settling.tell(session, found, Event.DEPOSIT_IN_REVIEW, {}, now=now)
    return Settlement(Came.REVIEW, State.REVIEW, case)


def book_cost(
    session: Session, *, provider: Provider, key: str, cost: Money, now: datetime
) -> None:
    """Write down what a rail has kept for its work: that much less of ours is with it."""
    if cost.minor > 0:
        places = chart.RAILS[provider]
        legs = arrivals.legs_between(session, places.costs, places.collected, cost)
        arrivals.post(session, Draft(f"{key}:cost", Reason.COST, legs), now=now)


def declined(session: Session, *, deposit: int, why: str, now: datetime) -> None:
    """
    Say that a try to pay was declined. One may try again on the same page, so nothing has ended.
    """
    found = locked(session, deposit)
    if found.state in MAY_COME:
        found.code, found.why = "declined", why
    if found.state == State.PROMPTED and found.begun_at is not None:
        found.next_ask_at = next_ask(found, now)


def lapse(session: Session, *, now: datetime) -> int:
    """
    End waiting for pages: half an hour after they were made, or asked for in vain.

    All are asked about for a day, and settle if they were paid after all. Of what was declined last
    its owner hears that it has failed, as far as anybody knows: one may have tried again just now.
    """
    late = _lot(session, Deposit.state.in_(OPEN), Deposit.prompt_at <= now - OPEN_FOR)
    for found in late:
        if found.begun_at is not None and found.begun_at > now - OPEN_FOR:
            continue
        asked_at = found.next_ask_at
        found.ends(State.EXPIRED, now)
        found.next_ask_at = asked_at
        if found.code == "declined" and found.begun_at is not None:
            settling.tell(session, found, Event.DEPOSIT_FAILED, {"code": found.code}, now=now)
        else:
            settling.tell(session, found, Event.DEPOSIT_EXPIRED, {}, now=now)
    over = _lot(
        session,
        Deposit.state == State.EXPIRED,
        Deposit.begun_at <= now - ASKED_FOR,
        Deposit.next_ask_at.is_not(None),
    )
    for found in over:
        found.next_ask_at = None
    return len(late)


def _lot(session: Session, *which: object) -> list[Deposit]:
    query = select(Deposit).where(Deposit.provider != Provider.MPESA, *which)  # type: ignore[arg-type]
    locking = query.order_by(Deposit.prompt_at).limit(_LOT).with_for_update(skip_locked=True)
    return list(session.scalars(locking.execution_options(populate_existing=True)))
