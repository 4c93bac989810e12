"""Merchants: their shop, what they were paid, what they give back, and links that ask for more."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, StringConstraints

from core import payment_links
from core.merchants import Category
from core.money import Currency
from core.payment_links import MEMO_LENGTH_MAX, Link
from core.rails import Provider
from gateway.api.schemas import SEEN, Instant, Sent, Told
from gateway.api.schemas.money import Amount, Sum
from gateway.api.schemas.orders import Line, PinGiven, Reference
from gateway.api.schemas.transactions import Account

Memo = Annotated[str, StringConstraints(max_length=MEMO_LENGTH_MAX, pattern=SEEN)]
Cursor = Annotated[
    Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,24}$")] | None,
    Field(description="`next` of the page before."),
]
Count = Annotated[int, Field(strict=False, ge=1, le=100)]


class ShopTold(Told):
    """A shop, as its owner sees it."""

    till: str = Field(examples=["0000018"])
    name: str = Field(description="What it is called; without a name of its own, as its owner.")
    category: Category | None
    contact: str | None
    settled_daily: bool
    opened_at: datetime


class ShopChanged(Sent):
    """What is to be otherwise; what is left out stays."""

    name: Annotated[str, StringConstraints(min_length=2, max_length=40, pattern=SEEN)] | None = None
    category: Annotated[Category | None, Field(strict=False)] = None
    contact: Annotated[str, StringConstraints(max_length=24, pattern=SEEN)] | None = Field(
        default=None, description="A phone number."
    )
    settled_daily: bool | None = None


class PaymentsWanted(Account):
    """Which payments, and how many at once."""

    limit: Count = 50
    cursor: Cursor = None


class PaymentTold(Line):
    """A payment that was made to a shop, and what of it was given back."""

    method: Provider | None = Field(
        description="The rail that brought it straight to the till: its `kind` is `deposit`, or"
        " `resolution`, and nothing of it is refundable here. Null where an account paid."
    )
    receipt: str | None = Field(description="What that rail calls the payment.")
    refunded: Sum
    refundable: Sum


class Payments(Told):
    """Some payments, the newest first. There may be fewer than asked for, and still a `next`."""

    payments: list[PaymentTold]
    next: str | None = Field(description="The cursor to go on from; null at the end.")


class Refundable(Told):
    """What of a payment was given back, and what may be."""

    reference: str
    amount: Sum
    refunded: Sum
    refundable: Sum
    reversed: bool = Field(description="Whether staff gave it back.")


class RefundAsked(PinGiven):
    """Which payment to give back, and how much of it; left out, all that is left."""

    payment: Reference = Field(examples=["PQ7X2M4K9A"])
    amount: Amount | None = None


class SettlementQuoted(Told):
    """What would go to the merchant's own M-Pesa, and what it costs."""

    amount: Sum
    fee: Sum
    total: Sum


class LinkMade(Sent):
    """What to ask for. Without an amount the payer says how much."""

    amount: Amount | None = None
    currency: Annotated[Currency, Field(strict=False)] = Currency.KES
    memo: Memo = Field(default="", description="What for.", examples=["Order 1017"])
    single_use: bool = True
    expires_at: Instant | None = None


class LinkTold(Told):
    """A link, as everybody may see it who has it."""

    code: str = Field(examples=["7K2M9QXT4VBN"])
    url: str
    shop: str
    till: str
    amount: Sum | None
    currency: Currency
    memo: str
    single_use: bool
    state: payment_links.LinkState
    expires_at: datetime | None

    @classmethod
    def of(cls, link: Link, *, public_url: str) -> Self:
        """The same, for a program."""
        return cls(
            code=link.code,
            url=f"{public_url}/pay/{link.code}",
            shop=link.shop,
            till=link.till,
            amount=None if link.amount is None else Sum.of(link.amount),
            currency=link.currency,
            memo=link.memo,
            single_use=link.is_single_use,
            state=link.state,
            expires_at=link.expires_at,
        )


class Links(Told):
    """Some links, the newest first."""

    links: list[LinkTold]
    next: str | None = Field(description="The cursor to go on from; null at the end.")


class PaidBy(Told):
    """The references of some payments by a link, the newest first."""

    payments: list[str]
    next: str | None = Field(description="The cursor to go on from; null at the end.")


class LinkPaying(PinGiven):
    """A payment by a link, confirmed. The amount is for links that have none."""

    amount: Amount | None = None
