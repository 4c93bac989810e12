"""The sealed log."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from gateway.api.schemas import Told


class Block(Told):
    """Some leaves of the log, by their hashes in base 64, and the tree's root at their end."""

    number: int
    first: int = Field(description="The position of its first leaf.")
    count: int = Field(ge=1, le=50)
    root: str
    sealed_at: datetime
    leaves: list[str]
