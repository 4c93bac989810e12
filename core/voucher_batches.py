"""
Batches of vouchers: paid for in one journal, printed from a key that no server has, refunded.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session

from core import audit, chart, codes, ledger, limits, outbox, slips
from core.audit import Action, Actor
from core.codes import Veil
from core.decisions import words
from core.errors import Invalid, NotFound, Refused
from core.ledger import Draft, InsufficientFunds, Journal, Reason
from core.money import Currency, Money
from core.orders import KeyReused
from core.outbox import Event, Fact
from core.slips import Slip
from core.subscribers import Person, Subscriber
from core.vouchers import Batch, Voucher, VoucherState

COUNT_MAX: Final = 50_000
VALID_MAX: Final = timedelta(days=5 * 366)
_MINOR_MAX: Final = 10**15
_SALT_LENGTH: Final = 16


@dataclass(eq=False)
class InvalidBatch(Invalid):
    """A batch has 1 to 50,000 vouchers, and ends within five years."""


@dataclass(eq=False)
class UnknownBatch(NotFound):
    """There is no such batch of vouchers."""


@dataclass(eq=False)
class BatchOver(Refused):
    """The batch was cancelled, or its time is over."""


@dataclass(eq=False)
class OtherKey(Refused):
    """The batch was issued with another key."""


@dataclass(frozen=True, slots=True)
class Press:
    """
    What vouchers are printed with.

    Args:
        key: Signs slips, and derives codes. Whoever has it and a copy of the database has every
            open voucher: it is in no setting, and only at hand where vouchers are issued.
        veil: The servers' own, under which they look codes up.
    """

    key: Ed25519PrivateKey = field(repr=False)
    veil: Veil

    @property
    def key_id(self) -> str:
        return slips.key_id(self.key.public_key())

    def code(self, *, salt: bytes, number: int) -> str:
        """The code of one voucher."""
        return codes.derive(self.key.private_bytes_raw(), salt=salt, number=number)


@dataclass(frozen=True, slots=True)
class Printed:
    """One voucher as it goes to the printer: the only place where its code is in the open."""

    slip: Slip
    code: str = field(repr=False)
    signed: str


@dataclass(frozen=True, slots=True)
class Refunded:
    """What one call of `refund` did."""

    batch: int
    count: int


def issue(
    session: Session,
    *,
    issuer: Person | None,
    count: int,
    value: Money,
    expires_at: datetime,
    key: str,
    press: Press,
    actor: Actor,
    now: datetime,
) -> int:
    """
    Let somebody pay for vouchers, all at once; return the batch's id. Safe to repeat.

    Args:
        session: The caller's transaction, a worker's.
        issuer: Who pays, within their limits; None for the house.
        count: How many.
        value: What each is worth.
        expires_at: Until when they can be redeemed.
        key: What makes a repeat harmless.
        press: What their codes are derived with.
        actor: The staff member who does it.
        now: When.

    Raises:
        InvalidBatch: None or too many, worthless or too dear, or ended before it began.
        InsufficientFunds: The issuer holds less than they come to.
        AccountSuspended, AmountTooSmall, AmountTooLarge, DailyLimitReached, MonthlyLimitReached,
        TooManyTransfers: The issuer's limits.
        KeyReused: The key was used before for another batch.
    """
    total = Money(value.minor * count, value.currency)
    if not (0 < count <= COUNT_MAX and value.minor > 0 and total.minor <= _MINOR_MAX):
        raise InvalidBatch
    wanted: _Wanted = (issuer.id if issuer else None, value, count, expires_at)
    if (first := _issued_before(session, key=key, wanted=wanted)) is not None:
        return first
    if not now < expires_at <= now + VALID_MAX:
        raise InvalidBatch
    journal, balance = _paid(session, issuer=issuer, total=total, key=key, now=now)
    made = Batch(
        key=key,
        issuer_id=wanted[0],
        currency=value.currency.value,
        value=value.minor,
        count=count,
        salt=secrets.token_bytes(_SALT_LENGTH),
        key_id=press.key_id,
        journal_id=journal,
        issued_by=actor.name,
        issued_at=now,
        expires_at=expires_at,
    )
    session.add(made)
    session.flush()
    _write(session, made, press=press)
    _keep_issue(session, made, issuer=issuer, balance=balance, actor=actor, now=now)
    return made.id


def print_all(
    session: Session, *, batch: int, press: Press, actor: Actor, now: datetime
) -> Iterator[Printed]:
    """
    Derive and sign what goes to the printer, one voucher after another; as often as it takes.

    What comes back needs the database no more: let the transaction end before going through it.

    Raises:
        UnknownBatch: There is none.
        OtherKey: This key, or the servers' own, is not the one it was issued with.
    """
    found = session.get(Batch, batch)
    if found is None:
        raise UnknownBatch
    rows = session.execute(
        select(Voucher.number, Voucher.code_hash)
        .where(Voucher.batch_id == batch)
        .order_by(Voucher.number)
    ).all()
    last = rows[-1]
    if press.key_id != found.key_id or last.code_hash != press.veil.hash(
        press.code(salt=found.salt, number=last.number)
    ):
        raise OtherKey
    subject = f"vouchers:{batch}"
    audit.record(session, actor=actor, action=Action.VOUCHERS_PRINTED, subject=subject, now=now)
    return _printed(found, [row.number for row in rows], press)


def _printed(batch: Batch, numbers: Sequence[int], press: Press) -> Iterator[Printed]:
    value = batch.money
    for number in numbers:
        slip = Slip(f"{batch.id}-{number}", value, batch.expires_at)
        code = press.code(salt=batch.salt, number=number)
        yield Printed(slip, code, slips.sign(slip, code=code, key=press.key))


def cancel(session: Session, *, batch: int, actor: Actor, note: str, now: datetime) -> None:
    """
    End a batch before its time: from now on nobody redeems its vouchers, and `refund` pays it back.

    Args:
        session: The caller's transaction, a worker's.
        batch: Its id.
        actor: The staff member who does it, as the issuer asked.
        note: Why, for the audit.
        now: When.

    Raises:
        UnknownBatch: There is none.
        BatchOver: It has ended already.
        NoReason: There is no note, or it is too long.
    """
    said = words(note)
    found = session.get(Batch, batch, with_for_update=True, populate_existing=True)
    if found is None:
        raise UnknownBatch
    if found.cancelled_at is not None or found.expires_at <= now:
        raise BatchOver
    found.cancelled_at = now
    audit.record(
        session,
        actor=actor,
        action=Action.VOUCHERS_CANCELLED,
        subject=f"vouchers:{batch}",
        detail={"note": said},
        now=now,
    )


_TAKEN = text("""
    UPDATE vouchers SET state = 'refunded', resolved_at = :now
    WHERE (batch_id, number) IN (
        SELECT batch_id, number FROM vouchers WHERE batch_id = :batch AND state = 'open'
        ORDER BY number LIMIT :most FOR UPDATE SKIP LOCKED)
    RETURNING number
