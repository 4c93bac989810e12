"""
What the hand does that pays out, before and after it has called out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import and_, func, insert, or_, select
from sqlalchemy.orm import Session

from core import chart, ledger, rails, suspense
from core.ledger import Draft, Reason
from core.money import Money
from core.outbox import Event
from core.rails import Pot, Provider
from core.suspense import Kind
from core.withdrawals.rows import UNDER_WAY, State, Token, Withdrawal, locked, tell

UNANSWERED_AFTER: Final = timedelta(minutes=2)
REVIEWED_AFTER: Final = timedelta(hours=24)
DELAYED_AFTER: Final = timedelta(minutes=10)
# The same identifier is sent again only when the provider knew nothing of it so often, for so long.
NOT_FOUND_MIN: Final = 3
NOT_FOUND_FOR: Final = timedelta(minutes=30)
SENDS_MAX: Final = 3
# When a payout is asked about, from when it went out; then every hour.
ASK_AFTER: Final = tuple(timedelta(minutes=each) for each in (2, 5, 12, 24, 45))
_HOURLY: Final = timedelta(hours=1)
_SHORT: Final = timedelta(minutes=1)
_LOT: Final = 200


@dataclass(frozen=True, slots=True)
class Payout:
    """A payout about to be sent. The caller alone has it, and has committed so."""

    id: int
    reference: str
    conversation: str
    payee: str
    amount: Money
    purpose: str
    is_again: bool


@dataclass(frozen=True, slots=True)
class Asking:
    """A withdrawal whose fate the provider must be asked for."""

    id: int
    conversation: str
    provider_ref: str | None
    asks: int


def _is_lost(now: datetime) -> object:
    return and_(
        Withdrawal.state == State.UNSURE,
        Withdrawal.not_found >= NOT_FOUND_MIN,
        Withdrawal.not_found_from <= now - NOT_FOUND_FOR,
        Withdrawal.sends < SENDS_MAX,
    )


def due(
    session: Session,
    *,
    now: datetime,
    withdrawals_max: int,
    provider: Provider = Provider.MPESA,
) -> list[int]:
    """What should be sent now, oldest first: what never was, and what certainly did not arrive."""
    waits = and_(Withdrawal.state == State.REQUESTED, Withdrawal.due_at <= now)
    found = select(Withdrawal.id).where(
        Withdrawal.provider == provider.value,
        or_(waits, _is_lost(now)),  # type: ignore[arg-type]
    )
    return list(session.scalars(found.order_by(Withdrawal.id).limit(withdrawals_max)))


def begin(session: Session, *, withdrawal: int, token_hash: bytes, now: datetime) -> Payout | None:
    """
    Be the one who sends a payout, with float taken for it. Commit before calling.

    Args:
        session: A transaction of its own.
        withdrawal: Whose id `due` told.
        token_hash: SHA-256 of what the callbacks' addresses will hold, fresh for this.
        now: When.

    Returns:
        What to ask the provider for; None when somebody else has it, when payouts are stopped, or
        when the float, by our book or by what the provider said last, does not hold so much.
    """
    found = session.scalars(
        select(Withdrawal)
        .where(Withdrawal.id == withdrawal)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None or not _may_go(found, now):
        return None
    rails.close_expired(session, provider=found.rail, now=now)
    if rails.breaker(session, provider=found.rail, now=now) is not None:
        return None
    if not _has_float(session, found) or not _take_float(session, found, now=now):
        found.code, found.due_at = "float-short", max(found.due_at, now + _SHORT)
        return None
    session.execute(insert(Token).values(token_hash=token_hash, withdrawal_id=found.id))
    is_again = found.state == State.UNSURE
    found.state, found.begun_at, found.code, found.why = State.SENDING, now, None, None
    found.sends, found.asks, found.not_found, found.not_found_from = found.sends + 1, 0, 0, None
    found.next_ask_at = None
    session.flush()
    return Payout(
        found.id,
        found.reference,
        found.conversation,
        found.payee,
        found.money,
        found.purpose,
        is_again,
    )


def _may_go(found: Withdrawal, now: datetime) -> bool:
    if found.state == State.REQUESTED:
        return found.due_at <= now
    return (
        found.state == State.UNSURE
        and found.not_found >= NOT_FOUND_MIN
        and found.not_found_from is not None
        and found.not_found_from <= now - NOT_FOUND_FOR
        and found.sends < SENDS_MAX
    )


def _has_float(session: Session, found: Withdrawal) -> bool:
    """Whether the provider's last word of our float leaves room, with what was sent since."""
    told = rails.told_balance(
        session, provider=found.rail, account=Pot.UTILITY, currency=found.money.currency
    )
    if told is None:
        return True
    available, told_at = told
    since = session.scalar(
        select(func.coalesce(func.sum(Withdrawal.amount), 0)).where(
            Withdrawal.provider == found.provider,
            Withdrawal.begun_at > told_at,
            Withdrawal.state.not_in([State.REQUESTED, State.FAILED]),
            Withdrawal.id != found.id,
        )
    )
    return available.minor >= int(since or 0) + found.amount


