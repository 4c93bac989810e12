"""
What the hand does that prompts payers, before and after it has called out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.deposits import settling
from core.deposits.rows import Deposit, State, keep_ref, locked
from core.money import Money
from core.rails import Provider

# A prompt whose time is over is worse than none: whoever asked has given up.
STALE_AFTER: Final = timedelta(minutes=5)
UNANSWERED_AFTER: Final = timedelta(minutes=2)
_APART: Final = timedelta(minutes=1)
# When a prompt is asked about, from when it went out; then every hour.
ASK_AFTER: Final = tuple(timedelta(seconds=each) for each in (120, 180, 300, 480, 780, 1380))
_HOURLY: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A payer about to be prompted. The caller alone has it, and has committed so."""

    id: int
    reference: str
    payer: str
    amount: Money
    purpose: str


@dataclass(frozen=True, slots=True)
class Asking:
    """A deposit whose fate the provider must be asked for."""

    id: int
    provider_ref: str
    asks: int


def due(session: Session, *, now: datetime, deposits_max: int) -> list[int]:
    """Whose prompts should go out now, oldest first."""
    found = (
        select(Deposit.id)
        .where(Deposit.provider == Provider.MPESA)
        .where(Deposit.state == State.EXPECTED, Deposit.prompt_at <= now)
        .where(Deposit.expected_at > now - STALE_AFTER)
    )
    return list(session.scalars(found.order_by(Deposit.prompt_at).limit(deposits_max)))


def begin(session: Session, *, deposit: int, token_hash: bytes, now: datetime) -> Prompt | None:
    """
    Be the one who prompts a payer. Commit before calling: whatever happens then, it is known.

    Args:
        session: A transaction of its own.
        deposit: Whose id `due` told.
        token_hash: SHA-256 of what the callback's address will hold, fresh for this.
        now: When.

    Returns:
        What to ask the provider for; None when somebody else has it, or it must wait.
    """
    found = session.scalars(
        select(Deposit)
        .where(Deposit.id == deposit)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None or found.state != State.EXPECTED or found.prompt_at > now:
        return None
    if found.expected_at <= now - STALE_AFTER:
        return None
    other = session.scalar(
        select(Deposit.begun_at)
        .where(Deposit.payer == found.payer, Deposit.id != found.id)
        .where(Deposit.provider == found.provider)
        .where(Deposit.state.in_([State.PROMPTING, State.PROMPTED, State.UNSURE]))
        .where(Deposit.begun_at > now - _APART)
        .order_by(Deposit.begun_at.desc())
        .limit(1)
    )
    if other is not None:  # a phone shows one prompt at a time
        found.prompt_at = other + _APART
        return None
    found.state, found.begun_at, found.token_hash = State.PROMPTING, now, token_hash
    return Prompt(found.id, found.reference, found.payer, found.money, found.purpose)


def prompted(session: Session, *, deposit: int, provider_ref: str, now: datetime) -> None:
    """
    Say that the provider has taken a prompt, and what it calls it.

    What was told by its callback meanwhile stands.
    """
    found = locked(session, deposit)
    keep_ref(session, found, provider_ref)
    if found.state in {State.PROMPTING, State.UNSURE}:
        found.state = State.PROMPTED
        found.next_ask_at = next_ask(found, now)


def unsure(session: Session, *, deposit: int, why: str, now: datetime) -> None:
    """Say that the provider did not answer: the payer may have been prompted. Never do it again."""
    found = locked(session, deposit)
    if found.state == State.PROMPTING:
        found.state, found.why = State.UNSURE, why
        found.next_ask_at = None if found.provider_ref is None else next_ask(found, now)


def rejected(session: Session, *, deposit: int, code: str, why: str, now: datetime) -> None:
    """Say that the provider refused to prompt: no money can come of it."""
    found = locked(session, deposit)
    if found.state in {State.PROMPTING, State.UNSURE}:
        settling.failed(session, found, code=code, why=why, now=now)


def sweep(session: Session, *, now: datetime) -> int:
    """Be unsure of prompts whose hand died on the way; return how many there were."""
    found = session.scalars(
        select(Deposit)
        .where(Deposit.state == State.PROMPTING, Deposit.begun_at <= now - UNANSWERED_AFTER)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    for each in found:
        each.state, each.why = State.UNSURE, "nobody said what became of the call"
        each.next_ask_at = None if each.provider_ref is None else next_ask(each, now)
    return len(found)


def doubtful(
    session: Session,
    *,
    now: datetime,
    deposits_max: int,
    provider: Provider = Provider.MPESA,
) -> list[Asking]:
    """What the provider must be asked about now, the longest overdue first."""
    rows = session.execute(
        select(Deposit.id, Deposit.provider_ref, Deposit.asks)
        .where(Deposit.provider == provider.value)
        .where(Deposit.next_ask_at <= now, Deposit.provider_ref.is_not(None))
        .where(Deposit.state.in_([State.PROMPTED, State.UNSURE, State.EXPIRED, State.REVIEW]))
        .order_by(Deposit.next_ask_at)
        .limit(deposits_max)
    )
    return [Asking(row[0], row[1], row[2]) for row in rows]


def asked(session: Session, *, deposit: int, now: datetime) -> None:
    """
    Say that the provider was asked, whatever it answers, and plan when to ask again.

    Call it in a transaction of its own before asking: two hands that ask at once do no harm.
    """
    found = locked(session, deposit)
    if found.next_ask_at is None or found.begun_at is None:
        return
    found.asks += 1
    found.next_ask_at = next_ask(found, now)


def is_called(session: Session, *, deposit: int, provider_ref: str) -> bool:
    """Whether a provider's name for a prompt is this deposit's, as far as we know it."""
    known = session.scalar(select(Deposit.provider_ref).where(Deposit.id == deposit))
    return known in (None, provider_ref)


def named(session: Session, *, deposit: int, provider_ref: str) -> None:
    """Keep what a callback calls a prompt, where nobody had told us: it is asked by that."""
    keep_ref(session, locked(session, deposit), provider_ref)


def doubt(session: Session, *, deposit: int, provider_ref: str, now: datetime) -> None:
    """Have the provider asked now how a prompt ended, by what it calls it; nothing is believed."""
    prompted(session, deposit=deposit, provider_ref=provider_ref, now=now)
    found = locked(session, deposit)
    if found.state in {State.PROMPTED, State.EXPIRED}:
        found.next_ask_at = now


def by_token(session: Session, *, token_hash: bytes) -> int | None:
    """The deposit whose callback's address holds a token, by its SHA-256."""
    return session.scalar(select(Deposit.id).where(Deposit.token_hash == token_hash))


def next_ask(found: Deposit, now: datetime) -> datetime:
    """When a deposit that went out is asked about next."""
    assert found.begun_at is not None, "it went out"
    planned = [found.begun_at + after for after in ASK_AFTER[found.asks :]]
    return next((at for at in planned if at > now), now + _HOURLY)
