"""What somebody has."""

from __future__ import annotations

from pydantic import Field

from gateway.api.schemas import Told
from gateway.api.schemas.money import Sum


class Balance(Told):
    """What there is of one currency, and what of it is set aside."""

    available: Sum
    held: Sum


class Holdings(Told):
    """Somebody's accounts, and the number by which others pay them."""

    wallet_number: str = Field(pattern=r"^384[0-9]{10}$", examples=["3840000000016"])
    balances: list[Balance]
