"""
A provider's statement as a CSV file, as its portal exports it. What its columns mean is told by a
description in TOML:

    provider = "africastalking"       # subjects of breaks begin with it
    ours = "messages"                 # which rows of ours it is about (core.providers.OURS)
    late_after_minutes = 60           # how far the two times of one thing may be apart
    reach_days = 3                    # how far around the period other halves are looked for
    encoding = "utf-8"
    delimiter = ","
    at_format = "%Y-%m-%d %H:%M:%S"   # as strptime reads it
    utc_offset_minutes = 180          # of times that name no zone
    currency = "KES"                  # of amounts that name none
    include = ["Success", "Sent"]     # kinds that count; all where it is left out

    [columns]                         # by their headings
    reference = "Message ID"
    amount = "Cost"
    at = "Date"
    kind = "Status"                   # may be left out
    currency = "Currency"             # may be left out
"""

from __future__ import annotations

import csv
import re
import tomllib
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.orm import Session

from core.providers import OURS, Line
from core.statements import Period

# `KES 0.8000`, `1,250.00`, `-3`: an amount with or without its currency.
_AMOUNT: Final = re.compile(r"(?:([A-Z]{3,4})\s?)?(-?[0-9][0-9,]{0,24}(?:\.[0-9]{1,18})?)")
_FIELD_LENGTH_MAX: Final = 512


class Misread(Exception):
    """A file is not what it should be; the words say where, and what to do."""


class Columns(BaseModel):
    """Headings of the columns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: str
    amount: str
    at: str
    kind: str | None = None
    currency: str | None = None


class Description(BaseModel):
    """What a provider's file looks like."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: str = Field(pattern=r"^[a-z][a-z0-9-]{1,30}$")
    ours: str
    late_after_minutes: int = Field(default=60, ge=0)
    reach_days: int = Field(default=3, ge=0, le=60)
    encoding: str = "utf-8"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    at_format: str
    utc_offset_minutes: int = Field(default=0, ge=-840, le=840)
    currency: str | None = None
    include: list[str] | None = None
    columns: Columns

    @classmethod
    def read(cls, path: Path) -> Self:
        """
        Read a description.

        Raises:
            Misread: There is none, or something in it is wrong.
        """
        try:
            told = cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise Misread(f"{path}: {error}") from None
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise Misread(f"{path}: {where}: {first['msg']}") from None
        if told.ours not in OURS:
            raise Misread(f"{path}: ours is {told.ours!r}: it must be one of {sorted(OURS)}")
        return told


class Bill:
    """
    A statement in a file, and our side of it.

    Args:
        path: The file.
        told: What it looks like.
    """

    def __init__(self, path: Path, told: Description) -> None:
        self._path = path
        self._told = told
        self.name = told.provider
        self.late_after = timedelta(minutes=told.late_after_minutes)
        self.reach = timedelta(days=told.reach_days)

    def period(self) -> Period:
        """
        From the first line to the last.

        Raises:
            Misread: A line is not understood, or there are none.
        """
        first = last = None
        for line in self._lines():
            first = line.at if first is None or line.at < first else first
            last = line.at if last is None or line.at > last else last
        if first is None or last is None:
            raise Misread(f"{self._path}: there are no lines in it")
        return Period(first, last + timedelta(microseconds=1))

    def lines(self, period: Period) -> Iterable[Line]:
        """
        What the file tells of a period.

        Raises:
            Misread: A line is not understood.
        """
        return (line for line in self._lines() if line.at in period)

    def ours(self, session: Session, period: Period) -> Iterable[Line]:
        """What we have of it."""
        return OURS[self._told.ours](session, period)

    def _lines(self) -> Iterator[Line]:
        told = self._told
        try:
            # A byte order mark, as spreadsheets write it, is no part of the first heading.
            encoding = "utf-8-sig" if told.encoding.lower() in ("utf-8", "utf8") else told.encoding
            with self._path.open(encoding=encoding, newline="") as file:
                rows = csv.DictReader(file, delimiter=told.delimiter, strict=True)
                headings = set(rows.fieldnames or ())
                wanted = {each for each in told.columns.model_dump().values() if each}
                if missing := sorted(wanted - headings):
                    raise Misread(f"{self._path}: no column is called {', '.join(missing)}")
                for row in rows:
                    line = self._line(row, rows.line_num)
                    if told.include is None or line.kind in told.include:
                        yield line
        except (OSError, UnicodeDecodeError, LookupError, csv.Error) as error:
            raise Misread(f"{self._path}: {error}") from None

    def _line(self, row: dict[str, str | None], number: int) -> Line:
        told = self._told

        def cell(heading: str | None) -> str:
            found = (row.get(heading) or "").strip() if heading else ""
            if len(found) > _FIELD_LENGTH_MAX:
                raise Misread(f"{self._path}, line {number}: {heading} is too long")
            return found

        reference, amount = cell(told.columns.reference), cell(told.columns.amount)
        parsed = _AMOUNT.fullmatch(amount)
        if parsed is None:
            raise Misread(f"{self._path}, line {number}: {amount!r} is no amount")
        currency = cell(told.columns.currency) or parsed[1] or told.currency
        if not reference or not currency:
            raise Misread(f"{self._path}, line {number}: it has no reference, or no currency")
        try:
            at = datetime.strptime(cell(told.columns.at), told.at_format)  # noqa: DTZ007 - below
        except ValueError as error:
            raise Misread(f"{self._path}, line {number}: {error}") from None
        if at.tzinfo is None:
            at = at.replace(tzinfo=timezone(timedelta(minutes=told.utc_offset_minutes)))
        return Line(
            reference, Decimal(parsed[2].replace(",", "")), currency, at, cell(told.columns.kind)
        )
