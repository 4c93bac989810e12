"""Money set aside for a merchant."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from core.holds import HoldState
from gateway.api.schemas import Sent, Told
from gateway.api.schemas.money import Amount, Sum
from gateway.api.schemas.orders import Other, PinGiven


class HoldAsked(PinGiven):
    """What somebody would set aside, for whom, and for how many days."""

    till: Annotated[str, StringConstraints(pattern=r"^[0-9]{7}$")] = Field(examples=["0000018"])
    amount: Amount
    days: int = Field(default=7, ge=1, le=30)


class Taking(Sent):
    """How much of it the merchant takes; without an amount all of it."""

    amount: Amount | None = None


class GivingBack(Sent):
    """Nothing more is said to give it back."""


class HoldTold(Told):
    """Money set aside: who gave it, who may take it, until when, and what became of it."""

    reference: str = Field(examples=["H7X2M4K9AB"])
    side: Literal["owner", "merchant"] = Field(description="Which of the two the caller is.")
    other: Other
    amount: Sum
    captured: Sum
    state: HoldState
    placed_at: datetime
    expires_at: datetime


class HoldsWanted(Sent):
    """Which holds, and how many at once."""

    state: Annotated[HoldState | None, Field(strict=False)] = None
    limit: Annotated[int, Field(strict=False, ge=1, le=100)] = 100
    cursor: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,24}$")] | None = Field(
        default=None, description="`next` of the page before."
    )


class HoldsTold(Told):
    """A page of them, the newest first."""

    holds: list[HoldTold]
    next: str | None = Field(description="The cursor of the next page, if there is more.")
