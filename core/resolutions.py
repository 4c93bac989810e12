"""
Resolutions: what staff decide about what stands in suspense, and about what contradicts itself.

Each is decided once, with a note that is kept, under the lock of what it is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from core import arrivals, audit, deposits, inquiries, orders, paybill, suspense, withdrawals
from core.audit import Action, Actor
from core.decisions import words
from core.deposits import Deposit
from core.errors import DomainError, Refused
from core.paybill import Payment
from core.subscribers import Person
from core.suspense import Case, Kind, Outcome
from core.withdrawals import Withdrawal

Row = Deposit | Payment | Withdrawal
_ROWS: Final[dict[str, type[Deposit | Payment | Withdrawal]]] = {
    "deposit": Deposit,
    "paybill": Payment,
    "withdrawal": Withdrawal,
}


@dataclass(eq=False)
class NothingSuspended(Refused):
    """No money stands in suspense for that case."""


@dataclass(eq=False)
class StillSuspended(Refused):
    """Money stands in suspense for that case, or a payout waits for a decision: it goes first."""


@dataclass(frozen=True, slots=True)
class Return:
    """A payment about to be sent back to who made it."""

    case: int
    receipt: str
    amount: int


def credit(
    session: Session, *, case: int, person: Person, actor: Actor, note: str, now: datetime
) -> None:
    """
    Give what stands in suspense to whom it belongs, and tell them.

    A deposit in review of which only a callback spoke, or which was struck before, is taken to
    have come by this.

    Args:
        session: The caller's transaction, a worker's.
        case: Its id.
        person: Whose it is.
        actor: The member of staff who decides.
        note: Why, in words.
        now: When.

    Raises:
        UnknownSuspense, SuspenseClosed: There is no such case, or it is decided.
        NothingSuspended: No money has come, or it was decided about in another case.
        NoReason: There is no note, or it is too long.
        AccountClosed, RecipientSuspended, CeilingReached: The person may not have it.
    """
    said = words(note)
    row, found = _locked(session, case)
    if not found.amount:
        if not isinstance(row, Deposit) or row.state != deposits.State.REVIEW:
            raise NothingSuspended
        stood = suspense.stood(session, subject=found.subject)
        if stood is not None and stood.outcome != Outcome.STRUCK:
            raise NothingSuspended  # somebody has it, or it went back
        amount = row.money if stood is None else stood.money
        suspense.put_in(session, case=case, amount=amount, now=now)
    is_its = isinstance(row, Deposit) and row.state == deposits.State.REVIEW
    is_as_asked = is_its and (row.subscriber_id, row.money) == (person.id, found.money)
    purpose = row.purpose if isinstance(row, Deposit) and is_as_asked else "own"
    fee = arrivals.fee(session, amount=found.money, purpose=purpose, now=now)
    if isinstance(row, Deposit) and is_as_asked:
        fee = row.cost
    reference = row.reference if is_its or isinstance(row, Payment) else orders.reference("D")
    key = f"suspense:{case}:out"
    posted = arrivals.credit(
        session,
        key=key,
        reference=reference,
        subscriber=person.id,
        amount=found.money,
        fee=fee,
        purpose=purpose,
        now=now,
        is_suspended=True,
        provider=found.provider,
    )
    if isinstance(posted, DomainError):
        raise posted
    suspense.close(
        session, found=found, outcome=Outcome.CREDITED, by=actor.name, note=said, now=now
    )
    if isinstance(row, Payment):
        row.state, row.subscriber_id, row.fee = paybill.State.CREDITED, person.id, fee.minor
        paybill.tell(session, row, posted, key=key, purpose=purpose, now=now)
    elif isinstance(row, Deposit) and is_its:
        deposits.decided(
            session, row, posted, person=person, is_settled=is_as_asked, key=key, now=now
        )
    _record(session, actor, Action.SUSPENSE_CREDITED, found, said, now=now, subscriber=person.id)


def begin_return(session: Session, *, case: int, actor: Actor, note: str, now: datetime) -> Return:
    """
    Send what stands in suspense back to who paid it: the provider is asked to, once this commits.

    Where its answer never came, or said nothing, it may be asked again: it gives one payment back
    once, and says so of what it has given back already.

    Raises:
        UnknownSuspense, SuspenseClosed: There is no such case, or it is decided.
        NothingSuspended: No money stands in suspense, or nobody knows under which receipt it came.
        NoReason: There is no note, or it is too long.
    """
    said = words(note)
    is_again = _may_ask_again(session, case)
    _row, found = _locked(session, case, state="returning" if is_again else "open")
    if not found.amount or found.receipt is None:
        raise NothingSuspended
    found.state = "returning"
    session.flush()
    _record(session, actor, Action.SUSPENSE_RETURNING, found, said, now=now)
    return Return(case, found.receipt, found.amount)


def returned(session: Session, *, case: int, now: datetime) -> bool:
    """
    Take it that the provider has sent a payment back. Safe to repeat; False where it was known.

    Raises:
        UnknownSuspense: There is no such case.
    """
    known = suspense.get(session, case=case)
    if known.outcome == Outcome.RETURNED:
        return False
    # An answer that comes after another has said that it failed counts all the same.
    state = "open" if known.state == "open" else "returning"
    row, found = _locked(session, case, state=state)
    _let_go(session, row, found, Outcome.RETURNED, by="system", note="sent back", now=now)
    return True


def require_returning(session: Session, *, case: int) -> None:
    """
    See that a payment is on its way back still, as its return is written down to be asked for.

    Raises:
        SuspenseClosed: It is not any more.
    """
    _locked(session, case, state="returning")


def return_failed(session: Session, *, case: int, why: str, now: datetime) -> bool:
    """
    Take it that the provider has refused to send a payment back, this time; whether staff decide
    anew. They do once no asking of all there were may have been carried out.

    Raises:
        SuspenseClosed: It is not on its way back.
    """
    _row, found = _locked(session, case, state="returning")
    told = {"why": "return-failed", "told": why, "at": now.isoformat()}
    found.evidence = [*found.evidence, told]
    if not inquiries.may_be_done(session, subject=_subject(case), kind=inquiries.Kind.REVERSAL):
        found.state = "open"
    session.flush()
    return found.state == "open"


def in_doubt(session: Session, *, case: int) -> Sequence[inquiries.Put]:
    """
    The askings for a return that the provider took, and whose end it never told.

    Raises:
        UnknownSuspense: There is no such case.
        SuspenseClosed: It is not on its way back.
    """
    if suspense.get(session, case=case).state != "returning":
        raise suspense.SuspenseClosed
    return inquiries.in_doubt(session, subject=_subject(case), kind=inquiries.Kind.REVERSAL)


def _subject(case: int) -> str:
    """What askings for a return of this case's money are about."""
    return f"reversal:{case}"


