"""`/api/v1/transactions`: the lines of somebody's accounts, page by page, as CSV and as PDF."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from apiflask import APIBlueprint
from flask import Response

from core import db, statements
from core.access.principals import Permission
from core.ledger import UnknownAccount
from core.statements import NAIROBI, InvalidPeriod, Period, Statement, StatementTooLong, Wanted
from core.subscribers import Person
from gateway.api import edge, limits, paging
from gateway.api.access import needs
from gateway.api.description import refuses, tells
from gateway.api.edge import Api
from gateway.api.schemas.orders import Line
from gateway.api.schemas.transactions import Account, Filter, Lines
from menus.documents import csv

TAG: Final = {"name": "Transactions", "description": "What went into and out of an account."}

# A page of a PDF takes a twentieth of a second, and a request is to be over in a few.
PDF_LINES_MAX: Final = 2_000
CSV_LINES_MAX: Final = 50_000
_AT_ONCE: Final = 500
_PAGE_SECONDS_MAX: Final = 6
_FIRST: Final = date(2020, 1, 1)


def door(api: Api) -> APIBlueprint:
    """Hang the routes."""
    door = APIBlueprint("transactions", __name__, url_prefix="/api/v1", tag=TAG)

    @door.get("/transactions")
    @needs(Permission.READ)
    @refuses(UnknownAccount, InvalidPeriod)
    @door.input(Filter, location="query")
    @door.output(Lines)
    def show(query_data: Filter) -> Lines:
        """Show lines of an account, the newest first."""
        statement = _opened(edge.person(), query_data)
        went_on = paging.number(query_data.cursor)
        page = statements.page(
            edge.reading(),
            account=statement.account,
            wanted=Wanted(
                after=statement.after,
                last=statement.last if went_on is None else min(went_on, statement.last),
                reasons=() if query_data.kind is None else (query_data.kind,),
                is_in=None if query_data.direction is None else query_data.direction == "in",
            ),
            lines_max=query_data.limit,
        )
        lines = [Line.of(line) for line in page.lines]
        return Lines(lines=lines, next=paging.cursor(page.last))

    @door.get("/transactions.csv")
    @needs(Permission.READ)
    @tells("text/csv")
    @refuses(UnknownAccount, InvalidPeriod, StatementTooLong)
    @limits.documents(api)
    @door.input(Account, location="query")
    def as_csv(query_data: Account) -> Response:
        """Get a statement as CSV."""
        person = edge.person()
        statement = _opened(person, query_data, lines_max=CSV_LINES_MAX)
        rows = csv.rows(statement, _lines(api, statement), person.language)
        answer = Response(_gathered(rows), content_type="text/csv; charset=utf-8")
        return _to_keep(answer, statement, "csv")

    @door.get("/transactions.pdf")
    @needs(Permission.READ)
    @tells("application/pdf")
    @refuses(UnknownAccount, InvalidPeriod, StatementTooLong)
    @limits.documents(api)
    @door.input(Account, location="query")
    def as_pdf(query_data: Account) -> Response:
        """Get a statement as PDF."""
        from menus.documents import pdf  # noqa: PLC0415 - its fonts are a seventh of the web's start

        person = edge.person()
        statement = _opened(person, query_data, lines_max=PDF_LINES_MAX)
        edge.commit()  # it is drawn without a connection
        drawn = pdf.make(statement, _lines(api, statement), person.language, issued_at=edge.now())
        return _to_keep(Response(drawn, mimetype="application/pdf"), statement, "pdf")

    return door


def _opened(person: Person, wanted: Account, *, lines_max: int | None = None) -> Statement:
    tomorrow = edge.now().astimezone(NAIROBI).date() + timedelta(days=1)
    statement = statements.open_statement(
        edge.reading(),
        person=person,
        period=Period.days(wanted.since or _FIRST, wanted.until or tomorrow),
        currency=wanted.currency,
        place=wanted.account,
    )
    if lines_max is not None and statement.lines_count > lines_max:
        raise StatementTooLong(lines_max=lines_max)
    return statement


def _lines(api: Api, statement: Statement) -> Iterator[statements.Line]:
    """The lines of a statement; each look at the database is given its own time."""
    for number, line in enumerate(statements.lines(api.conversation.databases, statement)):
        if number % _AT_ONCE == 0:
            db.allow(_PAGE_SECONDS_MAX)
        yield line


def _gathered(rows: Iterator[str]) -> Iterator[bytes]:
    """Rows, so many at once as are worth sending."""
    some: list[str] = []
    for row in rows:
        some.append(row)
        if len(some) == _AT_ONCE:
            yield "".join(some).encode()
            some.clear()
    yield "".join(some).encode()


def _to_keep(answer: Response, statement: Statement, form: str) -> Response:
    begin = statement.period.begin.astimezone(NAIROBI).date()
    name = f"kabambe-{statement.wallet_number}-{statement.currency.value}-{begin}.{form}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