def _take_float(session: Session, found: Withdrawal, *, now: datetime) -> bool:
    """Take float for a payout, once: what the book does not hold is not sent."""
    currency = found.money.currency
    rail = chart.RAILS[found.provider]
    places = (rail.float_, rail.underway)
    ids = chart.opened(session, [(place, currency, None) for place in places])
    pot, underway = (ids[place, currency, None] for place in places)
    legs = {pot: found.amount, underway: -found.amount}
    draft = Draft(f"{found.subject}:send", Reason.SENDING, legs)
    [posting] = ledger.post(session, drafts=[draft], now=now)
    return posting.is_posted


def sent(session: Session, *, withdrawal: int, provider_ref: str | None, now: datetime) -> None:
    """
    Say that the provider has taken a payout, and what it calls it.

    What was told by its callback meanwhile stands, and so does doubt about that (`code`).
    """
    found = locked(session, withdrawal)
    if found.provider_ref is None:
        found.provider_ref = provider_ref
    if found.state in {State.SENDING, State.UNSURE} and found.code is None:
        found.state, found.next_ask_at = State.SENT, next_ask(found, now)
        found.not_found, found.not_found_from = 0, None


def unsure(session: Session, *, withdrawal: int, why: str, now: datetime) -> None:
    """Say that the provider did not answer: it may have been paid out. It is asked about."""
    found = locked(session, withdrawal)
    if found.state == State.SENDING:
        found.state, found.why, found.next_ask_at = State.UNSURE, why, next_ask(found, now)


def postpone(session: Session, *, withdrawal: int, until: datetime, why: str) -> None:
    """Say that the provider has certainly not taken it this time: it waits, and is sent later."""
    found = locked(session, withdrawal)
    if found.state != State.SENDING:
        return
    found.why = why
    if found.sends > 1:  # of an earlier time nobody knows
        found.state, found.next_ask_at = State.UNSURE, until
    else:
        found.state, found.due_at, found.sends = State.REQUESTED, until, 0


def not_found(session: Session, *, withdrawal: int, now: datetime) -> None:
    """Say that the provider, asked, knew nothing of a payout: often enough, it is sent again."""
    found = locked(session, withdrawal)
    if found.state == State.UNSURE:
        found.not_found += 1
        found.not_found_from = found.not_found_from or now


def known(session: Session, *, withdrawal: int) -> None:
    """Say that the provider, asked, has a payout: what it knew nothing of before counts no more."""
    found = locked(session, withdrawal)
    found.not_found, found.not_found_from = 0, None


def sweep(session: Session, *, now: datetime) -> int:
    """
    Be unsure of payouts whose hand died on the way, and let staff look at what nobody knows.

    Returns how many there were. What is set aside for them stays so.
    """
    lost = _lot(session, Withdrawal.state == State.SENDING, now - UNANSWERED_AFTER)
    for found in lost:
        found.state, found.why = State.UNSURE, "nobody said what became of the call"
        found.next_ask_at = now
    undecided = _lot(session, Withdrawal.state.in_(UNDER_WAY), now - REVIEWED_AFTER)
    for found in undecided:
        suspense.look(
            session,
            kind=Kind.UNDECIDED,
            subject=found.subject,
            provider=found.rail,
            currency=found.money.currency,
            evidence={"asks": found.asks, "sends": found.sends, "was": found.state},
            subscriber=found.subscriber_id,
            now=now,
        )
        found.state, found.next_ask_at = State.REVIEW, None
    return len(lost) + len(undecided)