def _may_ask_again(session: Session, case: int) -> bool:
    if suspense.get(session, case=case).state != "returning":
        return False
    asked = inquiries.newest(session, subject=_subject(case), kind=inquiries.Kind.REVERSAL)
    # Nothing was asked where whoever was to ask has died just before.
    return asked is None or asked.state not in (inquiries.State.ASKING, inquiries.State.ASKED)


def strike(session: Session, *, case: int, actor: Actor, note: str, now: datetime) -> None:
    """
    Take out of suspense what had never come: the provider knows nothing of it.

    Raises:
        UnknownSuspense, SuspenseClosed, NothingSuspended, NoReason: As `begin_return`.
    """
    said = words(note)
    row, found = _locked(session, case)
    if not found.amount:
        raise NothingSuspended
    _let_go(session, row, found, Outcome.STRUCK, by=actor.name, note=said, now=now)
    _record(session, actor, Action.SUSPENSE_STRUCK, found, said, now=now)


def dismiss(session: Session, *, case: int, actor: Actor, note: str, now: datetime) -> None:
    """
    Close a case without money; a deposit that waits for it has failed, a payment was never made.

    Raises:
        UnknownSuspense, SuspenseClosed, NoReason: As `begin_return`.
        StillSuspended: There is money in it, or a payout: that is decided otherwise.
    """
    said = words(note)
    row, found = _locked(session, case)
    if found.amount or (isinstance(row, Withdrawal) and row.state == withdrawals.State.REVIEW):
        raise StillSuspended
    suspense.close(
        session, found=found, outcome=Outcome.DISMISSED, by=actor.name, note=said, now=now
    )
    _fail_deposit(session, row, now=now)
    if isinstance(row, Payment) and row.state == paybill.State.UNCONFIRMED:
        row.state = paybill.State.STRUCK
    _record(session, actor, Action.SUSPENSE_DISMISSED, found, said, now=now)


def decide_payout(
    session: Session, *, case: int, is_paid: bool, actor: Actor, note: str, now: datetime
) -> None:
    """
    Say what became of a payout that contradicts itself, or of which the provider knew nothing.

    Args:
        session: The caller's transaction, a worker's.
        case: Its id.
        is_paid: Whether it reached its payee. One whose money came back meanwhile is then taken
            from its owner, who may come to owe us.
        actor: The member of staff who decides.
        note: Why, in words.
        now: When.

    Raises:
        UnknownSuspense, SuspenseClosed, NoReason: As `begin_return`.
        NothingSuspended: It is about no payout that waits for a decision.
        InsufficientFunds: The book holds less float than was paid out.
    """
    said = words(note)
    row, found = _locked(session, case)
    if not isinstance(row, Withdrawal) or row.state != withdrawals.State.REVIEW:
        raise NothingSuspended
    withdrawals.decided(session, row, is_paid=is_paid, now=now)
    suspense.close(
        session, found=found, outcome=Outcome.DISMISSED, by=actor.name, note=said, now=now
    )
    action = Action.WITHDRAWAL_DECIDED
    _record(session, actor, action, found, said, now=now, is_paid=is_paid)


def _locked(session: Session, case: int, *, state: str = "open") -> tuple[Row, Case]:
    """Lock what a case is about, then the case: as everybody else does."""
    kind, _, id_ = suspense.get(session, case=case).subject.partition(":")
    row = session.get(_ROWS[kind], int(id_), with_for_update=True, populate_existing=True)
    assert isinstance(row, Row), "a case is about something"
    return row, suspense.locked(session, case=case, state=state)


def _let_go(
    session: Session,
    row: Row,
    found: Case,
    outcome: Outcome,
    *,
    by: str,
    note: str,
    now: datetime,
) -> None:
    arrivals.let_go(
        session,
        provider=found.provider,
        key=f"suspense:{found.id}:out",
        amount=found.money,
        now=now,
    )
    suspense.close(session, found=found, outcome=outcome, by=by, note=note, now=now)
    if isinstance(row, Payment):
        row.state = paybill.State(outcome.value)
    _fail_deposit(session, row, now=now)


def _fail_deposit(session: Session, row: Row, *, now: datetime) -> None:
    if isinstance(row, Deposit) and row.state == deposits.State.REVIEW:
        why = "staff have decided"
        deposits.failed(session, row, code=Kind.UNDECIDED.value, why=why, now=now)


def _record(
    session: Session,
    actor: Actor,
    action: Action,
    found: Case,
    said: str,
    *,
    now: datetime,
    **more: object,
) -> None:
    audit.record(
        session,
        actor=actor,
        action=action,
        subject=f"suspense:{found.id}",
        detail={"about": found.subject, "amount": found.amount, "note": said, **more},
        now=now,
    )
