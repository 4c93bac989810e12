"""
What a door does: price a deposit, expect it, and look what became of the last one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from core import limits, orders, rails
from core.arrivals import FEES
from core.deposits.rows import OPEN, Deposit, DepositOpen, Seen, State
from core.errors import DomainError
from core.limits import AmountTooLarge, AmountTooSmall, NotScreened
from core.money import Money, kes
from core.orders import KeyReused
from core.rails import Provider
from core.subscribers import AccountClosed, Person

PROMPT_DELAY: Final = timedelta(seconds=3)
# How long one payer, or the same amount of theirs, must wait before another prompt.
_APART: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Quote:
    """
    What a deposit comes to, shown before it is asked for.

    Args:
        amount: What the payer is asked for.
        fee: What we keep of it.
        tariff: What M-Pesa asks of the payer besides, as far as we know; it is told, not booked.
        purpose: `own`, or `till` for what is paid to a merchant.
    """

    amount: Money
    fee: Money
    tariff: Money
    purpose: str = "own"

    @property
    def credited(self) -> Money:
        """What comes into the account."""
        return self.amount - self.fee


@dataclass(frozen=True, slots=True)
class Expected:
    """A deposit that was asked for."""

    id: int
    reference: str


# What is on its way already counts as there, so that nobody is asked for what they may not hold.
_QUOTED: Final = text("""
    SELECT s.tier, s.screening, s.closed_at, l.order_min, l.order_max,
           fee(:kind, 'KES', :amount, :now) AS fee,
           fee('mpesa-paybill', 'KES', :amount, :now) AS tariff,
           ceiling_refusal(s.account_id, a.balance + :amount + coalesce(d.coming, 0)::bigint, :now,
               '{}', '{}') AS refusal
    FROM subscribers s
    JOIN accounts a ON a.id = s.account_id
    LEFT JOIN LATERAL (
        SELECT x.order_min, x.order_max FROM limits x
        WHERE x.kind = 'deposit' AND x.currency = 'KES' AND x.holder = s.kind
          AND x.tier = CASE WHEN s.tier = 'verified' THEN s.tier ELSE 'pending' END
          AND x.valid_from <= :now
        ORDER BY x.valid_from DESC LIMIT 1
    ) l ON true
    CROSS JOIN LATERAL (
        SELECT sum(y.amount) AS coming FROM deposits y
        WHERE y.subscriber_id = s.id AND y.currency = 'KES'
          AND y.state IN ('expected', 'prompting', 'prompted', 'unsure')
    ) d
    WHERE s.id = :subscriber
""")
# Open ones hold any other back; what has ended otherwise than by failing, the same amount.
_LATELY: Final = text("""
    SELECT max(expected_at) FROM deposits
    WHERE provider = 'mpesa' AND payer = :payer AND expected_at > :since
      AND (state = ANY (:open) OR state <> 'failed' AND amount = :amount)
