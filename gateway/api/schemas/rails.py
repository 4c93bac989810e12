"""Money in and out over rails: by which, how much, whom to, and what became of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from core.rails import Provider
from gateway.api.schemas import SEEN, Sent, Told
from gateway.api.schemas.money import Amount, Sum
from gateway.api.schemas.orders import REFERENCE, PinAndCodeGiven

Method = Annotated[Provider, Field(strict=False, description="By which rail.")]
Phone = Annotated[str, StringConstraints(min_length=9, max_length=20, pattern=SEEN)]

DEPOSIT: Final = r"^D[0-9A-HJKMNP-TV-Z]{9}$"
WITHDRAWAL: Final = r"^W[0-9A-HJKMNP-TV-Z]{9}$"


# --------------------------------------------------------------------------------------- money in


class DepositAsked(Sent):
    """Money that is to come in."""

    method: Method
    amount: Amount
    phone: Phone | None = Field(
        default=None,
        description="With `mpesa`: whose phone is asked for the PIN, one's own when left out.",
        examples=["0712000001"],
    )


class DepositState(StrEnum):
    """What became of a deposit, as far as its owner need know."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    EXPIRED = "expired"
    IN_REVIEW = "in-review"


class DepositTold(Told):
    """A deposit as it stands."""

    reference: str = Field(pattern=DEPOSIT, examples=["DQ7X2M4K9A"])
    method: Provider
    state: DepositState
    amount: Sum
    fee: Sum
    credited: Sum
    checkout_url: str | None = Field(
        description="Where it is paid, with Paystack and Flutterwave; there in a moment."
    )
    receipt: str | None = Field(description="What the rail calls the payment.")
    code: str | None = Field(description="Why it failed, or why the last try did.")
    asked_at: datetime
    ended_at: datetime | None


class Deposits(Told):
    """Deposits, the newest first."""

    deposits: list[DepositTold]
    next: str | None = Field(description="The cursor of the next page; none after the last.")


# -------------------------------------------------------------------------------------- money out


class BankAccount(Sent):
    """A bank account: its bank by the code under which the rail lists it."""

    bank: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{2,12}$")] = Field(
        examples=["058"]
    )
    account: Annotated[str, StringConstraints(pattern=r"^[0-9]{6,20}$")] = Field(
        examples=["0123456789"]
    )
    name: Annotated[str, StringConstraints(min_length=2, max_length=60, pattern=SEEN)] = Field(
        examples=["Ngozi Eze"]
    )


class WithdrawalAsked(Sent):
    """What a withdrawal would be."""

    method: Method
    amount: Amount


class Withdrawal(PinAndCodeGiven, WithdrawalAsked):
    """A withdrawal, confirmed: to a bank account or a phone; one's own where neither is told."""

    phone: Phone | None = Field(default=None, examples=["0712000001"])
    bank_account: BankAccount | None = None


class WithdrawalQuoted(Told):
    """What a withdrawal would cost. The fee may change until it is done."""

    amount: Sum
    fee: Sum
    total: Sum


class WithdrawalState(StrEnum):
    """What became of a withdrawal, as far as its owner need know."""

    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"
    RETURNED = "returned"
    IN_REVIEW = "in-review"


class WithdrawalTold(Told):
    """A withdrawal as it stands."""

    reference: str = Field(pattern=REFERENCE, examples=["WQ7X2M4K9A"])
    method: Provider
    state: WithdrawalState
    amount: Sum
    fee: Sum
    total: Sum
    to: str = Field(examples=["Ngozi Eze, 058 ***6789"])
    receipt: str | None
    code: str | None
    asked_at: datetime
    ended_at: datetime | None


class Withdrawals(Told):
    """Withdrawals, the newest first."""

    withdrawals: list[WithdrawalTold]
    next: str | None = Field(description="The cursor of the next page; none after the last.")
