"""Money of one currency for money of another."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from core.money import Currency
from gateway.api.schemas import Sent, Told
from gateway.api.schemas.money import Amount, Sum
from gateway.api.schemas.orders import PinGiven

_Chosen = Annotated[Currency, Field(strict=False)]


class Priced(Told):
    """A currency in shillings: what one is worth to who sells it, and to who buys it."""

    currency: Currency
    sell: Sum = Field(description="What one gives who parts with it.")
    buy: Sum = Field(description="What one costs.")


class Prices(Told):
    """Every currency that there is a fresh rate of."""

    at: datetime
    prices: list[Priced]


class Wish(Sent):
    """What somebody would part with, and for what."""

    give: Amount
    get: _Chosen


class Promise(Told):
    """A price that is promised for a minute, for one exchange."""

    id: UUID
    give: Sum
    get: Sum
    fee: Sum = Field(description="What we keep of the middle price; `get` is without it.")
    rate: str = Field(pattern=r"^[0-9]+(\.[0-9]+)?$", description="Of `get` for one of `give`.")
    expires_at: datetime


class Exchanged(PinGiven):
    """A promised price, taken up."""

    quote: Annotated[UUID, Field(strict=False)]