""")


def quote(
    session: Session,
    *,
    person: Person,
    amount: Money,
    now: datetime,
    payer: str | None = None,
    purpose: str = "own",
) -> Quote:
    """
    Price a deposit, and say early what would stand against it.

    Args:
        session: Any.
        person: Who gets the money.
        amount: What the payer is asked for.
        now: When.
        payer: Whose phone is prompted (E.164); None: the person's own.
        purpose: `own`, or `till` where the person is a merchant whom somebody else pays.

    Raises:
        NotWholeShillings: M-Pesa cannot move it.
        AmountTooSmall, AmountTooLarge: It is not within what is paid in at once.
        CeilingReached: The person would hold more than they may.
        AccountSuspended: The person may not be given money.
        AccountClosed: They have left.
        InvalidMsisdn: The payer's is no number of M-Pesa's.
        DepositOpen: The payer was prompted a moment ago.
    """
    number = person.msisdn if payer is None else payer
    rails.require_whole(amount)
    rails.require_mobile(number)
    given = {
        "kind": FEES[purpose][0],
        "amount": amount.minor,
        "subscriber": person.id,
        "now": now,
    }
    found = session.execute(_QUOTED, given).one()
    if (error := _objection(found, amount)) is not None:
        raise error
    _require_apart(session, payer=number, amount=amount, now=now)
    return Quote(
        amount, Money(int(found.fee or 0), amount.currency), kes(int(found.tariff)), purpose
    )


def _objection(found: Row[Any], amount: Money) -> DomainError | None:
    if found.closed_at is not None:
        return AccountClosed()
    standing = limits.standing(found.tier, found.screening)
    if standing is not None and not isinstance(standing, NotScreened):  # who may receive already
        return standing
    if amount.minor < found.order_min:
        return AmountTooSmall(least=kes(found.order_min))
    if amount.minor > found.order_max:
        return AmountTooLarge(most=kes(found.order_max))
    if found.refusal is not None:
        return limits.refusal(found.refusal["code"], found.refusal)
    return None


def _require_apart(session: Session, *, payer: str, amount: Money, now: datetime) -> None:
    given = {
        "payer": payer,
        "amount": amount.minor,
        "since": now - _APART,
        "open": [state.value for state in OPEN],
    }
    newest = session.scalar(_LATELY, given)
    if newest is not None:
        raise DepositOpen(until=newest + _APART)


_EXPECT: Final = text("""
    INSERT INTO deposits (key, reference, provider, purpose, subscriber_id, payer, currency, amount,
        fee, expected_at, prompt_at)
    VALUES (:key, :reference, :provider, :purpose, :subscriber, :payer, :currency, :amount, :fee,
        :now, :prompt_at)
    ON CONFLICT (key) DO NOTHING RETURNING id, reference
""")


def expect(
    session: Session,
    *,
    subscriber: int,
    payer: str,
    quoted: Quote,
    key: str,
    now: datetime,
    provider: Provider = Provider.MPESA,
    delay: timedelta = PROMPT_DELAY,
) -> Expected:
    """
    Ask for a deposit. Nobody is prompted before this has committed, and `delay` has passed.

    Safe to repeat: the same key and arguments find the first one.

    Args:
        session: The hop's transaction.
        subscriber: Who gets the money.
        payer: Whose phone is prompted, in E.164.
        quoted: What was shown.
        key: What makes a repeat harmless.
        now: When it is asked for.
        provider: Over whose rail.
        delay: How long to wait with the prompt: it cannot appear while a USSD session is open.

    Raises:
        KeyReused: The key was used before for something else.
        DepositOpen: The payer was prompted, or is about to be.
    """
    rails.require_mobile(payer)
    # One payer's are expected one after another, so that two at once do not both find nothing open.
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:payer, 20261128))"), {"payer": payer}
    )
    first = session.execute(select(Deposit).where(Deposit.key == key)).scalar_one_or_none()
    if first is not None:
        asked = (subscriber, payer, quoted.purpose, quoted.amount, quoted.fee)
        if (first.subscriber_id, first.payer, first.purpose, first.money, first.cost) != asked:
            raise KeyReused
        return Expected(first.id, first.reference)
    _require_apart(session, payer=payer, amount=quoted.amount, now=now)
    made = session.execute(
        _EXPECT,
        {
            "key": key,
            "reference": orders.reference("D"),
            "provider": provider.value,
            "purpose": quoted.purpose,
            "subscriber": subscriber,
            "payer": payer,
            "currency": quoted.amount.currency.value,
            "amount": quoted.amount.minor,
            "fee": quoted.fee.minor,
            "now": now,
            "prompt_at": now + delay,
        },
    ).one_or_none()
    if made is None:  # the same key for another payer, at the same moment
        raise KeyReused
    return Expected(made[0], made[1])


def newest(session: Session, *, subscriber: int) -> Seen | None:
    """Their newest deposit, as it stands."""
    found = session.scalars(
        select(Deposit)
        .where(Deposit.subscriber_id == subscriber)
        .order_by(Deposit.id.desc())
        .limit(1)
    ).one_or_none()
    return None if found is None else seen(found)


def seen(found: Deposit) -> Seen:
    """A deposit as its owner sees it."""
    return Seen(
        id=found.id,
        reference=found.reference,
        state=State(found.state),
        amount=found.money,
        fee=found.cost,
        payer=found.payer,
        receipt=found.receipt or "",
        code=found.code or "",
        at=found.expected_at,
    )
