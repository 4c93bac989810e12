"""What the fakes' own doors, for phones and tests, are told: JSON, and what is wrong with it."""

from __future__ import annotations

from flask import Response, jsonify, request
from pydantic import ValidationError
from werkzeug.exceptions import BadRequest, HTTPException


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


def said(error: ValidationError) -> str:
    """A validation error in one line."""
    return "; ".join(
        ".".join(str(part) for part in each["loc"]) + f": {each['msg']}"
        for each in error.errors(include_url=False)
    )
