"""
Safaricom's organisation statement, as the M-PESA portal exports it in CSV.

A few lines about the account come first. One receipt has a line for the payment and, at times, one
for what it cost: a charge is no payment, and is ours to pay whatever it was for. What was given
back has a receipt of its own, and names the one that it takes back: it is known by that.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

from core.money import Currency, Money
from core.providers import OURS, Line, reversal_of
from core.statements import Period
from workers.bills import Misread
from workers.daraja import values
from workers.daraja.values import NAIROBI

_RECEIPT: Final = "Receipt No."
_AT: Final = "Completion Time"
_STATUS: Final = "Transaction Status"
_IN: Final = "Paid In"
_OUT: Final = "Withdrawn"
_REASON: Final = "Reason Type"
_ACCOUNT: Final = "A/C No."
_PARTY: Final = "Other Party Info"
_DETAILS: Final = "Details"
_LINKED: Final = "Linked Transaction ID"
_WANTED: Final = frozenset({_RECEIPT, _AT, _STATUS, _IN, _OUT, _REASON})
_FORMS: Final = ("%d-%m-%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M:%S")
# What moves our own money about, or costs something, is nobody's payment.
_NOT_PAYMENTS: Final = (
    *("charge", "fee for", "organization settlement", "transfer", "revenue", "top up"),
)
# From here on a line's details are others' words: names, and what a payer typed.
_OTHERS_WORDS: Final = re.compile(r"\b(?:from|to|acc|a/c)\b|[0-9]", re.IGNORECASE)
_HEADING_LINES_MAX: Final = 40


@dataclass(frozen=True, slots=True)
class Arrival:
    """A payment to us that a statement has: what a confirmation would have told."""

    receipt: str
    account: str
    amount: Money
    payer: str
    at: datetime


@dataclass
class OrganisationStatement:
    """
    It, and our side; a `core.providers.Provider`.

    Args:
        paths: The files: one of each account that people pay, or that pays out.
    """

    paths: tuple[Path, ...]
    name: str = "mpesa"
    late_after: timedelta = timedelta(minutes=30)
    reach: timedelta = timedelta(days=2)

    def period(self) -> Period:
        """
        From the first line to the last.

        Raises:
            Misread: The file is not such a statement, or has no payment in it.
        """
        instants = [line.at for line in self._lines()]
        if not instants:
            raise Misread(f"{self._names}: there are no payments in it")
        return Period(min(instants), max(instants) + timedelta(seconds=1))

    def lines(self, period: Period) -> Iterable[Line]:
        """
        What the file tells of a period.

        Raises:
            Misread: A line is not understood.
        """
        return (line for line in self._lines() if line.at in period)

    def arrivals(self) -> Iterator[Arrival]:
        """
        What people have paid in.

        Raises:
            Misread: A line is not understood.
        """
        for line, cells in self._read():
            amount, receipt = values.amount(line.amount), values.receipt(line.reference)
            if line.amount > 0 and amount is not None and receipt is not None:
                account, payer = (values.words(cells.get(name)) for name in (_ACCOUNT, _PARTY))
                yield Arrival(receipt, account, amount, payer, line.at)

    def ours(self, session: Session, period: Period) -> Iterable[Line]:
        """What we have of it."""
        return OURS["mpesa"](session, period)

    @property
    def _names(self) -> str:
        return ", ".join(map(str, self.paths))

    def _lines(self) -> Iterator[Line]:
        return (line for line, _cells in self._read())

    def _read(self) -> Iterator[tuple[Line, Mapping[str, str]]]:
        for path in self.paths:
            yield from self._lines_of(path)

    def _lines_of(self, path: Path) -> Iterator[tuple[Line, Mapping[str, str]]]:
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = csv.reader(file, strict=True)
                columns = _columns(path, rows)
                for row in rows:
                    cells = dict(zip(columns, (cell.strip() for cell in row), strict=False))
                    line = _line(path, cells, rows.line_num) if any(row) else None
                    if line is not None:
                        yield line, cells
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise Misread(f"{path}: {error}") from None


def _columns(path: Path, rows: Iterator[list[str]]) -> list[str]:
    for number, row in enumerate(rows):
        found = [cell.strip() for cell in row]
        if set(found) >= _WANTED:
            return found
        if number >= _HEADING_LINES_MAX:
            break
    raise Misread(f"{path}: no line has the columns {', '.join(sorted(_WANTED))}")


def _line(path: Path, cells: Mapping[str, str], number: int) -> Line | None:
    details = _OTHERS_WORDS.split(cells.get(_DETAILS, ""), maxsplit=1)[0]
    kind = f"{cells.get(_REASON, '')} {details}".casefold()
    if cells.get(_STATUS, "").casefold() != "completed":
        return None
    if any(word in kind for word in _NOT_PAYMENTS):
        return None
    where = f"{path}, line {number}"
    if not cells.get(_RECEIPT):
        raise Misread(f"{where}: it has no receipt")
    amount = _amount(cells.get(_IN, ""), where) or -abs(_amount(cells.get(_OUT, ""), where))
    at = _at(cells.get(_AT, ""), where)
    reference, linked = cells[_RECEIPT], values.receipt(cells.get(_LINKED))
    if "revers" in kind and linked is not None:
        reference = reversal_of(linked)
    return Line(reference, amount, Currency.KES.value, at, cells.get(_REASON, ""))


def _amount(written: str, where: str) -> Decimal:
    try:
        found = Decimal(written.replace(",", "") or 0)
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        raise Misread(f"{where}: {written[:40]!r} is no amount")
    return found


def _at(written: str, where: str) -> datetime:
    for form in _FORMS:
        try:
            return datetime.strptime(written, form).replace(tzinfo=NAIROBI)
        except ValueError:
            continue
    raise Misread(f"{where}: {written[:40]!r} is no time")
