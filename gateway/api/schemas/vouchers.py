"""Vouchers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, SecretStr

from gateway.api.schemas import Sent, Told
from gateway.api.schemas.money import Sum


class Code(Sent):
    """The twenty digits of a voucher."""

    code: Annotated[SecretStr, Field(strict=False, min_length=14, max_length=40)] = Field(
        json_schema_extra={"examples": ["1234 5678 9012 3456 7890"]}
    )


class Batch(Told):
    """Vouchers that somebody issued at once; what nobody has redeemed in time comes back."""

    number: int = Field(description="As it is on the slips.")
    value: Sum
    count: int
    redeemed: int
    refunded: int
    issued_at: datetime
    expires_at: datetime
    cancelled_at: datetime | None


class Batches(Told):
    """Some batches that somebody issued, the newest first."""

    batches: list[Batch]
    next: str | None = Field(description="The cursor to go on from; null at the end.")