""")


def refund(session: Session, *, now: datetime, vouchers_max: int = 10_000) -> Refunded | None:
    """
    Give back what some open vouchers of one ended batch are worth; None when nothing is to be done.

    Never refused for a limit: the money was the issuer's. One that is just being redeemed is passed
    over; the batch is closed, and its issuer told, when none is open any more.
    """
    batch = session.scalars(
        select(Batch)
        .where(Batch.closed_at.is_(None))
        .where(or_(Batch.expires_at <= now, Batch.cancelled_at.is_not(None)))
        .order_by(Batch.expires_at, Batch.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if batch is None:
        return None
    taken = session.scalars(_TAKEN, {"batch": batch.id, "now": now, "most": vouchers_max}).all()
    currency = Currency[batch.currency]
    issuer = _payer(session, currency=currency, issuer=batch.issuer_id)
    if taken:
        amount = len(taken) * batch.value
        vouchers = chart.VOUCHERS.open(session, currency=currency)
        draft = Draft(
            f"vouchers:refund:{batch.id}:{min(taken)}",
            Reason.REFUND,
            {vouchers: -amount, issuer: amount},
        )
        [posting] = ledger.post(session, drafts=[draft], now=now)
        assert posting.outcome == "posted", f"{draft.key}: {posting.outcome}"
        batch.refunded += len(taken)
    is_open = Voucher.state == VoucherState.OPEN
    if not session.scalar(
        select(select(Voucher).where(Voucher.batch_id == batch.id, is_open).exists())
    ):
        batch.closed_at = now
        _tell(session, batch, now=now)
    session.flush()
    if not taken and batch.closed_at is None:
        return None  # what is left of it is being redeemed: look again later
    return Refunded(batch.id, len(taken))


_Wanted = tuple[int | None, Money, int, datetime]


def _issued_before(session: Session, *, key: str, wanted: _Wanted) -> int | None:
    first = session.scalars(select(Batch).where(Batch.key == key)).one_or_none()
    if first is None:
        return None
    if (first.issuer_id, first.money, first.count, first.expires_at) != wanted:
        raise KeyReused
    return first.id


def _keep_issue(
    session: Session,
    batch: Batch,
    *,
    issuer: Person | None,
    balance: int | None,
    actor: Actor,
    now: datetime,
) -> None:
    """Keep who issued what, and tell whoever paid."""
    value, until = batch.money, batch.expires_at.isoformat()
    detail = {
        "count": batch.count,
        "value": str(value),
        "issuer": batch.issuer_id,
        "expires_at": until,
    }
    audit.record(
        session,
        actor=actor,
        action=Action.VOUCHERS_ISSUED,
        subject=f"vouchers:{batch.id}",
        detail=detail,
        now=now,
    )
    if issuer is None:
        return
    facts = {
        "count": batch.count,
        "amount": batch.value,
        "total": batch.value * batch.count,
        "currency": batch.currency,
        "until": until,
        "balance": balance,
        "journal": batch.journal_id,
    }
    told = Fact(Event.VOUCHERS_ISSUED, issuer.msisdn, issuer.language.value, facts)
    outbox.stage(session, facts=[told], now=now)


def _paid(
    session: Session, *, issuer: Person | None, total: Money, key: str, now: datetime
) -> tuple[int, int | None]:
    """Let the issuer pay; return the journal's id, and what a person has left."""
    payer = _payer(session, currency=total.currency, issuer=issuer.id if issuer else None)
    vouchers = chart.VOUCHERS.open(session, currency=total.currency)
    spender = None
    if issuer is not None:
        # Limits are cents of shillings, whatever the currency.
        spent = session.scalar(
            text("SELECT equivalent(:amount, :currency, 'KES', :now)"),
            {"amount": total.minor, "currency": total.currency.value, "now": now},
        )
        spender = (issuer.account_id, int(spent or 0))
    draft = Draft(
        f"vouchers:issue:{key}",
        Reason.VOUCHERS,
        {payer: -total.minor, vouchers: total.minor},
        spender=spender,
    )
    [posting] = ledger.post(session, drafts=[draft], now=now)
    if posting.outcome == InsufficientFunds.code:
        available = Money(posting.detail["available"], total.currency)
        raise InsufficientFunds(available=available, requested=total)
    if not posting.is_posted:
        raise limits.refusal(posting.outcome, posting.detail)
    journal = session.scalars(select(Journal.id).where(Journal.key == draft.key)).one()
    return journal, None if issuer is None else posting.balance_after(payer)


