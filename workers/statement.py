"""
`python -m workers.statement`: what went into and out of an account, as staff give it to whom it is.

Written to standard output; each is kept in the audit log with who took it.
"""

from __future__ import annotations

import argparse
import getpass
import re
import sys
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from core import audit, db, msisdn, statements, subscribers
from core.audit import Action, Actor
from core.db import Databases, transact
from core.errors import DomainError
from core.money import Currency
from core.settings import load
from core.statements import NAIROBI, PLACES, Period, Statement
from core.subscribers import Language, Person
from menus.documents import csv, pdf, plain
from menus.languages import spoken

NOT_DONE: Final = 2
_FORMATS: Final = ("text", "csv", "pdf")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which statement, and for whom."""

    of: str
    period: Period
    currency: Currency
    place: str
    language: Language | None
    form: str


def main(argv: Sequence[str]) -> int:
    """Write one statement to standard output."""
    chosen = _parser().parse_args(argv)
    today = datetime.now(NAIROBI).date()
    begin = chosen.begin or today.replace(day=1)
    end = chosen.end or max(_next_month(begin), begin)
    if chosen.format == "pdf" and sys.stdout.isatty():
        print("A PDF is no text for a terminal: add > statement.pdf", file=sys.stderr)
        return NOT_DONE
    databases = db.connect(load().database_url.get_secret_value(), role=db.WORKER)
    actor = Actor(f"staff:{getpass.getuser()}", "statement", f"cli:{uuid.uuid4()}")
    try:
        wanted = Wanted(
            chosen.of,
            Period.days(begin, end),
            Currency[chosen.currency],
            chosen.account,
            chosen.language and Language(chosen.language),
            chosen.format,
        )
        for part in taken(databases, wanted, actor=actor, now=datetime.now(UTC)):
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
    except DomainError as error:
        print(f"No statement of {chosen.of}: {error.__doc__}", file=sys.stderr)
        return NOT_DONE
    except BrokenPipeError:  # whoever read has seen enough
        sys.stderr.close()
        return 0
    return 0


def taken(databases: Databases, wanted: Wanted, *, actor: Actor, now: datetime) -> Iterable[bytes]:
    """
    A statement part by part, once it is written down who took it.

    Raises:
        InvalidMsisdn, InvalidWalletNumber, UnknownRecipient: There is nobody with that number.
        UnknownAccount: They have no such account.
        StatementTooLong: It is too long for a PDF.
    """

    def begin(session: Session) -> tuple[Person, Statement]:
        session.execute(text("SET LOCAL statement_timeout = '300s'"))  # a merchant's whole year
        person = _whose(session, wanted.of)
        opened = statements.open_statement(
            session,
            person=person,
            period=wanted.period,
            currency=wanted.currency,
            place=wanted.place,
        )
        audit.record(
            session,
            actor=actor,
            action=Action.STATEMENT_TAKEN,
            subject=f"subscriber:{person.id}",
            detail={
                "account": opened.account,
                "from": opened.period.begin.isoformat(),
                "to": opened.period.end.isoformat(),
                "format": wanted.form,
            },
            now=now,
        )
        return person, opened

    person, statement = transact(databases, begin)
    lines = statements.lines(databases, statement)
    language = wanted.language or person.language
    if wanted.form == "pdf":
        yield pdf.make(statement, lines, language, issued_at=now)
        return
    write = csv.rows if wanted.form == "csv" else plain.rows
    for row in write(statement, lines, language):
        yield row.encode()


def _whose(session: Session, number: str) -> Person:
    """Whoever has a wallet number of 13 digits, or a phone number."""
    digits = re.sub(r"[\s-]", "", number)
    if re.fullmatch(r"384[0-9]{10}", digits):
        return subscribers.by_wallet_number(session, number=digits, closed_too=True)
    return subscribers.recipient(session, msisdn=msisdn.parse(number))


def _next_month(day: date) -> date:
    return (
        date(day.year + 1, 1, 1)
        if day.month == 12  # noqa: PLR2004 - December
        else date(day.year, day.month + 1, 1)
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./run statement", description=(__doc__ or "").partition(": ")[2]
    )
    parser.add_argument(
        "--of", required=True, metavar="NUMBER", help="a wallet number, or a phone number"
    )
    parser.add_argument(
        "--from",
        dest="begin",
        type=date.fromisoformat,
        metavar="DAY",
        help="the first day, as 2026-11-01; without it this month's",
    )
    parser.add_argument(
        "--to",
        dest="end",
        type=date.fromisoformat,
        metavar="DAY",
        help="the day after the last; without it the first of the next month",
    )
    parser.add_argument("--format", choices=_FORMATS, default="text")
    parser.add_argument("--currency", choices=[each.value for each in Currency], default="KES")
    parser.add_argument("--account", choices=list(PLACES), default="main")
    parser.add_argument("--language", choices=[each.value for each in spoken()])
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
