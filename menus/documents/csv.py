"""
A statement as CSV (RFC 4180) in UTF-8, line by line, for programs and spreadsheets.

The first line after the headings is the opening balance and the last the closing one; `amount`
less `fee` of all between make the difference.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import Final

from core.statements import NAIROBI, Line, Statement
from core.subscribers import Language
from menus.documents import words

HEADINGS: Final = (
    "number",
    "time",
    "reference",
    "kind",
    "details",
    "other_party",
    "amount",
    "fee",
    "balance",
    "currency",
)

# A spreadsheet takes a cell that begins like this for a formula, and carries it out.
_FORMULA: Final = re.compile(r"[=+\-@\t\r\n]")


def rows(statement: Statement, lines: Iterable[Line], language: Language) -> Iterator[str]:
    """The file, a line at a time, each with its line break."""
    opening, closing = statement.opening, statement.closing
    currency = statement.currency.value
    begin, end = statement.period.begin, statement.period.end
    yield _row(HEADINGS)
    at = begin.astimezone(NAIROBI).isoformat()
    told = words.OPENING.render(language)
    yield _row((None, at, "", "opening", told, "", None, None, words.decimal(opening), currency))
    for line in lines:
        yield _row(
            (
                str(line.number),
                line.at.astimezone(NAIROBI).isoformat(),
                text(line.reference),
                text(line.reason),
                text(words.movement(line, language)),
                text(words.other(line)),
                words.decimal(line.amount),
                words.decimal(line.fee),
                words.decimal(line.balance),
                currency,
            )
        )
    at = end.astimezone(NAIROBI).isoformat()
    told = words.CLOSING.render(language)
    yield _row((None, at, "", "closing", told, "", None, None, words.decimal(closing), currency))


def text(said: str) -> str:
    """Words that no spreadsheet takes for a formula."""
    return f"'{said}" if _FORMULA.match(said) else said


def _row(cells: Iterable[str | None]) -> str:
    made = io.StringIO()
    csv.writer(made, lineterminator="\r\n").writerow(cells)
    return made.getvalue()
