"""How the doors for phones and tests read what they are told."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError
from werkzeug.exceptions import BadRequest

from sandbox.africastalking import wire as numbers

Kes = Annotated[Decimal, Field(ge=-1_000_000_000, le=1_000_000_000, decimal_places=2)]


class _Amount(BaseModel):
    kes: Kes


def number(raw: str, name: str) -> str:
    """A phone number in any usual form, as Daraja has it: `254712000001`."""
    found = numbers.number(raw)
    if found is None or not found.startswith("+254"):
        raise BadRequest(f"'{name}' must be a Kenyan phone number, such as 0712000001.")
    return found[1:]


def kes(raw: object) -> Decimal:
    """An amount in KES, which may be none or less."""
    try:
        return _Amount.model_validate({"kes": raw}).kes.quantize(Decimal("0.01"))
    except ValidationError as error:
        raise BadRequest(f"{raw!r} is no amount in KES.") from error
