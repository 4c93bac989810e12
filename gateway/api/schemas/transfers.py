"""Money for somebody else: whom, how much, and what it would cost."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from gateway.api.schemas import SEEN, Sent, Told
from gateway.api.schemas.money import Amount, Sum
from gateway.api.schemas.orders import Other, PinGiven

Number = Annotated[str, StringConstraints(min_length=5, max_length=20, pattern=SEEN)]
_TO = "A phone number, or a wallet number of 13 digits."


class TransferAsked(Sent):
    """What a transfer would be."""

    to: Number = Field(description=_TO, examples=["0733000002"])
    amount: Amount


class Transfer(PinGiven, TransferAsked):
    """A transfer, confirmed."""


class PaymentAsked(Sent):
    """What a payment would be."""

    till: Annotated[str, StringConstraints(pattern=r"^[0-9]{7}$")] = Field(examples=["0000018"])
    amount: Amount


class Payment(PinGiven, PaymentAsked):
    """A payment, confirmed."""


class Quoted(Told):
    """What something would cost, and whom it would be for. The fee may change until it is done."""

    amount: Sum
    fee: Sum
    total: Sum
    to: Other