def _payer(session: Session, *, currency: Currency, issuer: int | None) -> int:
    """The account that pays for vouchers, and gets back what nobody redeems."""
    if issuer is None:
        return chart.VOUCHERS_GIVEN.open(session, currency=currency)
    return chart.MAIN.open(session, currency=currency, owner=issuer)


def _write(session: Session, batch: Batch, *, press: Press) -> None:
    """Keep the batch's vouchers, each with the hash of its code."""
    hashes = [
        press.veil.hash(press.code(salt=batch.salt, number=number))
        for number in range(1, batch.count + 1)
    ]
    session.execute(
        text(
            "INSERT INTO vouchers (batch_id, number, code_hash) SELECT :batch, number, hash"
            " FROM unnest(CAST(:hashes AS bytea[])) WITH ORDINALITY AS x (hash, number)"
        ),
        {"batch": batch.id, "hashes": hashes},
    )


def _tell(session: Session, batch: Batch, *, now: datetime) -> None:
    """Tell the issuer what came back, if anything did."""
    if batch.issuer_id is None or not batch.refunded:
        return
    issuer = session.get_one(Subscriber, batch.issuer_id)
    path = chart.MAIN.named(Currency[batch.currency], owner=issuer.id)
    facts = {
        "count": batch.refunded,
        "amount": batch.refunded * batch.value,
        "currency": batch.currency,
        "balance": ledger.balance(session, path=path).minor,
        "at": now.isoformat(),
    }
    told = Fact(Event.VOUCHERS_REFUNDED, issuer.msisdn, issuer.language, facts)
    outbox.stage(session, facts=[told], now=now)
