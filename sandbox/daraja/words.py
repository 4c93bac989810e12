"""How the doors for phones and tests read what they are told."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from flask import Response, jsonify, request
from pydantic import BaseModel, Field, ValidationError
from werkzeug.exceptions import BadRequest, HTTPException

from sandbox.africastalking import wire as numbers

Kes = Annotated[Decimal, Field(ge=-1_000_000_000, le=1_000_000_000, decimal_places=2)]


class _Amount(BaseModel):
    kes: Kes


def problem(error: HTTPException) -> Response:
    """Say what is wrong in JSON, with what to do about it."""
    answer = jsonify({"error": error.description})
    answer.status_code = error.code or 500
    return answer


def body() -> dict[str, object]:
    """Read a JSON object; asking for its content type keeps other sites' forms out."""
    if not request.is_json:
        raise BadRequest("Send a JSON object, with Content-Type: application/json.")
    told = request.get_json(silent=True)
    if not isinstance(told, dict):
        raise BadRequest("Send a JSON object.")
    return told


def string(told: dict[str, object], name: str, size: int) -> str:
    """A field that is a string of at most so many characters."""
    value = told.get(name)
    if not isinstance(value, str) or len(value) > size:
        raise BadRequest(f"'{name}' must be a string of at most {size} characters.")
    return value


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


def said(error: ValidationError) -> str:
    """A validation error in one line."""
    return "; ".join(
        ".".join(str(part) for part in each["loc"]) + f": {each['msg']}"
        for each in error.errors(include_url=False)
    )