def tell_delayed(session: Session, *, now: datetime) -> int:
    """Tell whoever has waited for ten minutes that it takes longer; return how many were told."""
    late = session.scalars(
        select(Withdrawal)
        .where(Withdrawal.state.in_([State.REQUESTED, *UNDER_WAY]))
        .where(Withdrawal.requested_at <= now - DELAYED_AFTER, Withdrawal.delay_told_at.is_(None))
        .order_by(Withdrawal.requested_at)
        .limit(_LOT)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    for found in late:
        found.delay_told_at = now
        tell(session, found, Event.WITHDRAWAL_DELAYED, {}, now=now)
    return len(late)


def _lot(session: Session, which: object, until: datetime) -> list[Withdrawal]:
    found = (
        select(Withdrawal)
        .where(which, Withdrawal.begun_at <= until)  # type: ignore[arg-type]
        .order_by(Withdrawal.id)
        .limit(_LOT)
        .with_for_update(skip_locked=True)
    )
    return list(session.scalars(found.execution_options(populate_existing=True)))


def doubtful(
    session: Session,
    *,
    now: datetime,
    withdrawals_max: int,
    provider: Provider = Provider.MPESA,
) -> list[Asking]:
    """What the provider must be asked about now, the longest overdue first."""
    rows = session.execute(
        select(Withdrawal.id, Withdrawal.conversation, Withdrawal.provider_ref, Withdrawal.asks)
        .where(Withdrawal.provider == provider.value)
        .where(Withdrawal.next_ask_at <= now, Withdrawal.state.in_(UNDER_WAY))
        .order_by(Withdrawal.next_ask_at)
        .limit(withdrawals_max)
    )
    return [Asking(row[0], row[1], row[2], row[3]) for row in rows]


def asked(session: Session, *, withdrawal: int, now: datetime) -> None:
    """
    Say that the provider is being asked, and plan when to ask again.

    Call it in a transaction of its own before asking: two hands that ask at once do no harm.
    """
    found = locked(session, withdrawal)
    if found.next_ask_at is None or found.begun_at is None:
        return
    found.asks += 1
    found.next_ask_at = next_ask(found, now)


def doubt(session: Session, *, withdrawal: int, now: datetime) -> None:
    """Have the provider asked now what became of a payout; nothing is believed."""
    found = locked(session, withdrawal)
    if found.state in UNDER_WAY:
        found.next_ask_at = now


def is_about(
    session: Session,
    *,
    withdrawal: int,
    conversation: str | None,
    provider_ref: str | None,
    payee: str | None,
) -> bool:
    """
    Whether what a provider tells is about this payout.

    Args:
        session: Any.
        withdrawal: Which.
        conversation: Our identifier, as the provider tells it: one that is, is enough.
        provider_ref: Or what the provider itself calls the payout.
        payee: Whom it names (E.164), if it does: nobody else.
    """
    found = session.get_one(Withdrawal, withdrawal)
    if payee is not None and payee != found.payee:
        return False
    return conversation == found.conversation or (
        provider_ref is not None and provider_ref == found.provider_ref
    )


def by_token(session: Session, *, token_hash: bytes) -> int | None:
    """The withdrawal whose callbacks' addresses hold a token, by its SHA-256."""
    return session.scalar(select(Token.withdrawal_id).where(Token.token_hash == token_hash))


def by_conversation(session: Session, *, conversation: str) -> int | None:
    """The withdrawal of an identifier of ours."""
    return session.scalar(select(Withdrawal.id).where(Withdrawal.conversation == conversation))


def next_ask(found: Withdrawal, now: datetime) -> datetime:
    """When a payout that went out is asked about next."""
    assert found.begun_at is not None, "it went out"
    planned = [found.begun_at + after for after in ASK_AFTER[found.asks :]]
    return next((at for at in planned if at > now), now + _HOURLY)
