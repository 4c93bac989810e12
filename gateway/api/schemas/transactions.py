"""Lines of an account: which are wanted, and a page of them."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from core.ledger import Reason
from core.money import Currency
from gateway.api.schemas import Sent, Told
from gateway.api.schemas.orders import Line


def _written_out(given: object) -> object:
    """A day as people write it, and not as a number of seconds."""
    if isinstance(given, str) and not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", given):
        raise ValueError("A day is written 2026-11-21")
    return given


_Day = Annotated[date | None, Field(strict=False), BeforeValidator(_written_out)]


class Account(Sent):
    """Which of somebody's accounts, and which days of it, by Nairobi's calendar."""

    currency: Annotated[Currency, Field(strict=False)] = Currency.KES
    account: Literal["main", "held", "owed"] = "main"
    since: _Day = Field(default=None, description="The first day.")
    until: _Day = Field(default=None, description="The day after the last.")


class Filter(Account):
    """Which lines, and how many at once."""

    kind: Annotated[Reason | None, Field(strict=False)] = None
    direction: Literal["in", "out"] | None = None
    limit: Annotated[int, Field(strict=False, ge=1, le=100)] = 50
    cursor: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,24}$")] | None = Field(
        default=None, description="`next` of the page before."
    )


class Lines(Told):
    """Some lines, the newest first. There may be fewer than asked for, and still a `next`."""

    lines: list[Line]
    next: str | None = Field(description="The cursor to go on from; null at the end.")
