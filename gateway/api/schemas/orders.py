"""What was ordered, what became of it, and what it did to an account."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, SecretStr, StringConstraints

from core import msisdn, statements
from core.orders import State
from gateway.api.schemas import Sent, Told
from gateway.api.schemas.money import Sum

REFERENCE = r"^[A-Z][0-9A-HJKMNP-TV-Z]{9}$"


class PinGiven(Sent):
    """What a person confirms with."""

    pin: Annotated[SecretStr | None, Field(strict=False)] = Field(
        default=None,
        description="A person's PIN. API keys need none.",
        json_schema_extra={"examples": ["4071"]},
    )


class PinAndCodeGiven(PinGiven):
    """What a person confirms with that money leaves the house."""

    totp: Annotated[SecretStr | None, Field(strict=False)] = Field(
        default=None,
        description="The second factor, where there is one and much is taken out in a day.",
        json_schema_extra={"examples": ["123456"]},
    )


class Other(Told):
    """Who is on the other side."""

    name: str
    number: str = Field(examples=["0733***002"])


class Line(Told):
    """What one movement did to an account. What was spent is negative; the fee comes on top."""

    number: int = Field(description="Lines of an account are numbered in the book's order.")
    at: datetime
    kind: str = Field(examples=["transfer"])
    amount: Sum
    fee: Sum
    balance: Sum
    reference: str | None
    other: Other | None

    @classmethod
    def of(cls, line: statements.Line) -> Self:
        """A line of a statement."""
        other = Other(name=line.name, number=msisdn.masked(line.msisdn)) if line.name else None
        return cls(
            number=line.number,
            at=line.at,
            kind=line.reason,
            amount=Sum.of(line.amount),
            fee=Sum.of(line.fee),
            balance=Sum.of(line.balance),
            reference=line.reference or None,
            other=other,
        )


class Refusal(Told):
    """Why something was refused: the code of a problem, and its title."""

    code: str
    title: str


class Ordered(Told):
    """What was asked for, and what became of it. Until it is done it has no lines."""

    reference: str = Field(pattern=REFERENCE, examples=["TQ7X2M4K9A"])
    kind: str = Field(examples=["transfer"])
    state: State
    placed_at: datetime
    executed_at: datetime | None
    refusal: Refusal | None
    lines: list[Line]


class Receipt(Told):
    """What the book has, and its seal: under that, the log proves it to anybody."""

    reference: str
    seal: str | None = Field(
        examples=["7K2M9QXT4VBN8HCD"], description="None for a moment, until the log has it."
    )
    lines: list[Line]


Reference = Annotated[str, StringConstraints(pattern=REFERENCE)]
