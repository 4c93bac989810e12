"""What programs send and are sent: pydantic at the door, dataclasses behind it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

SEEN: Final = r"^[^\x00-\x1f\x7f]*$"
_FIRST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(2101, 1, 1, tzinfo=UTC)


def _is_text(given: object) -> object:
    """Take an instant in letters alone: a number would be read as seconds since 1970."""
    if not isinstance(given, str):
        raise ValueError("an instant is written as in RFC 3339")  # noqa: TRY004 - pydantic's own word
    return given


def _is_ours(given: datetime) -> datetime:
    """Take an instant of the years that a bank may speak of, in UTC: the outermost have none."""
    if not _FIRST <= given < _LAST:
        raise ValueError("an instant is between the years 2000 and 2100")
    return given.astimezone(UTC)


Words = Annotated[str, StringConstraints(max_length=500, min_length=1, pattern=SEEN)]


Instant = Annotated[
    AwareDatetime, Field(strict=False), BeforeValidator(_is_text), AfterValidator(_is_ours)
]


class Sent(BaseModel):
    """What a program sends: nothing that we do not know, and no number where words are meant."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class Page(Sent):
    """Which of many."""

    limit: Annotated[int, Field(strict=False, ge=1, le=100)] = 50
    cursor: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,24}$")] | None = Field(
        default=None, description="`next` of the page before."
    )


class Told(BaseModel):
    """What a program is told."""

    model_config = ConfigDict(frozen=True, serialize_by_alias=True)
