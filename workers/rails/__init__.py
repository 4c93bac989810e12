"""
Payment rails: what every provider of checkouts and payouts must be able to do.

A rail takes money from somebody's card or bank on a page of its own, and pays money out to a bank
account or a phone. What a rail tells us unasked is never believed: it says of what there is news,
and the rail is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from core.money import Money
from core.payees import Payee
from core.rails import Provider


class ChargeState(StrEnum):
    """What became of a checkout, by the rail's own word."""

    PAID = "paid"
    """The money is the rail's to give us."""
    OPEN = "open"
    """Nobody has paid yet, or it is under way."""
    DECLINED = "declined"
    """The last try to pay failed. The page may still be tried again."""
    REVERSED = "reversed"
    """It was paid, and given back since."""
    ABSENT = "absent"
    """The rail knows of no such charge."""


class TransferState(StrEnum):
    """What became of a payout, by the rail's own word."""

    PAID = "paid"
    """Whoever is paid has it."""
    OPEN = "open"
    """It is under way."""
    FAILED = "failed"
    """It never arrived; the rail has the money."""
    REVERSED = "reversed"
    """It had arrived, or was thought to, and the rail has the money again."""
    ABSENT = "absent"
    """The rail knows of no such transfer."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A page on which somebody pays."""

    url: str


@dataclass(frozen=True, slots=True)
class Charge:
    """
    What a rail says of a checkout.

    Args:
        state: What became of it.
        amount: What was paid; None where nothing was, or in a currency that we do not hold.
        cost: What the rail kept of it, where it tells.
        receipt: What the rail calls the payment; no two have the same.
        why: The rail's word for it (`insufficient_funds`), for staff.
    """

    state: ChargeState
    amount: Money | None = None
    cost: Money | None = None
    receipt: str | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Transfer:
    """
    What a rail says of a payout.

    Args:
        state: What became of it.
        amount: What was sent; None where nothing was, or in a currency that we do not hold.
        cost: What the rail took for it, where it tells.
        receipt: What the rail calls it; no two have the same.
        why: The rail's word for it, for staff.
    """

    state: TransferState
    amount: Money | None = None
    cost: Money | None = None
    receipt: str | None = None
    why: str = ""


class Topic(StrEnum):
    """What a webhook is about."""

    CHARGE = "charge"
    TRANSFER = "transfer"
    REFUND = "refund"
    """Money of a charge went back, or somebody wants it to: a refund, a dispute."""
    OTHER = "other"
    """Nothing that we act on."""


@dataclass(frozen=True, slots=True)
class News:
    """
    What a webhook is about: of what there is news. What the news is, the rail is asked.

    Args:
        topic: A charge, a transfer, or something else.
        reference: Ours; empty where it names none.
        event: The rail's own word for it (`charge.success`).
    """

    topic: Topic
    reference: str
    event: str


class PaymentRail(Protocol):
    """
    An account with a provider of payments. Nothing is ever repeated here; the jobs decide.

    Every call raises, as `workers.errors` has them: `Rejected` (it did not happen and never will),
    `Blocked` (nothing will until staff mend something), `Unreachable` (it did not happen this
    time) and `Unknown` (it may have happened).
    """

    provider: Provider
    """Whose it is."""

    def initialise(self, *, reference: str, amount: Money) -> Checkout:
        """
        Make a page on which somebody can pay. Money moves only when they do.

        Args:
            reference: What the payment is called; never used before.
            amount: What is to be paid.
        """
        ...

    def verify(self, *, reference: str) -> Charge:
        """Ask what became of a checkout."""
        ...

    def transfer(self, *, reference: str, amount: Money, payee: Payee, reason: str) -> Transfer:
        """
        Pay out. The rail pays once under a reference, however often it is asked to.

        Args:
            reference: What the payout is called: 16 to 50 of `a-z0-9_-`.
            amount: What is paid.
            payee: To whom.
            reason: What the receiver is shown.

        Raises:
            Unknown: It may have happened; that the reference was used before is told like this,
                too.
        """
        ...

    def verify_transfer(self, *, reference: str) -> Transfer:
        """Ask what became of a payout."""
        ...

    def understand(self, body: bytes) -> News:
        """
        Read what a webhook is about.

        Raises:
            Unknown: It is about nothing that can be read.
        """
        ...

    def close(self) -> None:
        """Hang up."""
        ...
