"""
The double-entry book: accounts, journals, entries. Append-only.

An entry's amount is *into the account*: credit is plus, debit is minus. What we owe reads
positive, what we own reads negative, and every journal sums to zero in each currency.
The writing is done by SQL: `post` takes many journals in one call, with an outcome for each;
`post_alone` one that is plain (migrations, "fewer_steps" and "posted_alone").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Enum,
    ForeignKey,
    Identity,
    Index,
    Text,
    func,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base, fetched
from core.errors import NotFound, Refused
from core.money import Currency, Money


@dataclass(eq=False)
class InsufficientFunds(Refused):
    """The account does not hold enough money."""

    available: Money
    requested: Money


@dataclass(eq=False)
class UnknownAccount(NotFound):
    """There is no such account."""


class Mode(StrEnum):
    """How an account's balance is kept."""

    AUTHORISE = "authorise"
    """Locked by every journal; the balance is exact at once and its bounds are enforced."""
    RECORD = "record"
    """Never locked: entries only, the balance rolled up later. For accounts without bounds."""


class Reason(StrEnum):
    """Why a journal was written."""

    TRANSFER = "transfer"
    """One subscriber sent money to another."""
    PAYMENT = "payment"
    """A subscriber paid a merchant at their till."""
    HOLD = "hold"
    """Money was set aside."""
    CAPTURE = "capture"
    """Held money went on, and what was left came back."""
    RELEASE = "release"
    """Held money came back, by decision or because its time was over."""
    EXCHANGE = "exchange"
    """Money of one currency was given for money of another."""
    VOUCHERS = "vouchers"
    """Vouchers were paid for."""
    REDEMPTION = "redemption"
    """A voucher's money went to who typed its code."""
    REFUND = "refund"
    """Money of vouchers that nobody redeemed went back to who had paid for them."""
    PAYMENT_REFUND = "payment-refund"
    """A merchant gave back what was paid to them, or a part of it."""
    REVERSAL = "reversal"
    """The mirror of another journal."""
    REPAYMENT = "repayment"
    """What somebody owed us after a reversal was taken from what they have."""
    DEPOSIT = "deposit"
    """Money came in over a rail, to whom it was for."""
    SUSPENSE = "suspense"
    """Money came in over a rail, and is nobody's yet."""
    RESOLUTION = "resolution"
    """Money in suspense went to whom it belongs, or back."""
    WITHDRAWAL = "withdrawal"
    """Money was set aside to be paid out over a rail."""
    SENDING = "sending"
    """Float was taken for a payout, before it was asked for."""
    PAYOUT = "payout"
    """A payout reached its payee."""
    BOUNCE = "bounce"
    """A payout did not: what was set aside came back, and the float."""
    COST = "cost"
    """A provider kept something of what came in, or took something for a payout."""
    RETURN = "return"
    """A payout that had reached its payee came back, to who had asked for it."""
    FLOAT = "float"
    """Staff saw money of ours go from one account at a provider, or our bank, to another."""
    OPENING = "opening"
    """The sandbox gave a demo subscriber something to play with."""


class Account(Base):
    """A place where money of one currency can be."""

    __tablename__ = "accounts"
    __table_args__ = (
        CheckConstraint("balance >= balance_min", name="balance_min"),
        CheckConstraint("balance <= balance_max", name="balance_max"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    path: Mapped[str] = mapped_column(Text, unique=True)
    currency: Mapped[str] = mapped_column(Text)
    mode: Mapped[str] = mapped_column(
        Enum(*(mode.value for mode in Mode), name="account_mode"), server_default="authorise"
    )
    balance: Mapped[int] = mapped_column(BigInteger, server_default="0")
    balance_min: Mapped[int | None] = mapped_column(BigInteger)
    balance_max: Mapped[int | None] = mapped_column(BigInteger)
    version: Mapped[int] = mapped_column(BigInteger, server_default="0")
    holder_id: Mapped[int | None] = mapped_column(
        ForeignKey(
            "subscribers.id",
            name="fk_accounts_holder_id",
            deferrable=True,
            initially="DEFERRED",
            use_alter=True,
        ),
        index=True,
    )


class Journal(Base):
    """One event in the book: entries that sum to zero, written together, never changed."""

    __tablename__ = "journals"
    __table_args__ = (
        Index(
            "uq_journals_reference",
            "reference",
            unique=True,
            postgresql_where=text("reference IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    key: Mapped[str] = mapped_column(Text(collation="C"), unique=True)
    reason: Mapped[str] = mapped_column(Text)
    reference: Mapped[str | None] = mapped_column(Text)
    posted_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Entry(Base):
    """
    One leg of a journal: a signed amount on one account.

    `version` counts an authorise account's entries without a gap; on a record account it only
    orders them, and `balance_after` is empty.
    """

    __tablename__ = "entries"

    account_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    journal_id: Mapped[int] = mapped_column(BigInteger, index=True)
    amount: Mapped[int] = mapped_column(BigInteger)
    balance_after: Mapped[int | None] = mapped_column(BigInteger)


class Unrolled(Base):
    """An entry of a record account that its balance does not contain yet: a work list."""

    __tablename__ = "unrolled"

    account_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    amount: Mapped[int] = mapped_column(BigInteger)


@dataclass(frozen=True, slots=True)
class Draft:
    """
    A journal to be written.

    Args:
        key: What makes a repeat harmless.
        reason: Why it is written.
        legs: Signed minor units by account id; they sum to zero in each currency.
        reference: What people call it.
        spender: Whose limits apply, by their main account in shillings, with the cents that count
            against them. Ceilings of those who receive apply then, too.
    """

    key: str
    reason: Reason
    legs: Mapping[int, int]
    reference: str | None = None
    spender: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Posting:
    """
    What became of a draft.

    `outcome` is `posted`, `exists` (it was posted before under its key), or the code of a refusal
    (`key-reused`: something else was) whose facts are in `detail`. For the first two, `detail`
    maps the ids of the accounts that have bounds to their balance after it.
    """

    outcome: str
    detail: Mapping[str, Any]

    @property
    def is_posted(self) -> bool:
        return self.outcome in ("posted", "exists")

    def balance_after(self, account_id: int) -> int:
        """The account's balance after this journal, in minor units."""
        return int(self.detail[str(account_id)])


# This is the hottest call there is, and SQLAlchemy's arrays are slow.
_POST = (
    "SELECT outcome, balances, detail FROM post(%s, %s::text[], %s::text[], %s::text[],"
    " %s::bigint[], %s::bigint[], %s::integer[], %s::bigint[], %s::bigint[]) ORDER BY item"
)
_POST_ALONE = "SELECT post_alone(%s, %s, %s, %s, %s::bigint[], %s::bigint[])"


def post(session: Session, *, drafts: Sequence[Draft], now: datetime) -> list[Posting]:
    """
    Write journals, each or none of its entries, with an outcome for each draft in their order.

    Safe to repeat: a key that was written is `exists`, and nothing moves. Accounts are locked in id
    order, so calls can wait for each other but never deadlock.
    """
    leg_ends: list[int] = []
    accounts: list[int] = []
    amounts: list[int] = []
    for draft in drafts:
        assert len(draft.legs) > 1, f"a journal has two sides: {draft.key}"
        assert all(draft.legs.values()), f"a leg moves something: {draft.key}"
        accounts += draft.legs.keys()
        amounts += draft.legs.values()
        leg_ends.append(len(accounts))
    if len(drafts) == 1 and not drafts[0].spender:
        posting = _post_alone(session, drafts[0], now)
        if posting:
            return [posting]
    rows = fetched(
        session,
        _POST,
        (
            now,
            [draft.key for draft in drafts],
            [draft.reason.value for draft in drafts],
            [draft.reference for draft in drafts],
            [draft.spender and draft.spender[0] for draft in drafts],
            [draft.spender and draft.spender[1] for draft in drafts],
            leg_ends,
            accounts,
            amounts,
        ),
    )
    return [
        Posting(outcome, detail or {} if balances is None else _balances(draft.legs, balances))
        for draft, (outcome, balances, detail) in zip(drafts, rows, strict=True)
    ]


def _post_alone(session: Session, draft: Draft, now: datetime) -> Posting | None:
    """Write a journal of nobody who spends; None: it is not plain, and nothing has moved."""
    accounts, amounts = zip(*sorted(draft.legs.items()), strict=True)
    [(balances,)] = fetched(
        session,
        _POST_ALONE,
        (now, draft.key, draft.reason.value, draft.reference, list(accounts), list(amounts)),
    )
    return None if balances is None else Posting("posted", _balances(accounts, balances))


def _balances(accounts: Iterable[int], balances: Sequence[int | None]) -> dict[str, int]:
    """Balances by account; a record account has none yet."""
    return {
        str(account): balance
        for account, balance in zip(accounts, balances, strict=True)
        if balance is not None
    }


def open_account(
    session: Session,
    *,
    path: str,
    currency: Currency,
    balance_min: int | None = None,
    balance_max: int | None = None,
    mode: Mode = Mode.AUTHORISE,
    holder: int | None = None,
) -> int:
    """
    Open an account, or find it open. Returns its id.

    Args:
        session: The caller's transaction.
        path: Its name in the chart.
        currency: What it holds.
        balance_min: The lowest balance it may have, in minor units; None: any.
        balance_max: The highest.
        mode: How its balance is kept.
        holder: The subscriber it belongs to, if any; registered in the same transaction at latest.
    """
    session.execute(
        text(
            "INSERT INTO accounts (path, currency, mode, balance_min, balance_max, holder_id)"
            " VALUES (:path, :currency, :mode, :min, :max, :holder) ON CONFLICT (path) DO NOTHING"
        ),
        {
            "path": path,
            "currency": currency.value,
            "mode": mode.value,
            "min": balance_min,
            "max": balance_max,
            "holder": holder,
        },
    )
    return account_id(session, path=path)


def account_id(session: Session, *, path: str) -> int:
    """
    Find an account by its name in the chart.

    Raises:
        UnknownAccount: No account has that path.
    """
    found = session.scalar(select(Account.id).where(Account.path == path))
    if found is None:
        raise UnknownAccount
    return found


def balance(session: Session, *, path: str) -> Money:
    """
    The money on an account now, entries not yet rolled up included.

    Raises:
        UnknownAccount: No account has that path.
    """
    unrolled = (
        select(func.coalesce(func.sum(Unrolled.amount), 0))
        .where(Unrolled.account_id == Account.id)
        .scalar_subquery()
    )
    row = session.execute(
        select(Account.balance + unrolled, Account.currency).where(Account.path == path)
    ).one_or_none()
    if row is None:
        raise UnknownAccount
    return Money(int(row[0]), Currency[row[1]])


def roll_up(session: Session, *, entries_max: int = 10_000) -> int:
    """Take entries of record accounts into their balances; return how many were taken."""
    return int(session.scalar(select(func.roll_up(entries_max))) or 0)
